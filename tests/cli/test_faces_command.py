"""`i2cnn faces`: what it leaves out, what it guesses, how it continues."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.faces.finder import FaceFinder
from i2cnn.faces.table import read_faces_csv
from i2cnn.util.images import write_image
from tests.helpers.trees import photos

Output = pytest.CaptureFixture[str]


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """Command line of a folder of six pictures, one of which shows no face."""
    names = [f"{label}/{who}_1.png" for label in ("joy", "calm") for who in "abc"]
    root = photos(tmp_path / "set", *names)
    write_image(root / "calm/c_1.png", np.full((150, 150), 128, np.uint8))
    return ["faces", "--dataset=folder", str(root), f"--out={tmp_path / 'faces.csv'}"]


@pytest.fixture
def bad(words: list[str], tmp_path: Path) -> Path:
    """A picture of it that cannot be read."""
    path = tmp_path / "set/joy/b_1.png"
    path.write_text("no picture")
    return path


def test_a_bad_picture_stops_the_command_and_names_the_way_on(
    words: list[str], bad: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(words) == 1
    assert f"{bad}: not a picture" in (error := capsys.readouterr().err)
    assert "or leave it out with --skip-bad" in error
    assert not (tmp_path / "faces.csv").exists()


def test_skip_bad_lists_what_it_leaves_out(
    words: list[str], bad: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main([*words, "--skip-bad"]) == 3
    error = capsys.readouterr().err
    assert f"left out: {bad}: not a picture" in error
    assert "1 of 6 pictures were left out" in error
    assert len(read_faces_csv(tmp_path / "faces.csv")) == 5
    assert {p.name for p in tmp_path.iterdir()} == {"set", "faces.csv"}


def test_guessed_faces_are_said_loudly(words: list[str], capsys: Output) -> None:
    assert main(words) == 0
    error = capsys.readouterr().err
    assert "WARNING: no face was found in 1 of 6 pictures (calm/c_1.png)" in error
    assert "GUESSED" in error
    table, root = words[-1].removeprefix("--out="), words[2]
    review = f"i2cnn faces --review {table} --root {root}"
    assert f"correct them ({review}), or repeat with --drop-guessed" in error


def test_a_review_needs_the_folder_of_the_pictures(
    words: list[str], tmp_path: Path, capsys: Output
) -> None:
    main(words)
    capsys.readouterr()
    review = ["faces", f"--review={tmp_path / 'faces.csv'}"]
    assert main([*review, "--port=0"]) == 1
    assert "faces.csv: none of its pictures is in" in capsys.readouterr().err
    assert main([*review, words[2]]) == 1
    assert f"{words[2]}: --review takes the folder of the pictures with --root" in (
        capsys.readouterr().err
    )


def test_guessed_faces_are_dropped_on_demand(
    words: list[str], tmp_path: Path, capsys: Output
) -> None:
    assert main([*words, "--drop-guessed"]) == 3
    error = capsys.readouterr().err
    assert "left out: calm/c_1.png: no face was found" in error
    assert "GUESSED" not in error
    assert "prior" not in (tmp_path / "faces.csv").read_text()


def test_patches_of_guessed_faces_are_said_loudly(
    words: list[str], tmp_path: Path, capsys: Output
) -> None:
    main(words)
    capsys.readouterr()
    faces = [str(tmp_path / "faces.csv"), f"--root={tmp_path / 'set'}"]
    assert main(["patches", *faces, f"--out={tmp_path / 'db'}", "--k=1"]) == 0
    error = capsys.readouterr().err
    assert "GUESSED" in error
    assert "`i2cnn faces --drop-guessed` leaves them out" in error


def test_an_interrupted_search_says_that_it_continues(
    words: list[str], tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        found = FaceFinder.find_one
        asked: list[int] = []

        def interrupted(self: FaceFinder, image: np.ndarray):  # type: ignore[no-untyped-def]
            asked.append(1)
            if len(asked) == 2:
                raise KeyboardInterrupt
            return found(self, image)

        patch.setattr(FaceFinder, "find_one", interrupted)
        assert main(words) == 130
    assert "the same command continues from here" in capsys.readouterr().err
    assert (tmp_path / "faces.csv.partial").exists()
    assert main(words) == 0
    assert not (tmp_path / "faces.csv.partial").exists()
