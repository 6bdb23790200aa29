"""The plan before a run, and runs compared after it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation import cost_plan
from i2cnn.evaluation.cost_plan import Estimate, Plan, gram_bytes, make_plan
from i2cnn.evaluation.cost_table import print_plan, rival_lines
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.run import jobs_of
from i2cnn.evaluation.speed import Speed
from i2cnn.evaluation.workers import Workers
from i2cnn.faces.table import Face
from i2cnn.network.profiles import Schedule
from i2cnn.rivals import RIVALS
from i2cnn.util.progress import duration
from tests.helpers.runs import write_run
from tests.helpers.small_runs import arguments, copy_of, settings_of, small_set


def test_a_dry_run_writes_nothing_and_says_what_it_costs(tmp_path: Path, capsys) -> None:
    data, out = small_set(tmp_path / "data"), tmp_path / "run"
    assert main([*arguments(data, out, k="1,5"), "--dry-run", "--jobs=2"]) == 0
    assert not out.exists()
    printed = capsys.readouterr().out
    assert "28 faces of 4 people" in printed
    for words in ("k = 1", "k = 5", "patches/s", "with 2 at a time", "GB free"):
        assert words in re.sub(r"\s+", " ", printed)


@pytest.mark.parametrize(("least", "said"), [(1e6, True), (1e3, False)])
def test_a_range_of_times_is_explained_and_weeks_are_told_what_is_shorter(
    least: float, said: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed = Speed(1, 1, 1, 1, 1, 1, 1, 1, 1)
    plan = Plan(speed, 8, 4, (Estimate("k = 1", 1, 1e6 + 1e3, least, 0, 0, 0),))
    print_plan(plan, tmp_path, Workers(1))
    printed = " ".join(capsys.readouterr().out.split())
    assert "Times: if each training stops as soon as it can" in printed
    assert ("--profile better or a smaller --schedule takes less" in printed) == said


def test_without_networks_nothing_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("i2cnn.evaluation.cost_plan.measure", None)
    words = arguments(small_set(tmp_path / "data"), tmp_path / "run", k="none")
    assert main([*words, "--rivals=pixels", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("synthetic: ")
    assert "\nPlan: 28 faces of 4 people; no network is left to train.\n1 job of rivals" in out
    assert err == ""


def test_estimates_follow_from_the_speed() -> None:
    speed = Speed(1e-3, 3e4, 0.5, 1e-3, 2e-3, 512, 10, 20, 1000)
    plan = Plan(
        speed,
        40,
        4,
        (Estimate("k = 1", 10, 60, 20, 5e9, 1e6, 1e9), Estimate("k = 5", 2, 30, 30, 1e9, 0, 2e9)),
    )
    assert plan.seconds == 660
    assert plan.first_stop_seconds == 260
    assert plan.kept_bytes == 1e7
    assert plan.peak_bytes(2) == 1e10 + 1e7
    assert plan.memory_bytes(3) == 6e9


def test_faces_of_the_runs_own_table_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs, measured = write_run(tmp_path / "run"), []

    def measure(settings: object, execution: object, faces: list[Face], *_: object) -> Speed:
        measured.extend(face.image for face in faces)
        return Speed(1, 1, 1, 1, 1, 1, 1, 1, 1)

    monkeypatch.setattr(cost_plan, "measure", measure)
    monkeypatch.setattr(cost_plan, "svm_seconds", lambda *_, **__: 1.0)
    make_plan(tmp_path / "run", inputs.settings, Execution(), jobs_of(inputs.settings))
    assert measured == [face.image for face in inputs.faces][::3]


def test_networks_together_references_and_fusion_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cost_plan, "_few_faces", lambda *_: [])
    monkeypatch.setattr(cost_plan, "measure", lambda *_: Speed(0, 0, 0, 0, 0, 0, 0, 0, 0))
    monkeypatch.setattr(cost_plan, "svm_seconds", lambda *_, **__: 1.0)
    plain = write_run(tmp_path / "run", seeds=2).settings
    more = replace(plain, reference="person", fuse=("hog",))
    seconds = []
    for out, settings in (("run", plain), ("new", more)):
        plan = make_plan(tmp_path / out, settings, Execution(), jobs_of(settings))
        assert [(e.title, e.jobs) for e in plan.estimates] == [("k = 1", 6), ("k = 1, together", 3)]
        seconds += [[e.seconds for e in plan.estimates]]
    # Alone, fused, and both from references; the recogniser's SVM is fitted once.
    assert seconds == [[3, 2], [9, 8]]
    followers = [job for job in jobs_of(plain) if job.follows]
    plan = make_plan(tmp_path / "run", plain, Execution(), followers)
    assert plan.speed is None
    print_plan(plan, tmp_path, Workers(1))
    printed = capsys.readouterr().out
    assert printed.startswith("synthetic: ")
    assert "  subjects " in printed
    assert "no network is left to train" in printed
    assert "k = 1, together" in printed


def test_people_who_train_as_well_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost_plan, "_few_faces", lambda *_: [])
    # A second for a patch of a database, and for one whose features are computed.
    monkeypatch.setattr(cost_plan, "measure", lambda *_: Speed(1, 0, 0, 0, 1, 0, 0, 0, 0))
    monkeypatch.setattr(cost_plan, "svm_seconds", lambda *_, **__: 0.0)
    plain = write_run(tmp_path / "run").settings
    seconds = []
    for others in (None, "synthetic"):
        settings = replace(plain, train_also=others)
        plan = make_plan(tmp_path / "new", settings, Execution(), jobs_of(settings))
        seconds.append(plan.estimates[0].seconds)
        assert plan.faces == 360
    # The embedded set's faces with one of six expressions: in the database once, seen by both nets.
    assert seconds[1] - seconds[0] == 3 * 360


def test_longer_schedules_and_more_patches_cost_more(tmp_path: Path) -> None:

    data = small_set(tmp_path / "data")
    words = arguments(data, tmp_path / "run", k="1,60", iterations=1000)
    settings = settings_of(words)
    plan = make_plan(tmp_path / "run", settings, Execution(), jobs_of(settings))
    few, many = plan.estimates
    assert (few.jobs, many.jobs) == (4, 4)
    assert few.seconds > 1000 * plan.speed.iteration_seconds
    assert many.seconds > few.seconds
    assert many.peak_bytes > 28 * 60 * 512 * 4  # its features
    assert many.memory_bytes > few.memory_bytes


@pytest.mark.parametrize(
    ("faces", "k", "expected"),
    [
        (1_000, 60, (32_000_000 + 240_000_000, 0, 8_000_000)),
        (10_000, 1, (3_200_000_000 + 400_000_000, 0, 800_000_000)),
        # Beyond a gigabyte on the disk, beyond 10 000 faces with 1000 of them only.
        (10_000, 60, (3_200_000_000, 24_000_000_000, 800_000_000)),
        (20_000, 60, (640_000_000, 4_800_000_000, 0)),
    ],
)
def test_many_faces_are_estimated_as_they_are_computed(
    faces: int, k: int, expected: tuple[int, int, int]
) -> None:
    assert gram_bytes(faces, k) == expected


@pytest.mark.parametrize(
    ("schedule", "first_stop"),
    [
        (Schedule(200000, 500, 50000, 256), 50500),
        (Schedule(200000, 300, 50000, 256), 50400),
        (Schedule(1000, 500, 50000, 256), 1000),
        (Schedule(1000, 100, 0, 256), 1000),
    ],
)
def test_the_first_possible_stop_follows_from_patience(schedule: Schedule, first_stop: int) -> None:
    assert schedule.first_stop == first_stop


def test_a_share_of_the_schedule_shrinks_all_of_it() -> None:
    from i2cnn.cli.parser import build_parser
    from i2cnn.cli.schedule import chosen_schedule

    def schedule(*words: str) -> Schedule:
        return chosen_schedule(build_parser().parse_args(["evaluate", "--out=r", *words]))

    full, tenth = schedule(), schedule("--schedule=0.1")
    assert (full.max_iter, full.patience) == (200000, 50000)
    assert schedule("--schedule=full") == full
    for name in ("max_iter", "patience", "validate_every"):
        assert getattr(tenth, name) == getattr(full, name) / 10
    assert tenth.batch_size == full.batch_size == 256
    assert schedule("--schedule=0.1", "--patience=7").patience == 7
    with pytest.raises(SystemExit):
        schedule("--schedule=2")


def test_runs_are_compared(run: Path, tmp_path: Path, capsys) -> None:
    other = copy_of(run, tmp_path / "other")
    page = tmp_path / "page.html"
    assert main(["report", str(run), str(other), "--out", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "Table 4: number of patches" in printed
    html = page.read_text()
    assert "2 runs compared" in html
    # Three tables and the list of runs, two columns each, which their directories tell apart.
    assert html.count("synthetic (7, quick, changed), other<") >= 4
    assert html.count(f"synthetic (7, quick, changed), {run.name}<") >= 4
    assert ">published<" not in html
    assert "Table 4: number of patches" in html
    assert "http" not in html


def test_slow_rivals_are_named_with_their_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, minutes in (("ldp", 2.0), ("geometric", 3.0)):
        monkeypatch.setitem(RIVALS, name, replace(RIVALS[name], minutes=minutes))
    plan = Plan(Speed(1, 1, 1, 1, 1, 1, 1, 1, 1), 800, 9, (), {"lbp": 4, "ldp": 2})
    assert rival_lines(plan)[:2] == [
        "4 jobs of rivals, not estimated: seconds each, some minutes in all.",
        f"2 jobs of ldp, not in the total: about {duration(240)} each on one core.",
    ]
    assert f"geometric (about {duration(360)} per fold)" in rival_lines(plan)[-1]
    assert "ldp" not in rival_lines(plan)[-1]
