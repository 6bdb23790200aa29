"""`faces.csv`: written, edited by hand, read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.faces.table import Face, read_faces_csv, write_faces_csv
from i2cnn.util.errors import InputError
from tests.helpers.faces import some_faces


@pytest.fixture
def faces() -> list[Face]:
    return some_faces(5)


@pytest.fixture
def path(faces: list[Face], tmp_path: Path) -> Path:
    """A table of the faces."""
    write_faces_csv(tmp_path / "faces.csv", faces)
    return tmp_path / "faces.csv"


def edit(path: Path, **cells: str) -> None:
    """Change cells of the table's third line."""
    lines = path.read_text().splitlines()
    values = dict(zip(lines[0].split(","), lines[2].split(","), strict=True))
    lines[2] = ",".join((values | cells).values())
    path.write_text("\n".join(lines))


def cell(path: Path, column: str) -> str:
    """A cell of the third line."""
    lines = path.read_text().splitlines()
    return lines[2].split(",")[lines[0].split(",").index(column)]


def test_what_is_read_is_what_was_written(faces: list[Face], path: Path) -> None:
    for a, b in zip(faces, read_faces_csv(path), strict=True):
        np.testing.assert_allclose(a.points, b.points, atol=0.005)
        np.testing.assert_allclose(a.box, b.box, atol=0.005)
        nothing = {"points": None, "box": None}
        assert replace(a, **nothing) == replace(b, **nothing)


def test_folders_are_made(faces: list[Face], tmp_path: Path) -> None:
    path = tmp_path / "folder" / "to be made" / "faces.csv"
    write_faces_csv(path, faces)
    assert len(read_faces_csv(path)) == len(faces)


def test_a_table_saved_by_a_spreadsheet_is_read(faces: list[Face], path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(read_faces_csv(path)) == len(faces)


def test_blanks_around_names_are_ignored(faces: list[Face], path: Path) -> None:
    blanks = {"subject": f"{faces[0].subject} ", "label": f" {faces[0].label} ", "sequence": " "}
    write_faces_csv(path, [replace(faces[0], **blanks)])
    (face,) = read_faces_csv(path)
    assert (face.subject, face.label) == (faces[0].subject, faces[0].label)
    assert face.sequence == ""


def test_a_blank_before_an_image_may_be_part_of_its_name(faces: list[Face], path: Path) -> None:
    write_faces_csv(path, [replace(faces[0], image=" a/b.png ")])
    assert read_faces_csv(path)[0].image == " a/b.png"


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("nose_x", "abc", "nose_x is 'abc', not a number"),
        ("nose_x", "nan", "nose_x is 'nan', not a number"),
        ("nose_x", "1_0", "nose_x is '1_0', not a number"),
        ("nose_x", "\uff11\uff10", "nose_x is '\uff11\uff10', not a number"),
        ("nose_y", "1e999", "nose_y is '1e999', not a number"),
        ("nose_y", "-1e7", "nose_y is -1e7, which is outside of any picture"),
        ("box_x", "1e308", "box_x is 1e308, which is outside of any picture"),
        ("box_x", "inf", "box_x is 'inf', not a number"),
        ("box_height", "0", "its sides must be above 0"),
        ("box_width", "", "box_width is '', not a number"),
        ("frame", "first", "frame is 'first', not a number"),
        ("frame", "\u00b2", "frame is '\u00b2', not a number"),
        ("frame", "9" * 5000, "not a number"),
        ("subject", "", "subject is empty"),
        ("found", "guess", "found is 'guess'"),
    ],
)
def test_a_bad_cell_is_named_by_line(column: str, value: str, message: str, path: Path) -> None:
    edit(path, **{column: value})
    with pytest.raises(InputError, match=rf"faces.csv:3: .*{message}"):
        read_faces_csv(path)


def test_eyes_that_coincide_are_named_by_line(path: Path) -> None:
    edit(path, **{f"right_eye_{axis}": cell(path, f"left_eye_{axis}") for axis in "xy"})
    with pytest.raises(InputError, match=r"faces.csv:3: the eyes coincide; correct the points"):
        read_faces_csv(path)


def test_a_face_on_one_line_is_named_by_line(path: Path) -> None:
    y = cell(path, "left_eye_y")
    edit(path, left_mouth_y=y, right_mouth_y=y, right_eye_y=y)
    with pytest.raises(InputError, match=r"faces.csv:3: .*on one line"):
        read_faces_csv(path)


@pytest.mark.parametrize("suffix", ["", " "])
def test_an_image_in_two_lines_is_refused(suffix: str, faces: list[Face], path: Path) -> None:
    write_faces_csv(path, [*faces, replace(faces[0], image=faces[0].image + suffix)])
    with pytest.raises(InputError, match="already in line 2"):
        read_faces_csv(path)


def test_a_missing_file_says_what_writes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; `i2cnn faces` writes it"):
        read_faces_csv(tmp_path / "faces.csv")


def test_a_missing_column_is_named(path: Path) -> None:
    path.write_text("image,subject\n")
    with pytest.raises(InputError, match="column sequence"):
        read_faces_csv(path)


def test_decimal_commas_are_refused(path: Path) -> None:
    edit(path, nose_x="98.6")
    path.write_text(path.read_text().replace(",", ";").replace("98.6", "98,6"))
    with pytest.raises(InputError, match=r"faces.csv:3: nose_x is '98,6', not a number such as"):
        read_faces_csv(path)


def test_a_table_without_faces_is_refused(path: Path) -> None:
    write_faces_csv(path, [])
    with pytest.raises(InputError, match="there are no faces in it"):
        read_faces_csv(path)
