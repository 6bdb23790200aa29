"""Runs that do without some pictures of their data set."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.pictures import check_pictures, run_faces
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.locate import NOTHING, locate_faces
from i2cnn.faces.table import read_faces_csv, write_faces_csv
from i2cnn.util.errors import InputError
from i2cnn.util.files import write_json
from i2cnn.util.images import read_image, write_image
from tests.helpers.faces import some_dataset

Output = pytest.CaptureFixture[str]
BAD, BLANK = "happy/S02_2.png", "sad/S03_1.png"


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """A run of one rival on four people: one picture is no picture, one shows no face."""
    for person in ("S01", "S02", "S03", "S04"):
        for code, label in (("HA", "happy"), ("SA", "sad")):
            for take in "12":
                path = next(embedded_root().glob(f"{person}.{code}{take}.*.png"))
                target = tmp_path / "set" / label / f"{person}_{take}.png"
                target.parent.mkdir(parents=True, exist_ok=True)
                write_image(target, read_image(path))
    (tmp_path / "set" / BAD).write_text("no picture")
    write_image(tmp_path / "set" / BLANK, np.full((150, 150), 128, np.uint8))
    options = ["--k=none", "--rivals=pixels", "--folds=4", "--only-folds=1", "--device=cpu"]
    data = ["--dataset=folder", str(tmp_path / "set"), f"--out={tmp_path / 'run'}"]
    return ["evaluate", *data, *options]


def test_skip_bad_goes_on_where_a_picture_stopped_the_run(
    command: list[str], tmp_path: Path, capsys: Output
) -> None:
    run = tmp_path / "run"
    assert main(command) == 1
    assert "S02_2.png: not a picture" in (error := capsys.readouterr().err)
    assert "--skip-bad" in error
    assert (run / "faces.csv.partial").exists()
    assert main([*command, "--skip-bad"]) == 3
    printed = capsys.readouterr()
    assert "S02_2.png: not a picture" in printed.err
    assert "1 of 16 pictures were left out" in printed.err
    assert f"WARNING: no face was found in 1 of 15 pictures ({BLANK})" in printed.err
    assert not (run / "faces.csv.partial").exists()
    account = json.loads((run / "dataset.json").read_text())
    assert account["found"]["images"] == len(read_faces_csv(run / "faces.csv")) == 15
    assert account["left_out"]["that cannot be used"] == [BAD]
    page = (run / "report" / "report.html").read_text()
    assert "In 1 of these pictures no face was found" in page
    assert f"left out: 1 that cannot be used: {BAD}<" in page
    # The run was begun without it: it continues so, whatever is asked for.
    assert main(command) == 3
    assert "The run does without 1 picture: " in capsys.readouterr().err


def test_guessed_faces_are_dropped(command: list[str], tmp_path: Path, capsys: Output) -> None:
    assert main([*command, "--skip-bad", "--drop-guessed"]) == 3
    assert f"left out: {BLANK}: no face was found" in capsys.readouterr().err
    faces = read_faces_csv(tmp_path / "run" / "faces.csv")
    assert len(faces) == 14
    assert "prior" not in {face.found for face in faces}


def test_guessed_faces_that_a_run_has_are_not_dropped_later(
    command: list[str], tmp_path: Path, capsys: Output
) -> None:
    assert main([*command, "--skip-bad"]) == 3
    assert main([*command, "--skip-bad", "--drop-guessed"]) == 1
    error = capsys.readouterr().err
    assert "already has 1 guessed faces; start a new run directory for --drop-guessed" in error


def test_a_table_of_ones_own_needs_no_search(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Landmarks that a user has put there are taken as they are."""
    assert main([*command, "--skip-bad", "--drop-guessed"]) == 3
    faces = read_faces_csv(tmp_path / "run" / "faces.csv")
    write_faces_csv(tmp_path / "other" / "faces.csv", faces)
    monkeypatch.setattr("i2cnn.faces.detector.find_landmark_model", lambda: None)
    words = [w.replace(f"{tmp_path / 'run'}", f"{tmp_path / 'other'}") for w in command]
    assert main(words) == 3
    account = json.loads((tmp_path / "other" / "dataset.json").read_text())
    assert account["faces_found"] == {"dlib": 14}
    # What has no line in it is not passed over in silence.
    assert account["left_out"] == {"that have no line in faces.csv": [BAD, BLANK]}
    assert account["found"]["images"] == 14


def test_a_picture_that_was_left_out_and_comes_back_needs_a_new_run(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    first = dataset.samples[0].image
    write_json(tmp_path / "dataset.json", {"faces_left_out": [first]})
    check_pictures(tmp_path, dataset, (faces := locate_faces(dataset).faces)[1:])
    with pytest.raises(InputError, match=f"{first}: was not there when .* start a new run"):
        check_pictures(tmp_path, dataset, faces)


def test_a_picture_that_came_later_is_not_one_without_a_line(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    *samples, later = dataset.samples
    dataset.samples = samples
    write_json(tmp_path / "dataset.json", dataset.to_json())
    write_faces_csv(tmp_path / "faces.csv", locate_faces(dataset).faces[1:])
    for _ in range(2):
        faces = run_faces(tmp_path, dataset, cast(Settings, None), NOTHING)
        check_pictures(tmp_path, dataset, faces)
    dataset.samples.append(later)
    faces = run_faces(tmp_path, dataset, cast(Settings, None), NOTHING)
    with pytest.raises(InputError, match=f"{later.image}: was not there when .* start a new run"):
        check_pictures(tmp_path, dataset, faces)
    dataset.samples[-1] = replace(later, image="gone.png")
    with pytest.raises(InputError, match=r"gone.png: cannot be read .*; put it back as it was, or"):
        check_pictures(tmp_path, dataset, faces)


def test_a_label_that_the_run_does_not_have_is_found_in_its_table(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    write_json(tmp_path / "dataset.json", dataset.to_json())
    faces = locate_faces(dataset).faces
    write_faces_csv(tmp_path / "faces.csv", [replace(faces[0], label="joy"), *faces[1:]])
    with pytest.raises(InputError, match=f"faces.csv: {faces[0].image}: label 'joy' is outside"):
        run_faces(tmp_path, dataset, cast(Settings, None), NOTHING)
