"""PatchFeatures among scikit-learn's tools."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from i2cnn.datasets import embedded_root
from i2cnn.faces.finder import FaceFinder, shared_finder
from i2cnn.faces.locate import locate_faces
from i2cnn.models import find_model
from i2cnn.recogniser.patch_features import PatchFeatures
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.faces import some_dataset


# Its tags say that it takes no table of numbers, so the checks that feed one leave it out.
@parametrize_with_checks([PatchFeatures()])
def test_it_passes_the_checks_of_estimators(
    estimator: PatchFeatures, check: Callable[[PatchFeatures], None]
) -> None:
    check(estimator)


def test_faces_are_described_as_the_recogniser_does(monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser = Recogniser("faces-7")
    monkeypatch.setattr("i2cnn.recogniser.patch_features.shared_finder", lambda: recogniser.finder)
    path = embedded_root() / "S03.HA1.010.png"
    detection, _ = recogniser.finder.find_one(read_image(path))
    expected = recogniser.describe(path, detection).ravel()
    found = PatchFeatures().fit_transform([path, (path, detection.points)])
    np.testing.assert_array_equal(found, [expected, expected])


def test_a_pipeline_of_pictures_is_cross_validated_by_people() -> None:
    dataset = some_dataset(9)
    faces = [f for f in locate_faces(dataset).faces if f.label in ("happy", "surprise", "anger")]
    pictures = [(dataset.root / face.image, face.points) for face in faces]
    labels, people = [face.label for face in faces], [face.subject for face in faces]
    pipeline = make_pipeline(PatchFeatures(), GramSVC(("linear",), 2))
    scores = cross_val_score(pipeline, pictures, labels, groups=people, cv=GroupKFold(3))
    assert scores.mean() > 0.7


def test_it_is_cloned_and_pickled() -> None:
    features = PatchFeatures("smile", device="cpu").fit([])
    for other in (clone(features), pickle.loads(pickle.dumps(features))):
        assert other.get_params() == {"model": "smile", "engine": "torch", "device": "cpu"}


def test_a_picture_without_a_face_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    shared_finder()  # made whole: other tests share it
    monkeypatch.setattr(FaceFinder, "find_all", lambda self, image: [])
    with pytest.raises(InputError, match="picture 0, counted from 0, shows no face"):
        PatchFeatures().transform([np.zeros((50, 50), np.uint8)])


def test_an_unknown_model_is_an_error() -> None:
    with pytest.raises(InputError, match="nobody"):
        PatchFeatures("nobody").fit([])


def test_a_recogniser_that_was_written_again_is_read_again(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(find_model("faces-7"), tmp_path / "mine"))
    assert PatchFeatures(folder).transform([]).shape == (0, 52920)
    about = json.loads((folder / "recogniser.json").read_text())
    (folder / "recogniser.json").write_text(json.dumps(about | {"patches": [0]}))
    with pytest.raises(InputError, match="HOG describes all patches of a scheme"):
        PatchFeatures(folder).transform([])
