"""A whole evaluation on a small set: its files, its numbers, its report again."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.folds import read_folds
from i2cnn.evaluation.predictions import read_predictions, write_predictions
from i2cnn.report.make_report import check_leaks
from i2cnn.report.page import write_report
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.check_report import check
from tests.helpers.small_runs import JOB, arguments, copy_of, data_of
from tests.helpers.trees import jaffe_tree


def test_a_method_has_a_number_for_every_prediction(run: Path) -> None:
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    folds = read_folds(run / "folds.json")
    assert [m["method"] for m in metrics["methods"]] == [
        "I2CNN-5",
        "I2CNN-5, softmax vote",
        "untrained net, k = 5",
    ]
    for method in metrics["methods"]:
        rows = read_predictions(run / JOB / f"predictions_{method['group']}.csv")
        assert {r.subject for r in rows} == set(folds.folds[0].test)
        assert len(rows) == method["faces"] == 7
    assert metrics["chance"] == pytest.approx(1 / 7)
    assert metrics["leak_audit"]["predictions_checked"] == 21


def test_the_independent_check_agrees_with_a_run(run: Path) -> None:
    assert check(run) == []


def test_the_independent_check_finds_an_edited_prediction(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    path = copy / JOB / "predictions_trained.csv"
    rows = read_predictions(path)
    other = "fear" if rows[0].predicted != "fear" else "happy"
    write_predictions(path, [replace(rows[0], predicted=other), *rows[1:]])
    assert any("k5_trained: confusion" in fault for fault in check(copy))


def test_the_independent_check_finds_a_tested_person_of_another_side(
    run: Path, tmp_path: Path
) -> None:
    copy = copy_of(run, tmp_path / "copy")
    path = copy / JOB / "predictions_trained.csv"
    rows = read_predictions(path)
    stranger = read_folds(run / "folds.json").folds[0].training[0]
    write_predictions(path, [replace(rows[0], subject=stranger), *rows[1:]])
    assert any(fault.startswith("leak") for fault in check(copy))


def test_a_run_has_these_files(run: Path) -> None:
    assert {p.name for p in run.iterdir()} == {
        ".lock",
        "run.json",
        "dataset.json",
        "faces.csv",
        "faces.png",
        "folds.json",
        "pictures.json",
        "fold_01",
        "recogniser",
        "report",
    }


def test_a_finished_job_keeps_its_net_and_no_large_files(run: Path) -> None:
    job = {p.name for p in (run / JOB).iterdir()}
    assert "net.caffemodel" in job
    assert not job & {"train_lmdb", "validation_lmdb", "snapshots", "features_trained.npy"}


def test_the_report_is_one_page_that_loads_nothing(run: Path) -> None:
    html = (run / "report" / "report.html").read_text()
    assert "data:image/png;base64" in html
    assert "http" not in html.replace("http://www.w3.org", "")


def test_pictures_of_the_report_can_be_read(run: Path) -> None:
    pictures = list((run / "report").glob("*.png"))
    assert pictures
    assert all(read_image(picture).shape[0] > 100 for picture in pictures)


def test_a_second_call_does_nothing_again(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    before = {p: p.stat().st_mtime_ns for p in (copy / JOB).iterdir()}
    assert main(arguments(data_of(run), copy)) == 0
    assert {p: p.stat().st_mtime_ns for p in (copy / JOB).iterdir()} == before


def test_a_copied_run_still_reports(run: Path, tmp_path: Path) -> None:
    copy = copy_of(run, tmp_path / "elsewhere")
    assert main(["report", str(copy)]) == 0


def test_a_leak_is_found(run: Path) -> None:
    folds = read_folds(run / "folds.json")
    rows = read_predictions(run / JOB / "predictions_trained.csv")
    check_leaks(folds, rows)
    stranger = folds.folds[0].training[0]
    with pytest.raises(InputError, match=f"leak.*{stranger}"):
        check_leaks(folds, [replace(rows[0], subject=stranger)])


def test_a_run_without_a_finished_fold_has_no_report(tmp_path: Path, run: Path) -> None:
    copy = copy_of(run, tmp_path / "copy")
    shutil.rmtree(copy / "fold_01")
    with pytest.raises(InputError, match="no finished fold yet"):
        write_report(copy)


@pytest.fixture(scope="module")
def jaffe_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on a set in JAFFE's layout, whose landmarks are detected."""
    base = tmp_path_factory.mktemp("jaffe")
    data = jaffe_tree(base / "jaffe", subjects=("KA", "KL", "KM"))
    for path in data.glob("*[23].*.tiff"):  # one take is enough
        path.unlink()
    command = [*arguments(data, base / "run", k="1", iterations=2), "--dataset=jaffe"]
    command = ["--folds=3" if word == "--folds=4" else word for word in command]
    assert main(command) == 0
    return base / "run"


def test_landmarks_of_a_jaffe_run_are_detected(jaffe_run: Path) -> None:
    metrics = json.loads((jaffe_run / "report" / "metrics.json").read_text())
    assert metrics["dataset"]["faces_found"]["dlib"] >= 15


def test_a_jaffe_run_stands_beside_the_paper(jaffe_run: Path) -> None:
    metrics = json.loads((jaffe_run / "report" / "metrics.json").read_text())
    assert [p["accuracy"] for p in metrics["paper"][:3]] == [75.2806, 70.9825, 62.8602]
    assert "75.2806" in (jaffe_run / "report" / "report.html").read_text()


def test_a_report_says_that_the_profile_is_a_demonstration(jaffe_run: Path) -> None:
    assert "a demonstration for CPUs" in (jaffe_run / "report" / "report.html").read_text()
