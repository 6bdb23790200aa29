"""The two files that hold the jobs of a published run: nothing edited goes unnoticed."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.report.collection import write_collection
from i2cnn.report.results import Results, read_results
from i2cnn.util.errors import InputError
from tests.helpers.runs import write_run


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Results of a run directory."""
    run = tmp_path_factory.mktemp("collection") / "run"
    write_run(run, seeds=2)
    return read_results(run)


@pytest.fixture
def copy(results: Results, tmp_path: Path) -> Path:
    """A collection to damage, with the files that it belongs to."""
    for name in ("run.json", "dataset.json", "faces.csv", "folds.json"):
        shutil.copy(results.run / name, tmp_path)
    write_collection(results.run, tmp_path, results.jobs)
    return tmp_path


def test_jobs_and_predictions_are_read_back(results: Results, copy: Path) -> None:
    assert read_results(copy).jobs == results.jobs


def test_a_face_has_one_row(copy: Path) -> None:
    with open(copy / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    assert "k1_seed1/untrained" in rows[0]


def test_a_job_has_one_line(results: Results, copy: Path) -> None:
    assert len((copy / "jobs.json").read_text().splitlines()) == len(results.jobs) + 2


def test_windows_in_jobs_of_earlier_versions_are_left_out(results: Results, tmp_path: Path) -> None:
    run = shutil.copytree(results.run, tmp_path / "run")
    path = run / "fold_01" / "rival_boosted-lbp" / "job.json"
    content = json.loads(path.read_text())
    content["methods"]["rbf"]["windows"] = [[0, 0, 15, 15]]
    path.write_text(json.dumps(content))
    write_collection(run, tmp_path, read_results(run).jobs)
    assert "windows" not in (tmp_path / "jobs.json").read_text()


def _edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))


def test_an_edited_prediction_is_refused(copy: Path) -> None:
    _edit(copy / "predictions.csv", lambda text: text.replace("fear", "happy", 2))
    with pytest.raises(InputError, match=r"predictions.csv: column .* was edited or removed"):
        read_results(copy)


def test_a_removed_column_is_refused(copy: Path) -> None:
    _edit(copy / "predictions.csv", lambda text: text.replace("rival_pixels/rbf", "another", 1))
    with pytest.raises(InputError, match="column rival_pixels/rbf was edited or removed"):
        read_results(copy)


def test_a_table_without_faces_is_refused(copy: Path) -> None:
    _edit(copy / "predictions.csv", lambda text: text.replace("subject", "who", 1))
    with pytest.raises(InputError, match="lacks one of the columns fold, image, subject, truth"):
        read_results(copy)


@pytest.mark.parametrize("content", ["[]", "{}", "{"])
def test_damaged_jobs_are_refused(copy: Path, content: str) -> None:
    (copy / "jobs.json").write_text(content)
    with pytest.raises(InputError, match=r"jobs.json: (damaged|not valid JSON|no finished job)"):
        read_results(copy)


def test_jobs_of_other_faces_are_refused(copy: Path) -> None:
    _edit(copy / "faces.csv", lambda text: text.replace("40.0", "41.0", 1))
    with pytest.raises(InputError, match="made from other faces"):
        read_results(copy)


def test_a_table_that_is_no_text_is_refused(copy: Path) -> None:
    (copy / "predictions.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"predictions\.csv: cannot be read"):
        read_results(copy)


def test_jobs_of_one_fold_must_have_tested_the_same_faces(results: Results, tmp_path: Path) -> None:
    first, *others = results.jobs
    fewer = replace(first, predictions={m: rows[1:] for m, rows in first.predictions.items()})
    with pytest.raises(InputError, match="tested other faces than other jobs of its fold"):
        write_collection(results.run, tmp_path, [fewer, *others])
