"""`i2cnn predict` with people and references, `i2cnn enrol`, and what they refuse."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.svm.person_reference import PersonReference
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image

SHOWN = {"AN": "anger", "HA": "happy", "NE": "neutral", "SU": "surprise", "FE": "fear"}
Output = pytest.CaptureFixture[str]


def fill(folder: Path, person: str, shown: str = "AN HA NE SU FE", take: int = 1) -> Path:
    """A folder with pictures of a person of the embedded set."""
    folder.mkdir(parents=True, exist_ok=True)
    for code in shown.split():
        (path,) = embedded_root().glob(f"{person}.{code}{take}.*")
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two people in a subfolder each."""
    folder = tmp_path_factory.mktemp("album")
    fill(folder / "anna", "S03")
    fill(folder / "ben", "S07", "AN HA NE SU")
    return folder


def answers(words: list[str], capsys: Output) -> tuple[list[dict], str, int]:
    """Entries of --json, what was said on standard error, and the status."""
    capsys.readouterr()
    status = main(["predict", *words, "--json"])
    printed = capsys.readouterr()
    return [json.loads(line) for line in printed.out.splitlines()], printed.err, status


def right(found: list[dict]) -> float:
    """Share of pictures of the embedded set that are named right."""
    return float(np.mean([SHOWN[Path(e["file"]).name[4:6]] == e["label"] for e in found]))


def failure(words: list[str], capsys: Output) -> str:
    """The last line that a command which fails says."""
    capsys.readouterr()
    assert main(words) == 1
    return capsys.readouterr().err.splitlines()[-1]


def test_an_album_of_one_person(album: Path, capsys: Output) -> None:
    found, said, status = answers([str(album / "anna"), "--people=one"], capsys)
    assert status == 0
    assert right(found) >= 0.8
    assert {(e["person"], e["reference"]) for e in found} == {("the person", 5)}
    assert said.count("faces-7 learned from rendered faces") == 1
    assert "folders" not in said
    _, said, _ = answers([str(album), "--people=one"], capsys)
    assert "the pictures of 2 folders are taken for one person's; --people subfolders" in said


def test_a_person_per_subfolder(album: Path, capsys: Output) -> None:
    found, said, status = answers([str(album), "--people=subfolders"], capsys)
    assert status == 0
    assert {(Path(e["person"]).name, e["reference"]) for e in found} == {("anna", 5), ("ben", 4)}
    assert "ben: 4 pictures are few for a reference (on the faces of its card" in said


def test_people_told_apart_by_their_faces(album: Path, capsys: Output) -> None:
    found, said, status = answers([str(album), "--people=auto"], capsys)
    assert status == 0
    assert "into 2 people (person 1: 5 faces, person 2: 4 faces)" in said
    assert {(e["person"], e["file"].split("/")[-2]) for e in found} == {
        ("person 1", "anna"),
        ("person 2", "ben"),
    }
    _, said, _ = answers([str(album / "anna"), "--people=auto"], capsys)
    assert "into 1 person (person 1: 5 faces)" in said


def test_a_table_per_person(album: Path, tmp_path: Path, capsys: Output) -> None:
    words = ["predict", str(album), "--people=subfolders", "--explain", "--save", str(tmp_path)]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert out.count("Scores are probabilities") == 1
    assert out.count("for happy: ") >= 1
    assert len(list((tmp_path / "anna").glob("*_expressions.png"))) == 5


def test_an_enrolled_file_gives_what_its_folder_gives(
    album: Path, tmp_path: Path, capsys: Output
) -> None:
    anna, file = tmp_path / "Dr. Anna", tmp_path / "anna.ref"
    shutil.copytree(album / "anna", anna)
    assert main(["enrol", str(anna), "--out", str(file)]) == 0
    assert "biometric data" in capsys.readouterr().out
    by_folder, _, _ = answers([str(anna), "--reference", str(anna)], capsys)
    by_file, _, _ = answers([str(anna), "--reference", str(file)], capsys)
    assert {e["person"] for e in by_file} == {"anna"}
    assert by_folder == [{**e, "person": "Dr. Anna"} for e in by_file]
    recogniser = Recogniser("faces-7")
    pictures = [read_image(path) for path in sorted(anna.iterdir())]
    reference = recogniser.reference_from(pictures)
    np.testing.assert_allclose(recogniser.load_reference(file).mean, reference.mean)


def test_one_picture_is_named_by_smile_and_the_album_is_offered(capsys: Output) -> None:
    found, said, _ = answers([str(embedded_root() / "S03.HA1.010.png")], capsys)
    assert found[0]["label"] == "happy"
    assert set(found[0]["scores"]) == {"neutral", "happy"}
    assert "smile knows happy and neutral only" in said
    assert "--people one (the recogniser faces-7)" in said


def test_several_pictures_are_named_by_faces_7(album: Path, capsys: Output) -> None:
    found, said, _ = answers([str(album / "ben")], capsys)
    assert len(found) == 4
    assert len(found[0]["scores"]) == 7
    assert "person" not in found[0]
    assert "--people one, auto or subfolders makes references" in said


def test_a_person_with_one_picture_is_named_without_a_reference(
    tmp_path: Path, capsys: Output
) -> None:
    folder = fill(tmp_path / "carla", "S09", "HA")
    found, said, status = answers([str(folder), "--people=one"], capsys)
    assert (status, found[0]["reference"]) == (0, 0)
    assert "one picture makes no reference; it is named without" in said


def test_what_holds_for_several_people_is_said_once(tmp_path: Path, capsys: Output) -> None:
    for number in range(10):
        fill(tmp_path / f"p{number:02}", f"S{number + 1:02}", "HA")
    _, said, _ = answers([str(tmp_path), "--people=subfolders"], capsys)
    (line,) = (line for line in said.splitlines() if "makes no reference" in line)
    assert f"{tmp_path}/p00, {tmp_path}/p01, " in line
    assert f"{tmp_path}/p07 and 2 more: one picture makes no reference" in line


def test_pictures_that_look_alike_are_told(tmp_path: Path, capsys: Output) -> None:
    for number in range(5):
        shutil.copy(embedded_root() / "S03.HA1.010.png", tmp_path / f"{number}.png")
    found, said, _ = answers([str(tmp_path), "--people=one"], capsys)
    assert len(found) == 5
    assert "5 of 5 pictures look alike (happy, each by itself)" in said
    assert "add pictures of other expressions (on the faces of its card" in said


def test_pictures_without_a_face_or_that_are_none_are_told(tmp_path: Path, capsys: Output) -> None:
    folder = fill(tmp_path / "anna", "S03")
    write_image(folder / "flat.png", np.full((200, 200), 128, np.uint8))
    (folder / "bad.jpg").write_bytes(b"no picture")
    found, said, status = answers([str(folder), "--people=one"], capsys)
    assert status == 1
    assert f"error: {folder / 'bad.jpg'}: not a picture" in said
    assert {Path(e["file"]).name: e["warnings"][0] for e in found if not e["label"]} == {
        "flat.png": "no face found",
        "bad.jpg": said.splitlines()[-1].removeprefix("i2cnn: error: "),
    }
    assert {e["reference"] for e in found if e["label"]} == {5}
    assert main(["enrol", str(folder), "--out", str(tmp_path / "anna.ref")]) == 3
    out, err = capsys.readouterr()
    assert "anna.ref: reference of 5 of 7 pictures" in out
    assert err.splitlines() == [
        said.splitlines()[-1],
        f"i2cnn: {folder / 'flat.png'}: no face found",
    ]


def test_a_picture_of_somebody_else_is_told(tmp_path: Path, capsys: Output) -> None:
    folder, file = fill(tmp_path / "anna", "S03"), tmp_path / "anna.ref"
    assert main(["enrol", str(folder), "--out", str(file)]) == 0
    assert "somebody else" not in capsys.readouterr().err
    fill(folder, "S08", "HA")
    (other,) = folder.glob("S08*")
    assert main(["enrol", str(folder), "--out", str(file)]) == 0
    said = f"{file}: by dlib's face descriptor, {other} shows somebody else than most pictures"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("option", [[], ["--people=one"], ["--people=auto"]])
def test_an_empty_album_is_refused(tmp_path: Path, option: list[str], capsys: Output) -> None:
    assert f"{tmp_path}: no pictures here" in failure(["predict", str(tmp_path), *option], capsys)


def test_an_album_without_a_face_has_no_answer(tmp_path: Path, capsys: Output) -> None:
    write_image(tmp_path / "flat.png", np.full((200, 200), 128, np.uint8))
    for how in ("one", "auto", "subfolders"):
        assert main(["predict", str(tmp_path), f"--people={how}"]) == 1
        assert "flat.png: no face found" in capsys.readouterr().out
    line = failure(["enrol", str(tmp_path), "--out", str(tmp_path / "a.ref")], capsys)
    assert "no picture of this reference shows a face" in line
    assert not (tmp_path / "a.ref").exists()


def test_a_picture_beside_the_subfolders_is_refused(tmp_path: Path, capsys: Output) -> None:
    fill(tmp_path, "S03", "HA")
    line = failure(["predict", str(tmp_path), "--people=subfolders"], capsys)
    assert line.endswith("is in no subfolder; with --people subfolders each person has one")


def test_a_recogniser_without_a_population_says_so(run: Path, album: Path, capsys: Output) -> None:
    model = f"--model={run / 'recogniser'}"
    for option in ("--people=one", "--people=auto", f"--reference={album / 'anna'}"):
        words = ["predict", str(album / "anna"), model, option, "--device=cpu"]
        assert "this recogniser cannot use references" in failure(words, capsys)
    words = ["enrol", str(album / "anna"), model, "--device=cpu", f"--out={album / 'a.ref'}"]
    assert "this recogniser cannot use references" in failure(words, capsys)


def test_references_that_are_none_are_refused(album: Path, tmp_path: Path, capsys: Output) -> None:
    picture, file = str(next((album / "anna").iterdir())), tmp_path / "anna.ref"

    def said(option: Path = file) -> str:
        return failure(["predict", picture, "--reference", str(option)], capsys)

    assert "nobody: no such folder or file" in said(tmp_path / "nobody")
    assert "is one picture; give a folder of the person's pictures" in said(Path(picture))
    file.write_text("no reference")
    assert "anna.ref: damaged, or not an .npz file" in said()
    PersonReference(np.zeros((30, 1764), np.float32), 1.0, 5, "0" * 64).save(file)
    assert "anna.ref: reference of another recogniser" in said()
    digest = Recogniser("faces-7").bundle.digest
    PersonReference(np.full((30, 1764), np.nan, np.float32), 1.0, 5, digest).save(file)
    assert "anna.ref: damaged" in said()
    PersonReference(np.zeros((30, 9999), np.float32), 1.0, 5, digest).save(file)
    assert "MB that it may have" in said()


def test_one_picture_makes_no_reference(tmp_path: Path, capsys: Output) -> None:
    folder, file = fill(tmp_path / "carla", "S09", "HA"), tmp_path / "carla.ref"
    reason = "one picture makes no reference; give several of the same person"
    assert main(["enrol", str(folder), "--out", str(file)]) == 1
    assert capsys.readouterr().err == f"i2cnn: error: {file}: {reason}\n"
    assert not file.exists()
    said = failure(["predict", str(folder), "--reference", str(folder)], capsys)
    assert f"{folder}: {reason}" in said


def test_people_and_reference_exclude_each_other(capsys: Output) -> None:
    with pytest.raises(SystemExit):
        main(["predict", "a.png", "--people=one", "--reference=b.ref"])
    assert "not allowed with argument --people" in capsys.readouterr().err


def test_a_reference_of_another_recogniser_is_refused_in_python(album: Path) -> None:
    pictures = [read_image(path) for path in sorted((album / "anna").iterdir())]
    reference = Recogniser("faces-7").reference_from(pictures)
    with pytest.raises(InputError, match="reference of another recogniser"):
        Recogniser("smile").predict(pictures[0], reference)
    with pytest.raises(InputError, match="picture 1 of a reference shows no face"):
        Recogniser("smile").reference_from([np.full((200, 200), 128, np.uint8)])
