"""Detection, landmarks, faces.csv and contact sheets."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.finder import FaceFinder, find_landmark_model, shared_finder
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import read_faces_csv, write_faces_csv
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.faces import some_dataset


def test_dlib_is_near_the_truth() -> None:
    dataset = some_dataset()
    faces, _ = locate_faces(dataset, shared_finder(), use_given_points=False)
    assert {f.found for f in faces} == {"dlib"}
    for face, sample in zip(faces, dataset.samples, strict=True):
        truth = np.array(sample.points)
        iod = np.hypot(*(truth[1] - truth[0]))
        # Measured: 3 % of the eye distance on average, 6 % at worst.
        assert np.hypot(*(face.points - truth).T).mean() < 0.1 * iod


def test_small_and_tight_pictures() -> None:
    sample = some_dataset().samples[0]
    image = read_image(embedded_root() / sample.image)
    truth = np.array(sample.points)
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    found, number = shared_finder().find_one(small)
    assert number == 1
    assert found.found == "dlib-upsampled"
    iod = np.hypot(*(truth[1] - truth[0]))
    error = np.hypot(*(found.points - ((truth + 0.5) * 48 / 256 - 0.5)).T).mean()
    assert error < 0.15 * iod * 48 / 256
    x, y = truth.mean(0)
    tight = image[int(y - iod) : int(y + iod), int(x - 0.9 * iod) : int(x + 0.9 * iod)]
    assert shared_finder().find_one(tight)[0].found != "prior"


def test_no_face_gives_a_flagged_guess() -> None:
    noise = np.random.RandomState(0).randint(0, 255, (300, 200), np.uint8)
    assert shared_finder().find_all(noise) == []
    guess, number = shared_finder().find_one(noise)
    assert (guess.found, number) == ("prior", 0)
    assert guess.box == (0, 0, 200, 300)


def test_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    assert find_landmark_model() is not None
    with pytest.raises(InputError, match="pip install face_recognition_models"):
        FaceFinder(tmp_path / "nothing.dat")


def test_csv_round_trip_and_hand_edits(tmp_path: Path) -> None:
    faces, _ = locate_faces(some_dataset())
    path = tmp_path / "folder" / "to be made" / "faces.csv"
    write_faces_csv(path, faces)
    again = read_faces_csv(path)
    for a, b in zip(faces, again, strict=True):
        np.testing.assert_allclose(a.points, b.points, atol=0.005)
        assert (a.image, a.subject, a.label, a.found) == (b.image, b.subject, b.label, b.found)
    # As a spreadsheet saves it.
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_faces_csv(path)) == len(faces)


def test_csv_blanks_around_names_are_ignored(tmp_path: Path) -> None:
    faces, _ = locate_faces(some_dataset())
    path = tmp_path / "faces.csv"
    blanks = {"subject": f"{faces[0].subject} ", "label": f" {faces[0].label} ", "sequence": " "}
    # The blank in front may be a folder's.
    write_faces_csv(path, [replace(faces[0], **blanks, image=" a/b.png"), *faces[1:]])
    first = read_faces_csv(path)[0]
    assert (first.subject, first.label) == (faces[0].subject, faces[0].label)
    assert (first.image, first.sequence) == (" a/b.png", "")
    write_faces_csv(path, [faces[0], replace(faces[0], image=f"{faces[0].image} ")])
    with pytest.raises(InputError, match="already in line 2"):
        read_faces_csv(path)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("nose_x", "abc", "nose_x is 'abc', not a number"),
        ("nose_x", "nan", "not a finite number"),
        ("subject", "", "subject is empty"),
        ("found", "guess", "found is 'guess'"),
        ("right_eye", None, "the eyes coincide"),
        ("mouth", None, "on one line"),
    ],
)
def test_bad_rows_are_named_by_line(column: str, value: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    write_faces_csv(path, locate_faces(some_dataset())[0])
    lines = path.read_text().splitlines()
    names = lines[0].split(",")
    cells = lines[2].split(",")

    def put(name: str, text: str) -> None:
        cells[names.index(name)] = text

    if column == "right_eye":
        for axis in "xy":
            put(f"right_eye_{axis}", cells[names.index(f"left_eye_{axis}")])
    elif column == "mouth":
        for side in ("left_mouth", "right_mouth"):
            put(f"{side}_y", cells[names.index("left_eye_y")])
        put("right_eye_y", cells[names.index("left_eye_y")])
    else:
        put(column, value)
    lines[2] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"faces.csv:3: .*{message}"):
        read_faces_csv(path)


def test_other_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "faces.csv"
    with pytest.raises(InputError, match="no such file"):
        read_faces_csv(path)
    path.write_text("image,subject\n")
    with pytest.raises(InputError, match="column sequence"):
        read_faces_csv(path)
    path.write_text("image;subject\n")
    with pytest.raises(InputError, match=r"is missing; .* separated by semicolons"):
        read_faces_csv(path)
    write_faces_csv(path, locate_faces(some_dataset())[0])
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, lines[1]]))
    with pytest.raises(InputError, match="already in line 2"):
        read_faces_csv(path)


def test_contact_sheets_start_with_the_doubtful(tmp_path: Path) -> None:
    faces, _ = locate_faces(some_dataset(4))
    faces[50] = replace(faces[50], found="prior")
    sheets = contact_sheets(faces, embedded_root(), tmp_path / "sheet.png")
    assert [s.name for s in sheets] == ["sheet.png", "sheet_2.png"]
    first = read_image(sheets[0])
    # The alarm colour frames the first tile.
    b, g, r = first[60, 1].astype(int)
    assert r > 180
    assert g < 80
    assert b < 80
