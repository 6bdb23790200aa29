"""What a run's report says in words, and the audit of its folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.evaluation.folds import Fold, Folds
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.make_report import check_leaks, make_report
from i2cnn.report.results import read_results
from i2cnn.util.errors import InputError
from tests.helpers.reports import report_of, row_of, training_of
from tests.helpers.runs import write_run

ROWS = [row_of("k60_trained", 0.5)]
FOLDS = Folds(0, (Fold(("A",), ("B",), ("C",)), Fold(("B",), ("C",), ("A",))))


def test_the_title_says_what_is_not_the_papers() -> None:
    report = report_of(ROWS, dataset="ckplus", profile="quick")
    assert report.title == "CK+ (6, quick)"
    schedule = replace(report.settings.schedule, max_iter=7)
    settings = replace(report.settings, schedule=schedule, scheme="tight")
    changed = replace(report, settings=settings)
    assert changed.title == "CK+ (6, quick, changed)"


def test_departures_from_the_profile_are_named() -> None:
    report = report_of(ROWS)
    schedule = replace(report.settings.schedule, batch_size=7)
    settings = replace(report.settings, schedule=schedule, precision="bf16", scheme="/me/own.toml")
    changed = replace(report, settings=settings)
    assert changed.departures == (
        "batch_size 7 instead of 256",
        "patch scheme own.toml instead of deepid",
        "networks compute in bf16 instead of float32",
    )
    assert changed.profile_words.startswith("the paper's AlexNet and solver; batch_size 7")


def test_the_commands_of_a_page_name_the_run_as_it_was_given() -> None:
    again, published = report_of(ROWS, run=Path("runs/a run")).public_report_commands
    assert again == "i2cnn report 'runs/a run'"
    assert published == "i2cnn report 'runs/a run' --publish 'published/a run'"
    again, _ = report_of(ROWS, run=Path("/home/me/runs/r")).public_report_commands
    assert again == "i2cnn report r"


def test_flat_trainings_are_named_by_k_and_fold() -> None:
    trainings = [training_of(60, 2, flat=True), training_of(60, 1, flat=True), training_of(5, 1)]
    assert report_of(ROWS, trainings=trainings).flat_words == "k = 60: fold 1, 2"


def test_flat_trainings_of_several_seeds_are_named_by_seed() -> None:
    trainings = [training_of(5, 1, seed, flat=True) for seed in (0, 1)]
    report = report_of(ROWS, seeds=(0, 1), trainings=trainings)
    assert report.flat_words == "k = 5: fold 1 (seed 0, 1)"


def test_the_folder_on_somebodys_disk_is_not_shown() -> None:
    assert "root" not in report_of(ROWS).shown_settings


def test_settings_of_networks_are_shown_where_there_are_networks() -> None:
    report = report_of(ROWS)
    assert {"profile", "max_iter", "folds"} <= set(report.shown_settings)
    rivals = replace(report, settings=replace(report.settings, patch_counts=(), rivals=("hog",)))
    assert {"profile", "max_iter", "folds"} & set(rivals.shown_settings) == {"folds"}


def test_chance_is_that_of_the_faces_tested_so_far(tmp_path: Path) -> None:
    """Not of other folds' faces, nor of neutral ones that only serve as references."""
    write_run(tmp_path / "run", k=(), rivals=("pixels",))
    results = read_results(tmp_path / "run")
    first = results.jobs[0]
    three = replace(first, predictions={m: rows[:3] for m, rows in first.predictions.items()})
    assert make_report(results).chance == 1 / 6
    assert make_report(replace(results, jobs=[three])).chance == 1 / 3


def test_a_gain_over_one_person_has_no_interval(tmp_path: Path) -> None:
    write_run(tmp_path / "run", k=(), rivals=("pixels",), reference="person")
    results = read_results(tmp_path / "run")
    for jobs, intervals in ((results.jobs[:1], 0), (results.jobs, 2)):
        rows = make_report(replace(results, jobs=jobs)).references
        assert [row.referenced.method.name for row in rows] == ["linear_person", "rbf_person"]
        assert sum(row.interval is not None for row in rows) == intervals


@pytest.mark.parametrize("subject", ["B", "C", "unknown"])
def test_a_person_who_does_not_test_is_a_leak(subject: str) -> None:
    with pytest.raises(InputError, match=f"leak: a.png of subject {subject}"):
        check_leaks(FOLDS, [Prediction(1, "a.png", subject, "x", "x")])
