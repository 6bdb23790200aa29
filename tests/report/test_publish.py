"""Published runs: few files, the same numbers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.predictions import Prediction
from i2cnn.evaluation.rival_job import WINDOWS_FILE
from i2cnn.report.confused import ConfusedFace
from i2cnn.report.make_report import make_report
from i2cnn.report.metrics_file import to_json
from i2cnn.report.page import data_uri
from i2cnn.report.pictures import Picture, draw_pictures
from i2cnn.report.publish import publish
from i2cnn.report.results import read_results
from i2cnn.report.run_report import RunReport
from i2cnn.util.errors import InputError
from tests.check_report import check
from tests.helpers.runs import write_run
from tests.helpers.schemes import OWN_SCHEME


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory of two seeds, with a scheme of somebody's own."""
    folder = tmp_path_factory.mktemp("publish") / "run"
    root = folder.parent / "somebodys" / "disk"
    root.mkdir(parents=True)
    (root / "mine.toml").write_text(OWN_SCHEME)
    write_run(folder, seeds=2, root=root, scheme=str(root / "mine.toml"))
    np.savez(folder / "fold_02" / "rival_boosted-lbp" / WINDOWS_FILE, windows=[[5, 0, 15, 20]])
    return folder


@pytest.fixture(scope="module")
def published(run: Path) -> Path:
    """The same run, published."""
    publish(run, run.parent / "published")
    return run.parent / "published"


@pytest.fixture
def copy(published: Path, tmp_path: Path) -> Path:
    """A published run to damage."""
    return shutil.copytree(published, tmp_path / "copy")


def test_a_job_that_ends_meanwhile_is_in_no_file_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, late = tmp_path / "run", tmp_path / "late"
    write_run(run)
    (run / "fold_03" / "rival_pixels").rename(late)

    def draw_slowly(report: RunReport) -> dict[str, Picture]:
        late.rename(run / "fold_03" / "rival_pixels")
        return draw_pictures(report)

    monkeypatch.setattr("i2cnn.report.publish.draw_pictures", draw_slowly)
    publish(run, tmp_path / "published")
    jobs, metrics = (
        json.loads((tmp_path / "published" / name).read_text())
        for name in ("jobs.json", "report/metrics.json")
    )
    assert len(jobs) == metrics["jobs_done"] == 8


def test_it_has_few_files(published: Path) -> None:
    names = {str(p.relative_to(published)) for p in published.rglob("*") if p.is_file()}
    pictures = {name for name in names if name.endswith(".png")}
    assert names - pictures == {
        "run.json",
        "dataset.json",
        "faces.csv",
        "folds.json",
        "jobs.json",
        "predictions.csv",
        "windows.npz",
        "mine.toml",
        "report/report.html",
        "report/metrics.json",
    }


def test_its_numbers_are_the_runs(run: Path, published: Path) -> None:
    before, after = (to_json(make_report(read_results(r))) for r in (run, published))
    assert before == after


def test_its_predictions_are_the_runs(run: Path, published: Path) -> None:
    assert read_results(published).repetitions() == read_results(run).repetitions()


def test_the_independent_check_reads_it(published: Path) -> None:
    assert check(published) == []


def test_the_independent_check_finds_a_changed_number(copy: Path) -> None:
    path = copy / "report" / "metrics.json"
    content = json.loads(path.read_text())
    content["methods"][0]["mean"] += 0.01
    path.write_text(json.dumps(content))
    assert any(fault.startswith("k1_trained: mean") for fault in check(copy))


def test_it_can_be_reported_again(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(copy / "report")
    assert main(["report", str(copy)]) == 0
    assert str(copy / "report" / "report.html") in capsys.readouterr().out


def test_it_does_not_say_where_the_data_lay(published: Path) -> None:
    for path in published.rglob("*"):
        assert path.is_dir() or b"somebodys" not in path.read_bytes()


@pytest.mark.parametrize("own_pictures", [True, False])
def test_it_shows_no_faces_but_those_that_ship(
    own_pictures: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pictures").mkdir()
    write_run(tmp_path / "run", root=tmp_path / "pictures" if own_pictures else None)
    face = ConfusedFace(Prediction(1, "a.png", "A", "fear", "happy"), b"a face")
    monkeypatch.setattr("i2cnn.report.publish.confused_faces", lambda *_: [face])
    publish(tmp_path / "run", tmp_path / "published")
    shown = [
        data_uri(face.png) in (tmp_path / name / "report" / "report.html").read_text()
        for name in ("run", "published")
    ]
    assert shown == [True, not own_pictures]


def test_selected_windows_are_kept_by_fold(published: Path) -> None:
    with np.load(published / WINDOWS_FILE, allow_pickle=False) as windows:
        assert windows.files == ["fold_02"]
        assert windows["fold_02"].tolist() == [[5, 0, 15, 20]]


def test_jobs_that_are_not_finished_leave_their_cells_empty(run: Path, tmp_path: Path) -> None:
    part = shutil.copytree(run, tmp_path / "part")
    shutil.rmtree(part / "fold_03" / "k1_seed1")
    publish(part, tmp_path / "published")
    assert len(read_results(tmp_path / "published").jobs) == len(read_results(run).jobs) - 1
    assert check(tmp_path / "published") == []


def test_an_existing_folder_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="exists; choose a new folder"):
        publish(run, tmp_path)


def test_a_published_run_cannot_be_published_again(published: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is published already"):
        publish(published, tmp_path / "again")


def test_evaluation_does_not_go_on_with_it(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["evaluate", "--profile=quick", "--k=1", "--folds=3", f"--out={copy}", "--task=six"]
    assert main(command) == 1
    assert "is a published run" in capsys.readouterr().err


def test_the_command_publishes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run), "--publish", str(tmp_path / "out")]) == 0
    assert f"published: {tmp_path / 'out'}" in capsys.readouterr().out
    assert (tmp_path / "out" / "predictions.csv").is_file()
