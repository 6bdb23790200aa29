"""What `evaluate` and `demo` know and say before they start."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli import evaluate, start
from i2cnn.cli.main import main
from i2cnn.evaluation.cost_plan import Estimate, Plan
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.speed import Speed
from i2cnn.evaluation.workers import Workers
from i2cnn.util import machine
from i2cnn.util.errors import InputError
from tests.helpers.control_groups import set_groups
from tests.helpers.small_runs import arguments, settings_of, small_set
from tests.test_full_disk import fill_up

Output = pytest.CaptureFixture[str]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """A small evaluation."""
    return arguments(small_set(tmp_path / "data"), tmp_path / "run")


def refusal(words: list[str], run: Path, capsys: Output) -> str:
    """The line of a command that leaves no run behind."""
    assert main(words) == 1
    assert not run.exists()
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


@pytest.mark.parametrize("verb", ["evaluate", "demo"])
def test_an_engine_that_is_not_there_is_missed_at_once(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setitem(sys.modules, "caffe", None)
    run = tmp_path / "run"
    line = refusal([verb, f"--out={run}", "--engine=caffe", "--device=cpu"], run, capsys)
    assert "genuine pycaffe cannot be imported" in line


def test_rivals_need_no_engine(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setitem(sys.modules, "caffe", None)
    monkeypatch.setattr(evaluate, "run_evaluation", stop)
    assert main([*words, "--engine=caffe", "--k=none", "--rivals=pixels"]) == 1
    assert capsys.readouterr().err == "i2cnn: error: started\n"


def stop(*arguments: object) -> list[object]:
    """Stands for the run itself."""
    raise InputError("started")


@pytest.mark.parametrize(
    ("absent", "more"), [("skimage", []), ("matplotlib", []), ("submitit", ["--jobs=2"])]
)
def test_packages_that_are_needed_later_are_missed_at_once(
    absent: str,
    more: list[str],
    tmp_path: Path,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.setattr(start, "_is_there", lambda module: module != absent)
    line = refusal([*words, *more], tmp_path / "run", capsys)
    assert "i2cnn: error: not installed: " in line
    assert "pip install" in line


def test_a_package_inside_one_that_is_absent_is_absent() -> None:
    assert start._is_there("os.path")
    assert not start._is_there("no_such_package.inside")


def test_a_disk_without_room_is_known_at_once(
    small_disk: Path, words: list[str], capsys: Output
) -> None:
    fill_up(small_disk, 10**6)
    run = small_disk / "run"
    line = refusal([*words, f"--out={run}"], run, capsys)
    assert f"{run}: 1 MB are free on its disk, too few for any run" in line


def test_a_place_that_cannot_be_written_is_known_at_once(
    tmp_path: Path, words: list[str], capsys: Output
) -> None:
    run = tmp_path / "data" / "landmarks.csv" / "run"
    assert "cannot be written" in refusal([*words, f"--out={run}"], run, capsys)


def test_a_long_run_says_first_what_it_will_take(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr(evaluate, "run_evaluation", stop)
    monkeypatch.setattr(start, "_LONG_RUN_IMAGES", 48)
    assert main(words) == 1
    first, *middle, last = capsys.readouterr().err.splitlines()
    assert first == "Measuring this machine, for an estimate."
    assert middle[-1].startswith("All jobs: ")
    assert "memory at most" in middle[-1]
    assert last == "i2cnn: error: started"
    monkeypatch.setattr(start, "_LONG_RUN_IMAGES", 49)
    assert main(words) == 1
    assert capsys.readouterr().err == "i2cnn: error: started\n"


PLAN = Plan(
    Speed(1, 1, 1, 1, 1, 1, 1, 1, 1), 1, 1, (Estimate("k = 60", 1, 1.0, 1.0, 0.0, 0.0, 0.0),)
)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ({"peak_bytes": 1e18}, "r: .* GB are free on its disk, and the run needs 1000000000.0 GB"),
        ({"memory_bytes": 1e18}, "needs 1000000000.0 GB of memory, and there are .*fewer --jobs"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(
    cost: dict[str, float], message: str, tmp_path: Path
) -> None:
    start.check_room(PLAN, tmp_path, 1)
    (estimate,) = PLAN.estimates
    with pytest.raises(InputError, match=message):
        start.check_room(replace(PLAN, estimates=(replace(estimate, **cost),)), tmp_path / "r", 1)


@pytest.mark.parametrize(("trainings", "fits"), [(1, True), (2, False)])
def test_no_more_jobs_are_counted_than_there_are(
    trainings: int, fits: bool, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (estimate,) = PLAN.estimates
    plan = replace(PLAN, estimates=(replace(estimate, memory_bytes=6e9),))
    monkeypatch.setattr("i2cnn.evaluation.cost_plan.make_plan", lambda *_: plan)
    monkeypatch.setattr(start, "memory_limit", lambda: 10e9)
    monkeypatch.setattr(start, "_LONG_RUN_IMAGES", 1)
    jobs = [NetworkJob(1, 5, seed) for seed in range(trainings)]
    with nullcontext() if fits else pytest.raises(InputError, match=r"needs 12\.0 GB of memory"):
        start.print_estimate(tmp_path, settings_of(words), Execution(), Workers(8), jobs)


def test_a_control_groups_memory_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = machine.memory_limit()
    set_groups(tmp_path, monkeypatch, {"memory.max": "max\n"})
    assert machine.memory_limit() >= before
    for file in ("job/memory.max", "memory/job/memory.limit_in_bytes"):
        folder = tmp_path / file.replace("/", "-")
        folder.mkdir()
        set_groups(folder, monkeypatch, {file: "1000000\n"}, "0::/job/step\n")
        assert machine.memory_limit() == 1000000
