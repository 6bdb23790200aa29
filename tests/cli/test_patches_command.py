"""`i2cnn patches`: databases, pictures of schemes, and what is said when something is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.faces.table import Face, write_faces_csv
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import (
    database_contents,
    database_size,
    record_size,
)
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.patches.preview import draw_preview
from i2cnn.patches.schemes import DEEPID, get_scheme
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.util.images import read_image, write_image
from tests.helpers.databases import database_digest, options_of, records
from tests.helpers.faces import some_faces
from tests.helpers.schemes import OWN_SCHEME

ORDER = ["neutral", "anger", "disgust", "fear", "happy", "sadness", "surprise"]
Output = pytest.CaptureFixture[str]


def several() -> list[Face]:
    """Twenty faces of several people and labels."""
    return some_faces(420)[::20][:20]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return shutil.copy(embedded_root() / "S03.HA1.010.png", tmp_path / "photo.png")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Twenty faces and their faces.csv."""
    chosen = several()
    for face in chosen:
        shutil.copy(embedded_root() / face.image, tmp_path)
    write_faces_csv(tmp_path / "faces.csv", chosen)
    return tmp_path / "faces.csv"


def test_pictures_in_another_folder_are_told(tmp_path: Path, capsys: Output) -> None:
    write_faces_csv(tmp_path / "faces.csv", several())
    assert main(["patches", str(tmp_path / "faces.csv"), f"--out={tmp_path / 'lmdb'}"]) == 1
    reason = f"none of its pictures is in {tmp_path}, the first is S01.AN1.001.png; give their"
    assert f"faces.csv: {reason} folder with --root" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("--task=six", "label 'neutral' is outside the task 'six'"),
        ("--subjects=S01,nobody,", "no face of subject nobody"),
        ("--subjects=,", "no face of subject ,"),
    ],
)
def test_faces_that_were_not_meant_are_told(
    option: str, reason: str, faces: Path, tmp_path: Path, capsys: Output
) -> None:
    assert main(["patches", str(faces), f"--out={tmp_path / 'lmdb'}", option]) == 1
    assert f"{faces}: {reason}" in capsys.readouterr().err


@pytest.mark.parametrize("scheme", ["deepid", "tight", "own"])
def test_any_scheme_is_drawn_on_any_photo(scheme: str, photo: Path, tmp_path: Path) -> None:
    if scheme == "own":
        scheme = str(tmp_path / "own.toml")
        Path(scheme).write_text(OWN_SCHEME)
    out = tmp_path / "new" / "preview.png"
    assert main(["patches", str(photo), f"--preview={out}", f"--scheme={scheme}"]) == 0
    # dlib finds about the landmarks that the set was drawn with; the picture is of those.
    given = next(f for f in some_faces(420) if f.image == "S03.HA1.010.png")
    expected = draw_preview(read_image(photo), given.points, get_scheme(scheme))
    drawn = read_image(out)
    assert drawn.shape[0] == pytest.approx(expected.shape[0], abs=30)
    rows = min(len(drawn), len(expected))
    tiles = (slice(30, rows), slice(-450, None))
    assert np.abs(drawn[tiles].astype(int) - expected[tiles]).mean() < 25
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["new"]


def test_the_preview_of_a_csv_is_its_first_face(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.png"
    assert main(["patches", str(faces), f"--preview={out}"]) == 0
    first = several()[0]
    expected = draw_preview(read_image(tmp_path / first.image), first.points, DEEPID)
    np.testing.assert_allclose(read_image(out), expected, atol=40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give --out LMDB, --preview PNG or both"),
        (["--out=db"], "photo.png: --out needs a faces.csv, which `i2cnn faces` writes"),
        (["--preview=p.png", "--scheme=wide"], "choose one of deepid, tight or a"),
        (
            ["--preview=p.xyz"],
            "format of its ending; end its name in .png",
        ),
    ],
)
def test_what_cannot_be_done_with_a_photograph(
    options: list[str], message: str, photo: Path, tmp_path: Path, capsys: Output, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["patches", "photo.png", *options]) == 1
    assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["photo.png"]


def test_a_photograph_without_a_face(tmp_path: Path, capsys: Output) -> None:
    write_image(tmp_path / "wall.png", np.full((200, 200), 120, np.uint8))
    assert main(["patches", str(tmp_path / "wall.png"), f"--preview={tmp_path / 'p.png'}"]) == 1
    assert "wall.png: no face was found; take a picture of a face" in capsys.readouterr().err
    assert not (tmp_path / "p.png").exists()


@pytest.fixture
def bad(faces: Path) -> str:
    """Name of the one picture among those of `faces` that is none."""
    name = several()[7].image
    (faces.parent / name).write_bytes(b"not a picture")
    return name


@pytest.fixture
def command(faces: Path, tmp_path: Path) -> list[str]:
    """Writes five patches of each face into `out/db`, and their mean."""
    outputs = [f"--out={tmp_path / 'out' / 'db'}", f"--mean={tmp_path / 'mean'}"]
    return ["patches", str(faces), *outputs, "--k=5"]


def test_one_bad_image_stops_everything(
    command: list[str], bad: str, tmp_path: Path, capsys: Output
) -> None:
    assert main(command) == 1
    assert f"{bad}: not a picture that can be read; convert it to PNG" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []
    assert not (tmp_path / "mean").exists()


def test_skip_bad_says_what_it_left_out(
    command: list[str], bad: str, tmp_path: Path, capsys: Output
) -> None:
    assert main([*command, "--skip-bad"]) == 3
    printed = capsys.readouterr()
    assert f"{bad}: not a picture" in printed.err
    assert "1 of 20 faces were left out" in printed.err
    assert f"{tmp_path / 'out' / 'db'}: 95 patches of 19 faces" in printed.out


def test_skip_bad_writes_the_other_faces(command: list[str], bad: str, tmp_path: Path) -> None:
    main([*command, "--skip-bad"])
    out = tmp_path / "out" / "db"
    assert database_size(out) == 95
    assert not any(Path(bad).stem.encode() in key for key, _ in records(out))
    assert read_mean(tmp_path / "mean").shape == (3, 256, 256)


def test_skip_bad_without_a_bad_image_ends_well(command: list[str]) -> None:
    assert main([*command, "--skip-bad"]) == 0


def test_a_mean_is_not_overwritten(command: list[str], tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "mean").write_bytes(b"of another database")
    assert main(command) == 1
    assert "mean: already exists, and a net may have been" in capsys.readouterr().err
    assert (tmp_path / "mean").read_bytes() == b"of another database"


def test_an_own_scheme_is_written_whole(faces: Path, tmp_path: Path) -> None:
    scheme = tmp_path / "own.toml"
    scheme.write_text(OWN_SCHEME)
    out = tmp_path / "db"
    options = [f"--out={out}", f"--scheme={scheme}", "--seed=4", "--subjects=S01,S02"]
    assert main(["patches", str(faces), *options]) == 0
    # Only faces of these subjects, but the class numbers of all labels.
    chosen = [f for f in several() if f.subject in ("S01", "S02")]
    labels = sorted({f.label for f in several()}, key=ORDER.index)
    write_database(
        chosen,
        [labels.index(f.label) for f in chosen],
        embedded_root(),
        tmp_path / "twin",
        options_of(scheme=get_scheme(scheme), seed=4),
    )
    assert database_digest(out) == database_digest(tmp_path / "twin")


def test_jittered_copies_are_counted_and_noted(
    command: list[str], tmp_path: Path, capsys: Output
) -> None:
    assert main([*command, "--jitter=2", "--seed=3"]) == 0
    assert "300 patches of 20 faces" in capsys.readouterr().out
    contents = database_contents(tmp_path / "out" / "db")
    assert contents is not None
    assert contents.jitter == Jitter(2, 3)


@pytest.mark.parametrize("number", ["-1", "101", "1.5", "some"])
def test_numbers_of_jittered_copies_are_checked(
    number: str, command: list[str], tmp_path: Path, capsys: Output
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command, f"--jitter={number}"])
    assert stopped.value.code == 2
    assert f"'{number}' is not a number from 0 to 100" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_size_of_the_patches_can_be_chosen(command: list[str], tmp_path: Path) -> None:
    assert main([*command, "--size=64"]) == 0
    assert record_size(tmp_path / "out" / "db") == (64, 64)


@pytest.mark.parametrize("number", ["0", "15", "1025", "64.0", "big"])
def test_sizes_are_checked(number: str, command: list[str], tmp_path: Path, capsys: Output) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*command, f"--size={number}"])
    assert stopped.value.code == 2
    assert f"'{number}' is not a number from 16 to 1024" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
