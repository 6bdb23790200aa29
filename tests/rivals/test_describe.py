"""Descriptions of faces: published sizes, progress, and pictures that cannot be used."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from i2cnn.faces.table import Face
from i2cnn.rivals import RIVALS
from i2cnn.rivals.describe import describe
from i2cnn.util.errors import InputError


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("pixels", 55 * 75),
        ("lbp", 2478),
        ("boosted-lbp", 110 * 150),
        ("gabor", 40 * 28 * 38),
        ("hog", 30 * 1764),
        ("ldp", 42 * 56),
        ("cspl", 64 * 59),
        ("sae", 34 * 16 + 16 * 16 + 24 * 18),
        ("bdbn", 110 * 150),
        ("geometric", 52 * 2),
    ],
)
def test_descriptions_have_the_published_sizes(
    name: str, size: int, some_faces: tuple[list[Face], Path]
) -> None:
    faces, root = some_faces
    found = describe(name, faces[:2], root)
    assert found.shape == (2, size)
    assert found.dtype == (np.uint8 if name == "boosted-lbp" else np.float32)
    assert np.isfinite(found).all()
    assert (found[0] != found[1]).any()


@pytest.mark.parametrize("name", [n for n, rival in RIVALS.items() if not rival.clips])
def test_every_described_face_is_reported(name: str, some_faces: tuple[list[Face], Path]) -> None:
    faces, root = some_faces
    calls: list[tuple[int, int]] = []
    describe(name, faces[:2], root, update=lambda *call: calls.append(call))
    assert calls == [(1, 2), (2, 2)]


def test_a_missing_picture_is_named(some_faces: tuple[list[Face], Path]) -> None:
    faces, root = some_faces
    lost = dataclasses.replace(faces[0], image="lost.png")
    with pytest.raises(InputError, match=r"lost\.png: no such file"):
        describe("lbp", [faces[0], lost], root)


def test_a_damaged_picture_is_named(some_faces: tuple[list[Face], Path], tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"bad\.png: not a picture"):
        describe("gabor", [dataclasses.replace(some_faces[0][0], image="bad.png")], tmp_path)


@pytest.mark.parametrize("name", ["pixels", "hog", "geometric", "sae"])
def test_landmarks_that_cannot_be_aligned_are_named(
    name: str, some_faces: tuple[list[Face], Path]
) -> None:
    faces, root = some_faces
    coincide = dataclasses.replace(faces[0], points=np.ones((5, 2)))
    with pytest.raises(InputError, match=rf"{faces[0].image}: the eyes coincide"):
        describe(name, [coincide], root)


def test_there_must_be_faces(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no faces"):
        describe("pixels", [], tmp_path)


def test_an_unknown_rival_gets_the_choices(some_faces: tuple[list[Face], Path]) -> None:
    with pytest.raises(InputError, match="unknown rival 'sift'; choose one of pixels, lbp"):
        describe("sift", *some_faces)
