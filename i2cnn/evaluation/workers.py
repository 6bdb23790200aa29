"""Runs independent jobs: one after the other, side by side, or on a Slurm cluster by submitit.

A job that fails, or whose process is killed, does not lose the others: it is reported at the end,
and repeating the command tries it again from where it stood.
"""

from __future__ import annotations

import os
import subprocess
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from threadpoolctl import threadpool_limits

from i2cnn.evaluation.inputs import Inputs, read_inputs
from i2cnn.evaluation.jobs import ERROR_FILE, Execution, Job
from i2cnn.network.engine import choose_device
from i2cnn.util.cores import limited_cores
from i2cnn.util.errors import InputError
from i2cnn.util.progress import say, status

if TYPE_CHECKING:  # it need not be installed
    import submitit

#: Pickled calls and logs of the worker processes; failures name them.
LOG_FOLDER = "workers"
_POLL_SECONDS = 0.2
#: Each job's process is asked after once in so many polls; results are seen in every one.
_TURNS = 10
#: Jobs that go to Slurm in one call, as an array.
_ARRAY = 100
#: How long the result of a job that has ended may take to be seen, here and from another machine.
_LATE_SECONDS, _LATE_SHARED_SECONDS = 1.0, 15.0
#: Jobs that fill a GPU: some train while others prepare patches or fit SVMs.
_SHARING = 5
#: Jobs whose last words are shown, and how much of a log is looked at for them.
_SHOWN, _TAIL_BYTES = 8, 4096
#: submitit ends a job after this; jobs resume, but a training should not have to.
_TIMEOUT_MINUTES = 60 * 24 * 7


@dataclass(frozen=True)
class Workers:
    """Where the jobs run, and how many at a time.

    Parameters
    ----------
    jobs : int or None
        Jobs at a time; None is one on this machine (in this process), all at once on Slurm.
    slurm : mapping
        Parameters of Slurm such as partition; empty: this machine.
    """

    jobs: int | None = None
    slurm: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.jobs is not None and self.jobs < 1:
            raise InputError(f"--jobs must be at least 1, not {self.jobs}")

    def at_a_time(self, jobs: int) -> int:
        """How many of so many jobs run at a time."""
        return min(jobs, self.jobs or (jobs if self.slurm else 1))


@dataclass(frozen=True)
class Failure:
    """A job that was not done, and why."""

    job: Job
    reason: str


def run_all(
    run: Path,
    jobs: Sequence[Job],
    inputs: Inputs,
    execution: Execution,
    workers: Workers,
) -> list[Failure]:
    """Do all jobs; returns those that failed."""
    if not jobs:
        return []
    if (workers.jobs or 1) == 1 and not workers.slurm:
        return _in_this_process(run, jobs, inputs, execution)
    return _in_processes(run, jobs, execution, workers)


def _in_this_process(
    run: Path, jobs: Sequence[Job], inputs: Inputs, execution: Execution
) -> list[Failure]:
    failures = []
    for job in jobs:
        reason = _attempt(run, job, inputs, execution)
        if reason:
            failures.append(Failure(job, reason))
            say(f"  failed: {reason}")
    return failures


def _attempt(run: Path, job: Job, inputs: Inputs, execution: Execution) -> str | None:
    """Do a job; returns why it failed, or None."""
    if execution.threads:
        import torch

        torch.set_num_threads(execution.threads)
    try:
        # On a cluster only the worker knows its devices.
        execution = replace(execution, device=choose_device(execution.device))
        with threadpool_limits(execution.threads or None), limited_cores(execution.threads):
            job.run(run, inputs, execution)
    except Exception as error:
        return reason_of(error, run / job.folder / ERROR_FILE)
    return None


def reason_of(error: Exception, log: Path) -> str:
    """Why something failed, in a line; a failure that is ours is logged in full."""
    if isinstance(error, InputError | OSError):
        return str(error)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)))
    return f"{type(error).__name__}: {error} (see {log})"


def _in_worker(run: Path, job: Job, execution: Execution) -> str | None:
    """`_attempt` in a process of its own, which reads the run: a thousand need no copies of it."""
    try:
        inputs = read_inputs(run)
    except InputError as error:
        return str(error)
    return _attempt(run, job, inputs, execution)


def _in_local_worker(visible: str | None, run: Path, job: Job, execution: Execution) -> str | None:
    """`_in_worker` in a process of submitit's local executor, which hides all GPUs from it."""
    if visible is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    return _in_worker(run, job, execution)


def _in_processes(
    run: Path, jobs: Sequence[Job], execution: Execution, workers: Workers
) -> list[Failure]:
    slots = workers.at_a_time(len(jobs))
    submit = _submitter(run, execution, workers, slots)
    pool = _Pool(slots, submit, run / LOG_FOLDER, bool(workers.slurm))
    waiting, failures = list(reversed(jobs)), []
    try:
        with status() as look:
            while waiting or pool.running:
                free = pool.free_slots()[: min(_ARRAY, len(waiting))]
                if free:
                    pool.start({slot: waiting.pop() for slot in free})
                else:
                    time.sleep(_POLL_SECONDS)
                for job, reason in pool.ended():
                    left = len(waiting) + len(pool.running)
                    say(f"{job.title}: {'failed: ' + reason if reason else 'done'}; {left} left")
                    if reason:
                        failures.append(Failure(job, reason))
                look(pool.last_words)
    except BaseException:
        pool.cancel()
        raise
    return failures


#: What it returns is why the job failed, or None.
_Submitted: TypeAlias = "submitit.Job[str | None]"
#: Submits jobs, each in a slot.
_Submit: TypeAlias = Callable[[Mapping[int, Job]], Sequence[_Submitted]]


class _Pool:
    """Jobs that run at the same time, each in a slot.

    Parameters
    ----------
    slots : int
    submit : callable
    folder : Path
        Where results appear.
    slurm : bool
        The jobs are Slurm's.
    """

    def __init__(self, slots: int, submit: _Submit, folder: Path, slurm: bool) -> None:
        self.running: dict[int, tuple[Job, _Submitted]] = {}
        self._slots, self._submit, self._folder, self._slurm = slots, submit, folder, slurm
        self._polls = 0
        self._missed: dict[int, float] = {}

    def free_slots(self) -> list[int]:
        """Slots without a job."""
        return [slot for slot in range(self._slots) if slot not in self.running]

    def start(self, jobs: Mapping[int, Job]) -> None:
        """Submit jobs, each in a free slot."""
        for (slot, job), submitted in zip(jobs.items(), self._submit(jobs), strict=True):
            self.running[slot] = (job, submitted)

    def ended(self) -> list[tuple[Job, str | None]]:
        """Jobs that ended since the last call, each with the reason why it failed, or None."""
        self._polls += 1
        # One look at the folder serves all jobs; a change of it makes NFS look anew.
        with suppress(OSError):
            self._folder.chmod(self._folder.stat().st_mode)
        written = set(os.listdir(self._folder))
        found = []
        for slot, (job, submitted) in list(self.running.items()):
            has_result = submitted.paths.result_pickle.name in written
            if not has_result and (slot + self._polls) % _TURNS:
                continue
            if submitted.done() and (has_result or self._is_overdue(slot)):
                del self.running[slot]
                self._missed.pop(slot, None)
                found.append((job, self._outcome(submitted, has_result)))
        return found

    def last_words(self) -> list[str]:
        """What the jobs of the first slots wrote last, a line each."""
        jobs = [self.running[slot] for slot in sorted(self.running)[:_SHOWN]]
        words = [(job.title, _last_line(submitted.paths.stderr)) for job, submitted in jobs]
        return [f"  {title}, {line}" for title, line in words if line not in ("", title)]

    def _is_overdue(self, slot: int) -> bool:
        """True if the result of a job that has ended is missing for so long that there is none."""
        now = time.monotonic()
        late = _LATE_SHARED_SECONDS if self._slurm else _LATE_SECONDS
        return now - self._missed.setdefault(slot, now) > late

    def _outcome(self, submitted: _Submitted, has_result: bool) -> str | None:
        """Why a job failed, or None."""
        if has_result and submitted.exception() is None:
            return submitted.result()
        why = f"Slurm says {submitted.state}" if self._slurm else "killed, or out of memory?"
        return f"its process ended without a result ({why}); log {submitted.paths.stderr}"

    def cancel(self) -> None:
        """Stop all jobs; wait for those of this machine until they have stopped."""
        jobs = [submitted for _, submitted in self.running.values()]
        if self._slurm:
            arrays = sorted({submitted.job_id.partition("_")[0] for submitted in jobs})
            if arrays:
                subprocess.call(["scancel", *arrays])
            return
        for submitted in jobs:
            submitted.cancel(check=False)
        say("waiting for the workers to stop")
        while not all(submitted.done() for submitted in jobs):
            time.sleep(_POLL_SECONDS)


def _last_line(log: Path) -> str:
    """The last line of a log; empty where there is none, or not yet."""
    with suppress(OSError), open(log, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
        return lines[-1].strip() if lines else ""
    return ""


def _submitter(run: Path, execution: Execution, workers: Workers, slots: int) -> _Submit:
    """How jobs are submitted: to Slurm, or to processes that share this machine."""
    if workers.slurm:
        parameters = slurm_parameters(workers, execution)
        execution = replace(execution, threads=parameters["cpus_per_task"])
        submit = _executor(run, "slurm", parameters, _in_worker)
        return lambda jobs: submit([(run.resolve(), job, execution) for job in jobs.values()])
    if slots > _SHARING and execution.device != "cpu" and _gpus() == 1:
        say(f"{slots} jobs at a time share one GPU; --jobs {_SHARING} may be faster")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    submit = _executor(
        run, "local", {"timeout_min": _TIMEOUT_MINUTES}, partial(_in_local_worker, visible)
    )
    return lambda jobs: submit(
        [(run.resolve(), job, _share(execution, slot, slots)) for slot, job in jobs.items()]
    )


def _gpus() -> int:
    import torch  # slow, and only workers need it

    return torch.cuda.device_count()


def _share(execution: Execution, slot: int, slots: int) -> Execution:
    """A slot's own GPU where there are several, and its part of the CPU's threads."""
    import torch  # slow, and only workers need it

    device = execution.device
    if device in ("auto", "cuda") and _gpus() > 1:
        device = f"cuda:{slot % _gpus()}"
    threads = execution.threads or max(1, torch.get_num_threads() // slots)
    return replace(execution, device=device, threads=threads)


def _executor(
    run: Path, cluster: str, parameters: dict[str, Any], work: Callable[..., str | None]
) -> Callable[[Sequence[tuple[Path, Job, Execution]]], Sequence[_Submitted]]:
    """A function that submits `work` once for each tuple of arguments; returns submitit's jobs."""
    try:
        import submitit
    except ImportError:
        raise InputError(
            "--jobs and --slurm need the package submitit: pip install 'i2cnn[cluster]'"
        ) from None
    try:
        executor = submitit.AutoExecutor(run.resolve() / LOG_FOLDER, cluster=cluster)
        executor.update_parameters(**parameters)
    except (RuntimeError, NameError, ValueError, TypeError) as error:
        raise InputError(f"--slurm: {error}") from None

    def submit(calls: Sequence[tuple[Path, Job, Execution]]) -> Sequence[_Submitted]:
        try:
            return executor.map_array(work, *zip(*calls, strict=True))
        except RuntimeError as error:  # sbatch refused: a wrong partition, account, ...
            raise InputError(f"--slurm: {error}") from None

    return submit


def slurm_parameters(workers: Workers, execution: Execution) -> dict[str, Any]:
    """Submitit's parameters: one task and one GPU per job, and what the user gave."""
    parameters: dict[str, Any] = {
        "name": "i2cnn",
        "timeout_min": _TIMEOUT_MINUTES,
        "tasks_per_node": 1,
        "cpus_per_task": execution.threads or 4,
    }
    if execution.device != "cpu":
        parameters["gpus_per_node"] = 1
    common = {"timeout_min": int, "cpus_per_task": int, "gpus_per_node": int, "mem_gb": float}
    for name, value in workers.slurm.items():
        if name in common:
            try:
                parameters[name] = common[name](value)
            except ValueError:
                raise InputError(f"--slurm: {name}={value} is not a number") from None
        else:
            parameters[f"slurm_{name}"] = value
    return parameters
