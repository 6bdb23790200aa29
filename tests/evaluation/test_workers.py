"""Jobs in processes of their own: all done, the same results, a killed one loses no other."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation import workers
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.rival_job import RivalJob
from i2cnn.evaluation.run import locked_run
from i2cnn.evaluation.workers import Workers, run_all, slurm_parameters
from i2cnn.util.errors import InputError
from tests.check_report import check
from tests.helpers.runs import write_run
from tests.helpers.small_runs import arguments, small_set

pytest.importorskip("submitit")

PROGRAMS = Path(__file__).parents[1] / "programs"


def command(data: Path, out: Path, *more: str, iterations: int = 4) -> list[str]:
    words = arguments(data, out, k="1", iterations=iterations)
    return [w for w in words if not w.startswith("--only-folds")] + list(more)


def predictions(run: Path) -> dict[str, str]:
    return {str(p.relative_to(run)): p.read_text() for p in run.glob("fold_*/*/predictions*.csv")}


def test_side_by_side_as_one_after_the_other(tmp_path: Path) -> None:
    data = small_set(tmp_path / "data")
    assert main([*command(data, tmp_path / "one"), "--only-folds=1,2"]) == 0
    assert main([*command(data, tmp_path / "two", "--jobs=2"), "--only-folds=1,2"]) == 0
    assert len(predictions(tmp_path / "one")) == 6
    assert predictions(tmp_path / "one") == predictions(tmp_path / "two")
    assert not (tmp_path / "two" / "workers").exists()


@pytest.mark.parametrize(
    ("gpus", "jobs", "told"), [(0, 9, False), (1, 9, True), (1, 5, False), (2, 9, False)]
)
def test_many_jobs_that_share_one_gpu_are_told_of(
    gpus: int, jobs: int, told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("i2cnn.evaluation.workers._gpus", lambda: gpus)
    workers._submitter(tmp_path, Execution(device="auto"), Workers(jobs), jobs)
    assert ("9 jobs at a time share one GPU" in capsys.readouterr().err) == told


def test_jobs_in_other_processes_say_how_far_they_are(tmp_path: Path) -> None:
    logs = {
        1: "fold 1, k = 60, seed 0\n  training: 3 of 9\n",
        2: "fold 2, k = 60, seed 0\n",  # nothing but its title
        3: "",
        4: "x" * 5000 + "\n  features: 10 of 42, \xff",
    }
    submitted = {}
    for fold, text in logs.items():
        log = tmp_path / f"{fold}.err"
        if text:
            log.write_bytes(text.encode("latin-1"))
        submitted[fold] = SimpleNamespace(paths=SimpleNamespace(stderr=log))
    pool = workers._Pool(
        9, lambda jobs: [submitted[job.fold] for job in jobs.values()], tmp_path, slurm=False
    )
    pool.start({slot: NetworkJob(fold, 60, 0) for slot, fold in enumerate(logs)})
    assert pool.last_words() == [
        "  fold 1, k = 60, seed 0, training: 3 of 9",
        "  fold 4, k = 60, seed 0, features: 10 of 42, \ufffd",
    ]


def _kill_worker_of(run: Path, fold: int, done: list[int]) -> None:
    """SIGKILL the process that trains a fold, once it has begun."""
    state = run / f"fold_{fold:02d}" / "k1_seed0" / "training.json"
    deadline = time.monotonic() + 240
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode().split("\0")
            where = os.readlink(process / "cwd")
        except OSError:
            continue
        if "submitit.core._submit" in words and where == str(state.parent.resolve()):
            os.kill(int(process.name), signal.SIGKILL)
            done.append(int(process.name))


def test_a_killed_worker_loses_no_other_fold(tmp_path: Path, capsys) -> None:
    data, run = small_set(tmp_path / "data"), tmp_path / "run"
    killed: list[int] = []
    thread = threading.Thread(target=_kill_worker_of, args=(run, 2, killed))
    thread.start()
    # Long enough that the kill comes before the end; the other folds end as they should.
    words = command(data, run, "--jobs=2", "--only-folds=2,3", iterations=60)
    assert main(words) == 1
    thread.join()
    assert len(killed) == 1
    error = capsys.readouterr().err
    assert "fold 2, k = 1, seed 0: its process ended without a result" in error
    assert "The same command tries these again" in error
    assert (run / "fold_03" / "k1_seed0" / "job.json").exists()
    assert not (run / "fold_02" / "k1_seed0" / "job.json").exists()
    assert json.loads((run / "report" / "metrics.json").read_text())["folds_done"] == [3]
    assert main(words) == 0
    assert json.loads((run / "report" / "metrics.json").read_text())["folds_done"] == [2, 3]
    assert check(run) == []


def test_a_failed_fold_loses_no_other(tmp_path: Path, capsys) -> None:
    data, run = small_set(tmp_path / "data"), tmp_path / "run"
    words = [*command(data, run), "--only-folds=1,2"]
    broken = run / "fold_01" / "k1_seed0" / "training.json"
    broken.parent.mkdir(parents=True)
    broken.write_text("{}")
    assert main(words) == 1
    error = capsys.readouterr().err
    assert f"{broken}: not a training's state" in error
    assert (run / "fold_02" / "k1_seed0" / "job.json").exists()
    broken.unlink()
    assert main(words) == 0


def test_jobs_that_succeed_leave_the_logs_of_those_that_failed(tmp_path: Path) -> None:
    inputs = write_run(run := tmp_path / "run")
    log = run / "workers" / "1_0_log.err"
    log.parent.mkdir()
    log.write_text("out of memory")
    jobs = [RivalJob(fold, "pixels") for fold in (1, 2)]
    assert run_all(run, jobs, inputs, Execution(), Workers(2)) == []
    assert log.exists()


def test_one_command_a_run(tmp_path: Path, capsys) -> None:
    import fcntl

    data, run = small_set(tmp_path / "data"), tmp_path / "run"
    run.mkdir()
    with open(run / ".lock", "w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert main(command(data, run)) == 1
    assert "another command is working on this run" in capsys.readouterr().err


@pytest.mark.parametrize("failure", [None, errno.ENOLCK])
def test_a_file_system_without_locks_is_told_of(
    failure: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    import fcntl

    def flock(file: int, operation: int) -> None:
        if failure:
            raise OSError(failure, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked_run(tmp_path):
        pass
    error = capsys.readouterr().err
    assert error.count("its file system cannot lock (No locks available)") == (failure is not None)


def test_slurm_parameters() -> None:
    workers = Workers(4, {"partition": "gpu", "timeout_min": "600", "mem_gb": "32"})
    parameters = slurm_parameters(workers, Execution(device="auto"))
    assert parameters["slurm_partition"] == "gpu"
    assert parameters["timeout_min"] == 600
    assert parameters["mem_gb"] == 32
    assert parameters["gpus_per_node"] == 1
    assert "gpus_per_node" not in slurm_parameters(Workers(), Execution(device="cpu"))
    with pytest.raises(InputError, match="timeout_min=long is not a number"):
        slurm_parameters(Workers(slurm={"timeout_min": "long"}), Execution())


def fake_slurm(folder: Path) -> None:
    """Slurm's commands in a folder, replaced by programs that run jobs on this machine."""
    commands = {"scontrol": "echo here", "scancel": "true"}
    for name in ("sbatch", "srun", "sacct"):
        commands[name] = f'exec {sys.executable} {PROGRAMS / f"slurm_{name}.py"} "$@"'
    for name, command in commands.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_on_slurm(tmp_path: Path, monkeypatch, capsys) -> None:
    """Through submitit's Slurm executor, with Slurm's programs replaced by ones that run here.

    Two jobs are submitted in one call; the second one's node is lost, and the same command does it.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    fake_slurm(programs)
    monkeypatch.setenv("FAKE_SLURM", str(programs))
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_SLURM_LOST", "100_1")
    monkeypatch.setattr(workers, "_LATE_SHARED_SECONDS", 0.0)
    data, run = small_set(tmp_path / "data"), tmp_path / "run"
    words = command(data, run, "--slurm=partition=some,cpus_per_task=1", "--only-folds=1,2")
    words += ["--k=none", "--rivals=pixels"]
    assert main(words) == 1
    assert [path.name for path in sorted(programs.glob("job_*"))] == ["job_100_0", "job_100_1"]
    assert "--partition=some" in (programs / "job_100_0").read_text()
    error = capsys.readouterr().err
    assert "fold 2, pixels: its process ended without a result (Slurm says NODE_FAIL)" in error
    assert main(words) == 0
    assert (programs / "job_102").exists()
    assert check(run) == []


def test_nothing_is_cancelled_before_a_job_is_submitted(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # without scancel, which complains if it names no job
    workers._Pool(1, lambda jobs: [], tmp_path, slurm=True).cancel()


def test_slurm_where_there_is_none(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    data = small_set(tmp_path / "data")
    assert main(command(data, tmp_path / "run", "--slurm=partition=some")) == 1
    assert "--slurm:" in capsys.readouterr().err


def test_a_cluster_takes_all_jobs_at_a_time_unless_told_otherwise() -> None:
    cluster = {"partition": "p"}
    assert [w.at_a_time(30) for w in (Workers(), Workers(4), Workers(slurm=cluster))] == [1, 4, 30]
    assert Workers(4, cluster).at_a_time(2) == 2
