"""The embedded set of rendered faces."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.util.errors import InputError
from i2cnn.util.landmarks import check_points


def test_the_embedded_set_is_complete() -> None:
    dataset = load_dataset("synthetic", None, "seven")
    assert dataset.found() == dict(dataset.expected)
    assert dataset.expected["images"] == 420


def test_task_six_leaves_neutral_out() -> None:
    dataset = load_dataset("synthetic", None, "six")
    assert len(dataset.samples) == 360
    assert len(dataset.left_out["with a label outside task six"]) == 60


def test_every_sample_has_landmarks_of_a_face() -> None:
    for sample in load_dataset("synthetic", None).samples:
        assert sample.points is not None
        assert not check_points(np.array(sample.points))


def test_the_left_eye_has_the_smaller_x() -> None:
    for sample in load_dataset("synthetic", None).samples:
        assert sample.points is not None
        left_eye, right_eye, nose, left_mouth, right_mouth = sample.points
        assert left_eye[0] < nose[0] < right_eye[0]
        assert left_mouth[0] < nose[0] < right_mouth[0]


def test_the_licence_ships_with_the_pictures() -> None:
    assert "CC0" in (embedded_root() / "LICENSE.txt").read_text()


def test_a_picture_that_is_missing_is_listed(tmp_path: Path) -> None:
    root = Path(shutil.copytree(embedded_root(), tmp_path / "copy"))
    (root / "S03.HA1.010.png").unlink()
    dataset = load_dataset("synthetic", root)
    assert dataset.left_out == {"listed but not there": ["S03.HA1.010.png"]}


@pytest.mark.parametrize("cell", ["abc", ""])
def test_a_bad_coordinate_is_named_by_line(cell: str, tmp_path: Path) -> None:
    lines = (embedded_root() / "landmarks.csv").read_text().splitlines()
    lines[2] = ",".join([*lines[2].split(",")[:-1], cell])
    (tmp_path / "landmarks.csv").write_text("\n".join(lines))
    with pytest.raises(InputError, match=r"landmarks\.csv:3: cannot be used"):
        load_dataset("synthetic", tmp_path)
