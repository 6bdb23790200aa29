"""From a data set to its faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.datasets.base import Sample
from i2cnn.faces.finder import shared_finder
from i2cnn.faces.locate import locate_faces
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image
from tests.helpers.faces import some_dataset


def test_given_landmarks_are_taken() -> None:
    dataset = some_dataset(100)
    faces, notes = locate_faces(dataset)
    assert {f.found for f in faces} == {"given"}
    assert notes == []
    for face, sample in zip(faces, dataset.samples, strict=True):
        np.testing.assert_array_equal(face.points, np.array(sample.points))


def test_a_face_keeps_what_its_sample_says() -> None:
    dataset = some_dataset(100)
    face, sample = locate_faces(dataset)[0][0], dataset.samples[0]
    assert (face.image, face.subject, face.sequence, face.frame, face.label) == (
        sample.image,
        sample.subject,
        sample.sequence,
        sample.frame,
        sample.label,
    )


def test_the_box_around_given_landmarks_holds_them() -> None:
    for face in locate_faces(some_dataset(100))[0]:
        x, y, width, height = face.box
        assert (face.points > (x, y)).all()
        assert (face.points < (x + width, y + height)).all()


def test_each_sample_is_reported() -> None:
    calls = []
    locate_faces(some_dataset(100), update=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 5) for n in range(1, 6)]


def test_impossible_given_landmarks_are_refused() -> None:
    dataset = some_dataset(100)
    flat = replace(dataset.samples[0], points=((1, 1),) * 5)
    dataset.samples = [flat]
    with pytest.raises(InputError, match=r"the data set's own landmarks: the eyes coincide"):
        locate_faces(dataset)


def test_an_image_with_two_faces_is_noted(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    image = read_image(embedded_root() / dataset.samples[0].image)
    write_image(tmp_path / "two.png", np.hstack([image, image]))
    two = replace(dataset, root=tmp_path, samples=[Sample("two.png", "S01", "happy")])
    faces, notes = locate_faces(two, shared_finder())
    assert len(faces) == 1
    assert notes == ["two.png: 2 faces, the largest was taken"]
