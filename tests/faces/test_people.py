"""Faces grouped by who they show."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces import people
from i2cnn.faces.finder import FaceFinder, shared_finder
from i2cnn.faces.people import FaceDescriptor, group_by_person
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image


def test_two_people_are_told_apart_larger_albums_first() -> None:
    finder = shared_finder()
    describe = FaceDescriptor(finder)
    names = ["S07.AN1.001", "S03.AN1.001", "S03.HA1.010", "S07.HA1.010", "S03.NE1.013"]
    described = []
    for name in names:
        image = read_image(embedded_root() / f"{name}.png")
        described.append(describe(image, finder.find_one(image)[0]))
    assert group_by_person(described).tolist() == [1, 0, 0, 1, 0]


def test_one_face_is_one_person() -> None:
    assert group_by_person([np.zeros(128)]).tolist() == [0]
    assert group_by_person([]).tolist() == []


def test_far_descriptors_are_different_people() -> None:
    far = [np.full(128, value) for value in (0.0, 0.001, 1.0)]
    assert group_by_person(far).tolist() == [0, 0, 1]


def test_a_missing_model_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    finder: FaceFinder = shared_finder()
    monkeypatch.setattr(people, "MODEL_NAME", "other.dat")
    with pytest.raises(InputError, match=r"other\.dat: dlib's face descriptor is missing"):
        FaceDescriptor(finder)
