"""Rivals on a fold: better than chance, nothing learned from tested faces."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
import torch

from i2cnn.faces.table import Face
from i2cnn.rivals import RIVALS, bdbn, rbm, sae
from i2cnn.rivals.align import HEIGHT, WIDTH
from i2cnn.rivals.describe import describe
from i2cnn.rivals.fold import RivalFold, RivalResult
from i2cnn.rivals.lbp import BINS
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.errors import InputError

#: Features, labels, people, positions of the fitted and of the tested faces.
Problem: TypeAlias = "tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]"


#: Rivals that still images have all for.
STILL = [name for name, rival in RIVALS.items() if not rival.clips]


@pytest.fixture(scope="module", autouse=True)
def few_steps() -> Iterator[None]:
    """Networks learn three expressions in fewer steps than seven."""
    patched = pytest.MonkeyPatch()
    for module, few in (
        (sae, {"PASSES": 3, "TUNING_PASSES": 15}),
        (rbm, {"BATCH": 16, "_GAUSSIAN_RATE": 0.02}),
        (bdbn, {"COPIES": 0, "PASSES": 5, "TURNS": 1, "STEPS": 2}),
    ):
        for name, value in few.items():
            patched.setattr(module, name, value)
    yield
    patched.undo()


@pytest.fixture(scope="module")
def problems(some_faces: tuple[list[Face], Path]) -> dict[str, Problem]:
    """Of each rival: its description of the faces, on a fold that tests four people."""
    faces, root = some_faces
    names = ["neutral", "happy", "surprise"]
    labels = np.array([names.index(face.label) for face in faces])
    people = np.array([face.subject for face in faces])
    tested = np.isin(people, sorted(set(people))[:4])
    sides = np.flatnonzero(~tested), np.flatnonzero(tested)
    return {name: (describe(name, faces, root), labels, people, *sides) for name in STILL}


@pytest.fixture(scope="module")
def honest(problems: dict[str, Problem]) -> Callable[[str], RivalResult]:
    """What a rival says with its first method, computed once."""
    return functools.cache(lambda name: result_of(name, problems[name]))


def fold_of(name: str, problem: Problem) -> RivalFold:
    """A rival on the problem's fold."""
    features, labels, people, fitted, tested = problem
    return RivalFold(name, features, fitted, tested, FittedFaces(labels[fitted], people[fitted]))


def result_of(name: str, problem: Problem, method: str = "") -> RivalResult:
    """What a rival says with one of its methods, by default the first."""
    fold = fold_of(name, problem)
    if not RIVALS[name].kernels:
        return fold.classify()
    return fold.predict(method or RIVALS[name].kernels[0])[1]


@pytest.mark.parametrize("name", STILL)
def test_rivals_beat_chance(name: str, problems: dict[str, Problem]) -> None:
    _, labels, _, _, tested = problems[name]
    for method in RIVALS[name].methods:
        predicted = result_of(name, problems[name], method).predicted
        assert (predicted == labels[tested]).mean() > 0.6  # chance: 1/3


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device")
@pytest.mark.parametrize("name", ["sae", "bdbn"])
def test_networks_learn_on_a_gpu(name: str, problems: dict[str, Problem]) -> None:
    _, labels, _, _, tested = problems[name]
    result = fold_of(name, problems[name]).classify(device="cuda:0")
    assert (result.predicted == labels[tested]).mean() > 0.6  # chance: 1/3


@pytest.mark.parametrize("kernel", RIVALS["lbp"].kernels)
def test_a_choice_has_the_parameters_of_its_kernel(
    kernel: str, problems: dict[str, Problem]
) -> None:
    choice = fold_of("lbp", problems["lbp"]).predict(kernel)[1].choice
    assert choice["kernel"] == kernel
    assert ("gamma" in choice) == (kernel == "rbf")
    assert ("degree" in choice) == (kernel == "polynomial")


def test_selected_sub_windows_are_rectangles_in_the_aligned_face(
    problems: dict[str, Problem],
) -> None:
    _, result = fold_of("boosted-lbp", problems["boosted-lbp"]).predict("linear")
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


#: How far away faces are put that must not be seen, or must.
FAR = 1000


def with_far_faces(name: str, problem: Problem) -> Problem:
    """All tested faces but the first far from all others."""
    features, labels, people, fitted, tested = problem
    features = features.copy()
    # They would show in any mean, spread or template.
    features[tested[1:]] = 58 if name == "boosted-lbp" else FAR * features[fitted[0]]
    return features, labels, people, fitted, tested


@pytest.mark.parametrize("name", STILL)
def test_tested_faces_do_not_change_what_is_learned(
    name: str, problems: dict[str, Problem], honest: Callable[[str], RivalResult]
) -> None:
    other = result_of(name, with_far_faces(name, problems[name]))
    assert learned(other) == learned(honest(name))
    assert other.predicted[0] == honest(name).predicted[0]


@pytest.mark.parametrize("name", STILL)
def test_a_tested_face_among_the_fitted_ones_is_noticed(
    name: str, problems: dict[str, Problem], honest: Callable[[str], RivalResult]
) -> None:
    features, labels, people, fitted, tested = with_far_faces(name, problems[name])
    leaking = np.concatenate([fitted, tested[1:]])
    other = result_of(name, (features, labels, people, leaking, tested))
    assert learned(other) != learned(honest(name))


@pytest.mark.parametrize("name", STILL)
def test_labels_of_fitted_faces_change_what_is_learned(
    name: str, problems: dict[str, Problem], honest: Callable[[str], RivalResult]
) -> None:
    features, labels, people, fitted, tested = problems[name]
    mixed = labels.copy()
    mixed[fitted] = np.random.RandomState(0).permutation(labels[fitted])
    shuffled = result_of(name, (features, mixed, people, fitted, tested))
    assert learned(shuffled) != learned(honest(name))


def small() -> Problem:
    """Four faces of two people, the last two tested."""
    labels, people = np.array([0, 1, 0, 1]), np.array([*"abab"])
    return np.zeros((4, 3), np.float32), labels, people, np.array([0, 1]), np.array([2, 3])


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(InputError, match="pixels has no kernel 'polynomial'"):
        fold_of("pixels", small()).predict("polynomial")


def test_a_classifier_of_its_own_is_not_an_svm() -> None:
    with pytest.raises(InputError, match="ldp has no kernel 'rbf'; choose one of template"):
        fold_of("ldp", small()).predict("rbf")
    with pytest.raises(InputError, match="lbp has no classifier of its own"):
        fold_of("lbp", small()).classify()


def test_a_classifier_needs_two_people() -> None:
    rows, labels, _, fitted, tested = small()
    with pytest.raises(InputError, match="two subjects"):
        fold_of("ldp", (rows, labels, np.array([*"aabb"]), fitted, tested)).classify()
