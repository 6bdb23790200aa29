"""Contact sheets of a data set's faces."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np

from i2cnn.datasets import embedded_root
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.locate import locate_faces
from i2cnn.util.images import read_image
from tests.helpers.faces import some_dataset, some_faces


def test_faces_that_do_not_fit_one_sheet_fill_a_second(tmp_path: Path) -> None:
    faces = locate_faces(some_dataset(4)).faces
    sheets = contact_sheets(faces, embedded_root(), tmp_path / "sheet.png")
    assert [s.name for s in sheets] == ["sheet.png", "sheet_2.png"]
    assert all(read_image(sheet).shape[1] == 1500 for sheet in sheets)


def test_the_first_tile_is_a_doubtful_face_framed_in_red(tmp_path: Path) -> None:
    faces = some_faces(12)
    faces[7] = replace(faces[7], found="prior")
    (sheet,) = contact_sheets(faces, embedded_root(), tmp_path / "sheet.png")
    b, g, r = read_image(sheet)[60, 1].astype(int)
    assert r > 180
    assert max(b, g) < 80


def test_faces_without_doubt_are_not_framed_in_red(tmp_path: Path) -> None:
    (sheet,) = contact_sheets(some_faces(12), embedded_root(), tmp_path / "sheet.png")
    frame = read_image(sheet)[60, 1::150][:10].astype(int)
    assert np.all(frame[:, 2] < 150)


def test_names_that_are_no_text_are_drawn(tmp_path: Path) -> None:
    name = os.fsdecode(b"\xff.png")
    shutil.copy(next(embedded_root().glob("*.png")), tmp_path / name)
    faces = [replace(some_faces(1)[0], image=name, label=name)]
    assert contact_sheets(faces, tmp_path, tmp_path / "sheet.png")
