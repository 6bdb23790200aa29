"""dlib's detections and landmarks."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.datasets.base import Sample
from i2cnn.faces.finder import FaceFinder, find_landmark_model, shared_finder
from i2cnn.faces.locate import locate_faces
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray, read_image
from i2cnn.util.landmarks import interocular_distance
from tests.helpers.faces import some_dataset


@pytest.fixture
def sample() -> Sample:
    return some_dataset().samples[0]


@pytest.fixture
def image(sample: Sample) -> np.ndarray:
    return read_image(embedded_root() / sample.image)


def test_landmarks_are_near_the_truth() -> None:
    dataset = some_dataset()
    faces = locate_faces(dataset, shared_finder(), use_given_points=False).faces
    assert {f.found for f in faces} == {"dlib"}
    for face, sample in zip(faces, dataset.samples, strict=True):
        truth = np.array(sample.points)
        # Measured: 3 % of the eye distance on average, 6 % at worst.
        error = np.hypot(*(face.points - truth).T).mean()
        assert error < 0.1 * interocular_distance(truth)


def test_a_face_of_48_pixels_is_found_enlarged(sample: Sample, image: np.ndarray) -> None:
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    found, number = shared_finder().find_one(small)
    assert number == 1
    assert found.found == "dlib-upsampled"
    truth = (np.array(sample.points) + 0.5) * 48 / 256 - 0.5
    assert np.hypot(*(found.points - truth).T).mean() < 0.15 * interocular_distance(truth)


def test_a_face_that_fills_the_picture_is_found(sample: Sample, image: np.ndarray) -> None:
    truth = np.array(sample.points)
    iod = interocular_distance(truth)
    x, y = truth.mean(0)
    tight = image[int(y - iod) : int(y + iod), int(x - 0.9 * iod) : int(x + 0.9 * iod)]
    assert shared_finder().find_one(tight)[0].found != "prior"


def test_several_faces_are_ordered_from_left_to_right(image: np.ndarray) -> None:
    found = shared_finder().find_all(np.hstack([image, image, image]))
    assert len(found) == 3
    assert [d.box[0] for d in found] == sorted(d.box[0] for d in found)


def test_of_several_faces_the_largest_is_taken(image: np.ndarray) -> None:
    small = cv2.resize(as_gray(image), (160, 160), interpolation=cv2.INTER_AREA)
    small = np.pad(small, ((0, 96), (0, 0)), constant_values=128)
    found, number = shared_finder().find_one(np.hstack([small, as_gray(image)]))
    assert number == 2
    assert found.box[0] > 160


def test_where_there_is_no_face_none_is_found() -> None:
    noise = np.random.RandomState(0).randint(0, 255, (300, 200), np.uint8)
    assert shared_finder().find_all(noise) == []


def test_where_there_is_no_face_a_flagged_guess_fills_the_picture() -> None:
    noise = np.random.RandomState(0).randint(0, 255, (300, 200), np.uint8)
    guess, number = shared_finder().find_one(noise)
    assert (guess.found, number) == ("prior", 0)
    assert guess.box == (0, 0, 200, 300)


def test_the_installed_model_is_found() -> None:
    assert find_landmark_model() is not None


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="pip install face_recognition_models"):
        FaceFinder(tmp_path / "nothing.dat")
