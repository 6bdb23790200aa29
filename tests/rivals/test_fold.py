"""Rivals on a fold: better than chance, nothing learned from tested faces."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest

from i2cnn.faces.table import Face
from i2cnn.rivals import RIVALS
from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.describe import describe
from i2cnn.rivals.fold import RivalFold, RivalResult
from i2cnn.rivals.lbp import BINS
from i2cnn.util.errors import InputError

#: Features, labels, people, positions of the fitted and of the tested faces.
Problem: TypeAlias = "tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]"


@pytest.fixture(scope="module")
def problems(some_faces: tuple[list[Face], Path]) -> dict[str, Problem]:
    """Of each rival: its description of the faces, on a fold that tests four people."""
    faces, root = some_faces
    names = ["neutral", "happy", "surprise"]
    labels = np.array([names.index(face.label) for face in faces])
    people = np.array([face.subject for face in faces])
    tested = np.isin(people, sorted(set(people))[:4])
    sides = np.flatnonzero(~tested), np.flatnonzero(tested)
    return {name: (describe(name, faces, root), labels, people, *sides) for name in RIVALS}


@pytest.mark.parametrize("name", RIVALS)
def test_rivals_beat_chance(name: str, problems: dict[str, Problem]) -> None:
    _, labels, _, _, tested = problems[name]
    fold = RivalFold(name, *problems[name])
    for kernel in RIVALS[name].kernels:
        _, result = fold.predict(kernel)
        assert (result.predicted == labels[tested]).mean() > 0.6  # chance: 1/3


@pytest.mark.parametrize("kernel", RIVALS["lbp"].kernels)
def test_a_choice_has_the_parameters_of_its_kernel(
    kernel: str, problems: dict[str, Problem]
) -> None:
    choice = RivalFold("lbp", *problems["lbp"]).predict(kernel)[1].choice
    assert choice["kernel"] == kernel
    assert ("gamma" in choice) == (kernel == "rbf")
    assert ("degree" in choice) == (kernel == "polynomial")


def test_selected_sub_windows_are_rectangles_in_the_aligned_face(
    problems: dict[str, Problem],
) -> None:
    _, result = RivalFold("boosted-lbp", *problems["boosted-lbp"]).predict("linear")
    windows = result.windows
    assert windows is not None
    assert result.choice["dimensions"] == len(windows) * BINS
    assert windows[:, 2:].min() >= 15
    assert windows[:, 2:].max() <= 40
    assert (windows[:, 0] + windows[:, 2]).max() <= WIDTH
    assert (windows[:, 1] + windows[:, 3]).max() <= HEIGHT


def learned(result: RivalResult) -> tuple[object, object]:
    """Everything that was learned from the fitted faces."""
    return result.choice, None if result.windows is None else result.windows.tolist()


@pytest.mark.parametrize("name", RIVALS)
def test_tested_faces_do_not_change_what_is_learned(
    name: str, problems: dict[str, Problem]
) -> None:
    features, labels, people, fitted, tested = problems[name]
    kernel = RIVALS[name].kernels[0]
    _, honest = RivalFold(name, *problems[name]).predict(kernel)
    other_labels, other_features = labels.copy(), features.copy()
    other_labels[tested] = (other_labels[tested] + 1) % 3
    # Far from all others, so that they would show in any mean, spread or template.
    other_features[tested[1:]] = 58 if name == "boosted-lbp" else 1000 * features[fitted[0]]
    _, other = RivalFold(name, other_features, other_labels, people, fitted, tested).predict(kernel)
    assert learned(other) == learned(honest)
    assert other.predicted[0] == honest.predicted[0]


@pytest.mark.parametrize("name", RIVALS)
def test_labels_of_fitted_faces_change_what_is_learned(
    name: str, problems: dict[str, Problem]
) -> None:
    features, labels, people, fitted, tested = problems[name]
    kernel = RIVALS[name].kernels[0]
    _, honest = RivalFold(name, *problems[name]).predict(kernel)
    mixed = labels.copy()
    mixed[fitted] = np.random.RandomState(0).permutation(labels[fitted])
    _, shuffled = RivalFold(name, features, mixed, people, fitted, tested).predict(kernel)
    assert learned(shuffled) != learned(honest)


def small() -> Problem:
    """Four faces of two people, the last two tested."""
    labels, people = np.array([0, 1, 0, 1]), np.array([*"abab"])
    return np.zeros((4, 3), np.float32), labels, people, np.array([0, 1]), np.array([2, 3])


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(InputError, match="pixels has no kernel 'polynomial'"):
        RivalFold("pixels", *small()).predict("polynomial")


def test_features_and_labels_must_go_together() -> None:
    rows, labels, people, fitted, tested = small()
    with pytest.raises(InputError, match="features of 4 faces for 3 labels"):
        RivalFold("pixels", rows, labels[:3], people[:3], fitted, tested)
