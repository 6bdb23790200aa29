"""`i2cnn predict --json` and `--csv`: a line per face, as the answers come."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.cli.answers import Answer
from i2cnn.cli.main import main
from i2cnn.cli.pictures import Picture
from i2cnn.cli.records import entries
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image, write_image
from tests.helpers.programs import start

Output = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with two faces in one picture, a picture without a face, and one that is none."""
    folder = tmp_path / "photos"
    faces = [read_image(path) for path in sorted(embedded_root().glob("S0[37].HA1.*.png"))]
    write_image(folder / "a two.png", np.hstack(faces))
    write_image(folder / "b flat.png", np.full((200, 200), 128, np.uint8))
    (folder / "c bad.png").write_bytes(b"no picture")
    shutil.copy(next(embedded_root().glob("S01.NE1.*.png")), folder / "d one.png")
    return folder


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), strict=True))


def test_json_has_a_line_per_face_and_one_per_picture_without(photos: Path, capsys: Output) -> None:
    assert main(["predict", str(photos), "--json"]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [(Path(e["file"]).name, e["face"]) for e in found]
    assert names == [
        ("a two.png", 1),
        ("a two.png", 2),
        ("b flat.png", None),
        ("c bad.png", None),
        ("d one.png", 1),
    ]
    assert found[2]["warnings"] == ["no face found"]
    assert "not a picture" in found[3]["warnings"][0]
    assert np.shape(found[0]["points"]) == (5, 2)
    assert found[0]["box"][0] < found[1]["box"][0]
    assert found[0]["found"].startswith("dlib")
    assert sum(found[0]["scores"].values()) == pytest.approx(1)


def test_times_of_frames_are_whole_milliseconds() -> None:
    answer = Answer(Picture(Path("a.mp4"), Path()), [], frame=3, seconds=0.1 + 0.2)
    assert json.dumps(entries(answer, 1, False, False)[0]["time"]) == "0.3"


@pytest.mark.parametrize("people", [[], ["--people", "one"]])
def test_what_is_said_of_a_picture_is_in_its_warnings(
    people: list[str], tmp_path: Path, capsys: Output
) -> None:
    paths = sorted(embedded_root().glob("S01.[HN][AE]1.*.png"))
    faces = [Image.open(path).convert("L") for path in paths]
    faces[0].save(tmp_path / "a.gif", save_all=True, append_images=faces[1:])
    faces[1].save(tmp_path / "b.png")
    words = ["predict", str(tmp_path), "--model", "faces-7", "--json", "--save"]
    assert main([*words, str(tmp_path / "out"), *people]) == 0
    told, silent = capsys.readouterr()
    found = {Path(e["file"]).name: e["warnings"] for e in map(json.loads, told.splitlines())}
    text = f"{tmp_path / 'a.gif'}: only the first frame of 2 is read"
    assert found == {"a.gif": [text], "b.png": []}
    assert silent.count(text) == 1


def test_csv_has_the_same_in_columns(photos: Path, tmp_path: Path, capsys: Output) -> None:
    table = tmp_path / "new" / "faces.csv"
    assert main(["predict", str(photos), "--json", "--csv", str(table)]) == 1
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for entry, row in zip(found, rows(table.read_text()), strict=True):
        assert row["file"] == entry["file"]
        assert row["face"] == str(entry["face"] or "")
        assert row["label"] == (entry["label"] or "")
        assert row["found"] == (entry["found"] or "")
        assert row["warnings"] == "; ".join(entry["warnings"])
        if entry["label"]:
            assert float(row["box_width"]) == pytest.approx(entry["box"][2], abs=0.01)
            assert float(row["right_mouth_y"]) == pytest.approx(entry["points"][4][1], abs=0.01)
            label = entry["label"]
            assert float(row[f"score_{label}"]) == pytest.approx(entry["scores"][label], abs=1e-4)


def test_csv_on_standard_output_is_all_that_is_printed(photos: Path, capsys: Output) -> None:
    main(["predict", str(photos), "--csv", "-"])
    assert len(rows(capsys.readouterr().out)) == 5


def test_csv_of_an_album_names_the_person(photos: Path, capsys: Output) -> None:
    main(["predict", str(photos), "--csv", "-", "--people=one"])
    found = rows(capsys.readouterr().out)
    assert {row["person"] for row in found if row["label"]} == {"the person"}
    assert {row["reference"] for row in found if row["label"]} == {"2"}


def test_a_fault_of_one_picture_leaves_the_others_their_answers(
    photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    predict = Recogniser.predict

    def fail(self: Recogniser, image: np.ndarray) -> object:
        if image.shape[1] > image.shape[0]:
            raise RuntimeError("a decoder's fault")
        return predict(self, image)

    monkeypatch.setattr(Recogniser, "predict", fail)
    assert main(["predict", str(photos), "--json"]) == 1
    printed = capsys.readouterr()
    found = [json.loads(line) for line in printed.out.splitlines()]
    assert [bool(e["label"]) for e in found] == [False, False, False, True]
    assert f"{photos / 'a two.png'}: RuntimeError: a decoder's fault (see " in printed.err


@pytest.mark.parametrize("options", [["--json"], ["--csv", "-"]])
def test_ctrl_c_keeps_the_answers_so_far(options: list[str], photos: Path) -> None:
    process = start("interrupted_predict", photos / "c bad.png", "predict", photos, *options)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("i2cnn: interrupted")
    assert [line for line in output.splitlines() if "a two.png" in line] != []
    assert len([line for line in output.splitlines() if ".png" in line]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--json", "--csv=-"], "--json and --csv - both print"),
        (["--csv=file/below.csv"], "file/below.csv: cannot be written"),
        (["--csv=folder"], "folder: is a folder; give a file"),
        (["--csv=-", "--explain"], "--explain: --csv - has no patches; give --json"),
        (["--save=file"], "file: is a file; --save takes a folder"),
        (["--save=file/below"], "file/below/drawing: cannot be written"),
    ],
)
def test_outputs_that_cannot_be_written_are_refused_at_once(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Output,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    assert main(["predict", "nowhere.png", *words]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


NAMES = ["IMG [final].jpg", "q[/b].jpg", ":smile: \x1b[31m.jpg", "a\nb.jpg", "\u202egpj.jpg"]
NAMES += [os.fsdecode(b"bad \xff.jpg"), "del \x7f.jpg", "naïve 顔.jpg"]


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of pictures whose names have markup, escapes and bytes that are no text."""
    folder = tmp_path_factory.mktemp("odd") / "q["
    for name in NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(next(embedded_root().glob("S03.HA1.*.png")), folder / name)
    return folder


def is_safe(text: str) -> bool:
    """True if no character of a text steers a terminal."""
    return text.replace("\n", "").isprintable()


@pytest.mark.parametrize("options", [[], ["--people=one", "--explain"]])
def test_tables_show_odd_names_as_they_are(odd: Path, options: list[str], capsys: Output) -> None:
    assert main(["predict", str(odd), *options]) == 0
    printed = capsys.readouterr()
    assert is_safe(printed.out + printed.err)
    shown = [
        r"IMG [final].jpg",
        r"q[/b].jpg",
        r":smile: \x1b[31m.jpg",
        r"a\nb.jpg",
        r"naïve 顔.jpg",
    ]
    for name in [*shown, r"\u202egpj.jpg", r"bad \xff.jpg", r"del \x7f.jpg"]:
        assert name in printed.out, name


def test_json_has_odd_names_exactly(odd: Path, capsys: Output) -> None:
    assert main(["predict", str(odd), "--json"]) == 0
    output = capsys.readouterr().out
    assert is_safe(output)
    assert output.isascii()
    found = {json.loads(line)["file"] for line in output.splitlines()}
    assert found == {str(odd / name) for name in NAMES}


def test_csv_has_a_line_per_face_whatever_its_name(odd: Path, tmp_path: Path) -> None:
    assert main(["predict", str(odd), "--csv", str(tmp_path / "faces.csv")]) == 0
    text = (tmp_path / "faces.csv").read_text(encoding="utf-8")
    assert is_safe(text)
    assert len(text.splitlines()) == 1 + len(NAMES)


def test_errors_show_odd_names_safely(tmp_path: Path, capsys: Output) -> None:
    names = [f"bad {name}" for name in NAMES if "/" not in name]
    for name in names:
        (tmp_path / name).write_bytes(b"no picture")
    assert main(["predict", *(str(tmp_path / name) for name in names)]) == 1
    error = capsys.readouterr().err
    assert is_safe(error)
    assert error.count("\n") == len(names) + 2  # and the notes on the recogniser


def test_resume_goes_on_where_a_table_ends(
    photos: Path, tmp_path: Path, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "faces.csv"
    recogniser = Recogniser("smile", whole=True)
    monkeypatch.setattr("i2cnn.cli.predict.Recogniser", lambda *_: recogniser)
    command = ["predict", str(photos), "--csv", str(table), "--json"]
    assert main(command) == 1
    whole = table.read_bytes()
    lines = whole.splitlines(keepends=True)
    for kept, left in ((b"".join(lines[:2]), 4), (b"".join(lines[:3]) + lines[3][:9], 3), (b"", 4)):
        table.write_bytes(kept)
        capsys.readouterr()
        assert main([*command, "--resume"]) == 1
        printed = capsys.readouterr()
        assert len(printed.out.splitlines()) == left
        assert table.read_bytes() == whole
        assert ("faces.csv has 1 pictures already" in printed.err) == (left == 3)


def test_resume_refuses_another_table(photos: Path, tmp_path: Path, capsys: Output) -> None:
    table = tmp_path / "faces.csv"
    table.write_text("a,b\n1,2\n")
    assert main(["predict", str(photos), "--csv", str(table), "--resume"]) == 1
    assert "has other columns than this command writes" in capsys.readouterr().err
    assert table.read_text() == "a,b\n1,2\n"


@pytest.mark.parametrize("words", [["--resume"], ["--resume", "--csv=-"]])
def test_resume_needs_a_table(words: list[str], photos: Path, capsys: Output) -> None:
    assert main(["predict", str(photos), *words]) == 1
    assert "--resume goes on with a table; give it with --csv FILE" in capsys.readouterr().err
