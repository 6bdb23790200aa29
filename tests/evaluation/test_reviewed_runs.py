"""Runs whose faces a person reviews before there are results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.evaluation.inputs import FOLDS_FILE, prepare
from i2cnn.evaluation.run import reviewed_run
from i2cnn.evaluation.settings import read_settings
from i2cnn.faces.table import read_all_rows, read_faces_csv, write_faces_csv
from i2cnn.util.errors import InputError
from tests.helpers.small_runs import copy_of, settings_of, small_set

Output = pytest.CaptureFixture[str]


def command(data: Path, folder: Path) -> list[str]:
    """A run of one rival on four people."""
    rival = ["--k=none", "--rivals=pixels", "--folds=4", "--only-folds=1", "--device=cpu"]
    return ["evaluate", str(data), f"--out={folder / 'run'}", "--profile=quick", *rival]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose faces are located, and whose jobs were begun at most, beside its set."""
    folder = tmp_path_factory.mktemp("reviewed")
    words = command(small_set(folder / "set"), folder)
    prepare(folder / "run", settings_of(words))
    begun = folder / "run" / "fold_01" / "rival_pixels"
    begun.mkdir(parents=True)
    (begun / "inputs.json").write_text('{"inputs": "of the old faces"}')
    return folder


@pytest.fixture
def words(pristine: Path, tmp_path: Path) -> list[str]:
    """The command of a copy of that run."""
    copy_of(pristine / "run", tmp_path / "run")
    return command(pristine / "set", tmp_path)


def test_evaluate_picks_up_what_a_person_corrected(
    words: list[str], tmp_path: Path, capsys: Output
) -> None:
    run = tmp_path / "run"
    with reviewed_run(run) as (table, root):
        assert root == Path(str(read_settings(run / "run.json").path))
        faces = read_all_rows(table)
        faces[0] = replace(faces[0], found="left-out")
        faces[1] = replace(faces[1], found="no-face")
        faces[2] = replace(faces[2], points=faces[2].points + 1, found="manual")
        write_faces_csv(table, faces)
    assert not (run / FOLDS_FILE).exists()
    assert main(words) == 3
    assert "The run does without 2 pictures" in capsys.readouterr().err
    assert len(read_faces_csv(run / "faces.csv")) == len(faces) - 2
    account = json.loads((run / "dataset.json").read_text())
    assert account["left_out"] == {
        "by a person's decision": [faces[0].image],
        "without a face, as a person saw": [faces[1].image],
    }
    assert account["found"]["images"] == len(faces) - 2
    assert account["faces_found"]["manual"] == 1
    page = (run / "report" / "report.html").read_text()
    assert f"left out: 1 by a person&#39;s decision: {faces[0].image}<" in page
    with pytest.raises(InputError, match="already has results of these faces"), reviewed_run(run):
        pass


def test_what_is_taken_in_again_is_no_longer_left_out(words: list[str], tmp_path: Path) -> None:
    run = tmp_path / "run"
    account = (run / "dataset.json").read_text()
    for found in ("left-out", "given"):
        with reviewed_run(run) as (table, _):
            faces = read_all_rows(table)
            write_faces_csv(table, [replace(faces[0], found=found), *faces[1:]])
        prepare(run, settings_of(words))
        names = json.loads((run / "dataset.json").read_text())["faces_left_out"]
        assert names == ([faces[0].image] if found == "left-out" else [])
    assert json.loads((run / "dataset.json").read_text()) == json.loads(account)


def test_a_review_that_changes_nothing_keeps_what_was_begun(
    words: list[str], tmp_path: Path
) -> None:
    with reviewed_run(tmp_path / "run"):
        pass
    assert (tmp_path / "run" / "fold_01" / "rival_pixels").exists()
    assert (tmp_path / "run" / FOLDS_FILE).exists()


def test_nobody_evaluates_a_run_meanwhile(words: list[str], tmp_path: Path, capsys: Output) -> None:
    with reviewed_run(tmp_path / "run"):
        assert main(words) == 1
    assert "another command is working on this run" in capsys.readouterr().err


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError), reviewed_run(tmp_path):
        pass
