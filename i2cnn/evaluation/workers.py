"""Runs independent jobs: one after the other, side by side, or on a Slurm cluster by submitit.

A job that fails, or whose process is killed, does not lose the others: it is reported at the end,
and repeating the command tries it again from where it stood.
"""

from __future__ import annotations

import os
import shutil
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from threadpoolctl import threadpool_limits

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import ERROR_FILE, Execution, Job
from i2cnn.network.engine import choose_device
from i2cnn.util.errors import InputError
from i2cnn.util.progress import say

#: Pickled calls and logs of the worker processes.
LOG_FOLDER = "workers"
_POLL_SECONDS = 0.2
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
    return _in_processes(run, jobs, inputs, execution, workers)


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
    """Do a job; returns why it failed, or None. A failure that is ours is logged in full."""
    limits = threadpool_limits(execution.threads) if execution.threads else nullcontext()
    if execution.threads:
        import torch

        torch.set_num_threads(execution.threads)
    try:
        # On a cluster only the worker knows its devices.
        execution = replace(execution, device=choose_device(execution.device))
        with limits:
            job.run(run, inputs, execution)
    except (InputError, OSError) as error:
        return str(error)
    except Exception as error:
        log = run / job.folder / ERROR_FILE
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc())
        return f"{type(error).__name__}: {error} (see {log})"
    return None


def _in_local_worker(
    visible: str | None, run: Path, job: Job, inputs: Inputs, execution: Execution
) -> str | None:
    """`_attempt` in a process of submitit's local executor, which hides all GPUs from it."""
    if visible is None:
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
    else:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible
    return _attempt(run, job, inputs, execution)


def _in_processes(
    run: Path, jobs: Sequence[Job], inputs: Inputs, execution: Execution, workers: Workers
) -> list[Failure]:
    slots = min(workers.jobs or len(jobs), len(jobs))
    pool = _Pool(slots, _submitter(run, execution, workers, slots))
    waiting, failures = list(reversed(jobs)), []
    try:
        while waiting or pool.running:
            for slot in pool.free_slots():
                if waiting:
                    pool.start(slot, waiting.pop(), inputs)
            time.sleep(_POLL_SECONDS)
            for job, reason in pool.ended():
                left = len(waiting) + len(pool.running)
                say(f"{job.title}: {'failed: ' + reason if reason else 'done'}; {left} left")
                if reason:
                    failures.append(Failure(job, reason))
    except BaseException:
        pool.cancel(wait=not workers.slurm)
        raise
    if not failures:
        shutil.rmtree(run / LOG_FOLDER, ignore_errors=True)
    return failures


class _Paths(Protocol):
    """What is used of submitit's JobPaths."""

    @property
    def stderr(self) -> Path:
        """Log of the job's errors."""


class _Submitted(Protocol):
    """What is used of submitit's Job."""

    @property
    def paths(self) -> _Paths:
        """Files of the job."""

    def done(self) -> bool:
        """True once the job has ended."""

    def exception(self) -> BaseException | None:
        """Why it has no result, or None."""

    def result(self) -> str | None:
        """What the job returned."""

    def cancel(self, check: bool = True) -> None:
        """Stop the job."""


#: Submits a job in a slot.
_Submit = Callable[[int, Job, Inputs], _Submitted]


class _Pool:
    """Jobs that run at the same time, each in a slot."""

    def __init__(self, slots: int, submit: _Submit) -> None:
        self.running: dict[int, tuple[Job, _Submitted]] = {}
        self._slots = slots
        self._submit = submit

    def free_slots(self) -> list[int]:
        """Slots without a job."""
        return [slot for slot in range(self._slots) if slot not in self.running]

    def start(self, slot: int, job: Job, inputs: Inputs) -> None:
        """Submit a job."""
        self.running[slot] = (job, self._submit(slot, job, inputs))

    def ended(self) -> list[tuple[Job, str | None]]:
        """Jobs that ended since the last call, each with the reason why it failed, or None."""
        found = []
        for slot, (job, submitted) in list(self.running.items()):
            if submitted.done():
                del self.running[slot]
                found.append((job, _outcome(submitted)))
        return found

    def cancel(self, wait: bool) -> None:
        """Stop all jobs, and wait until they have stopped."""
        jobs = [submitted for _, submitted in self.running.values()]
        for submitted in jobs:
            submitted.cancel(check=False)
        say("waiting for the workers to stop")
        while wait and not all(submitted.done() for submitted in jobs):
            time.sleep(_POLL_SECONDS)


def _submitter(run: Path, execution: Execution, workers: Workers, slots: int) -> _Submit:
    """How jobs are submitted: to Slurm, or to processes that share this machine."""
    if workers.slurm:
        parameters = slurm_parameters(workers, execution)
        execution = replace(execution, threads=parameters["cpus_per_task"])
        call = _executor(run, "slurm", parameters, _attempt)
        return lambda slot, job, inputs: call(run.resolve(), job, inputs, execution)
    if slots > 1 and execution.device != "cpu" and _gpus() == 1:
        say(f"{slots} jobs at a time share one GPU by turns, which --jobs 1 may well outrun")
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    call = _executor(
        run, "local", {"timeout_min": _TIMEOUT_MINUTES}, partial(_in_local_worker, visible)
    )
    return lambda slot, job, inputs: call(
        run.resolve(), job, inputs, _share(execution, slot, slots)
    )


def _outcome(submitted: _Submitted) -> str | None:
    """Why a submitted job failed, or None."""
    error = submitted.exception()
    if error is None:
        return submitted.result()
    log = submitted.paths.stderr
    return f"its process ended without a result (killed, or out of memory?); log {log}"


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
) -> Callable[[Path, Job, Inputs, Execution], _Submitted]:
    """A function that submits `work` with its arguments and returns submitit's job."""
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

    def submit(run: Path, job: Job, inputs: Inputs, execution: Execution) -> _Submitted:
        try:
            submitted: _Submitted = executor.submit(work, run, job, inputs, execution)
            return submitted
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
