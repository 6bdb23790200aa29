"""The steps one by one: `faces`, `patches`, `train`, `features`, `svm`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.predictions import read_predictions
from tests.helpers.small_runs import small_set

Output = pytest.CaptureFixture[str]
SVM = ["svm", "f.npy", "--folds=4"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all steps up to the features were done on 28 faces of four people."""
    folder = tmp_path_factory.mktemp("steps")
    data = small_set(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        faces = ["faces.csv", "--root", str(data)]
        options = [*faces, "--task=seven", "--k=5", "--size=64"]
        train = [*options, "--out=train_db", "--subjects=S01, S02", "--mean=mean.binaryproto"]
        databases = ["--train=train_db", "--validation=val_db", "--mean=mean.binaryproto"]
        schedule = ["--profile=quick", "--max-iter=2", "--batch-size=4", "--device=cpu"]
        for words in (
            ["faces", str(data), "--sheet", "sheet.png"],
            ["patches", *train],
            ["patches", *options, "--out=val_db", "--subjects=S03"],
            ["train", *databases, "--classes=7", "--out=net", *schedule],
            ["features", *faces, "--net=net", "--out=f.npy", "--k=5", "--device=cpu"],
        ):
            assert main(words) == 0, words
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with the faces and their features."""
    for name in ("faces.csv", "f.npy", "f.npy.progress.json"):
        shutil.copy(finished / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_features_have_a_row_per_face_and_patch(folder: Path) -> None:
    assert np.load("f.npy").shape == (28, 5, 32 * 7 * 7)


def test_svm_predicts_every_face(folder: Path, capsys: Output) -> None:
    assert main([*SVM, "--faces=faces.csv", "--out=p.csv"]) == 0
    assert len(read_predictions(Path("p.csv"))) == 28
    assert "accuracy" in capsys.readouterr().out


def test_features_of_other_faces_are_refused(folder: Path, capsys: Output) -> None:
    lines = Path("faces.csv").read_text().splitlines()
    Path("turned.csv").write_text("\n".join([lines[0], *reversed(lines[1:])]) + "\n")
    assert main([*SVM, "--faces=turned.csv", "--out=q.csv"]) == 1
    assert "its 28 faces are not the 28 given" in capsys.readouterr().err
    assert not Path("q.csv").exists()


def test_unfinished_features_are_refused(folder: Path, capsys: Output) -> None:
    state = Path("f.npy.progress.json")
    state.write_text(json.dumps(json.loads(state.read_text()) | {"done": 16}))
    assert main([*SVM, "--faces=faces.csv", "--out=q.csv"]) == 1
    assert "holds 16 of 28 faces; repeat `i2cnn features`" in capsys.readouterr().err
    assert not Path("q.csv").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e38])
def test_features_that_are_no_numbers_name_the_row(
    value: float, folder: Path, capsys: Output
) -> None:
    features = np.load("f.npy")
    features[[7, 9], 2, 100] = value
    features[9, 0] = value
    np.save("f.npy", features)
    assert main([*SVM, "--faces=faces.csv", "--out=q.csv"]) == 1
    error = capsys.readouterr().err
    assert "f.npy: the features of 2 of 28 faces are not finite numbers" in error
    assert "the first is in row 7" in error
    assert not Path("q.csv").exists()


@pytest.mark.parametrize("kind", ["U1", "c8", "i4"])
def test_features_of_another_type_are_refused(kind: str, folder: Path, capsys: Output) -> None:
    np.save("f.npy", np.zeros((28, 5, 4), kind))
    assert main([*SVM, "--faces=faces.csv", "--out=q.csv"]) == 1
    assert "f.npy: features are numbers (faces, patches, dim)" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[]", "{}", '{"done": "x"}'])
def test_a_damaged_progress_file_is_named(content: str, folder: Path, capsys: Output) -> None:
    Path("f.npy.progress.json").write_text(content)
    assert main([*SVM, "--faces=faces.csv", "--out=q.csv"]) == 1
    assert "f.npy.progress.json: damaged; delete it and f.npy" in capsys.readouterr().err
