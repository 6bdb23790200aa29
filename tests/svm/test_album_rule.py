"""The rule of references for albums, which may be one-sided."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.svm.album_rule import choose_album_rule
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.errors import InputError


def additive(identity: float, takes: int) -> tuple[np.ndarray, FittedFaces]:
    """Gram matrix of twelve people who show five expressions."""
    rng = np.random.default_rng(0)
    people, labels = np.repeat(np.arange(12), 5 * takes), np.tile(np.arange(5), 12 * takes)
    features = 2 * rng.normal(size=(5, 20))[labels] + rng.normal(size=(len(labels), 20))
    features += identity * rng.normal(size=(12, 20))[people]
    return features @ features.T, FittedFaces(labels, people)


def test_one_sided_albums_lead_to_a_mix() -> None:
    assert choose_album_rule(*additive(3.0, 3)).mix > 0


def test_the_choice_is_the_same_each_time() -> None:
    problem = additive(1.0, 2)
    assert choose_album_rule(*problem) == choose_album_rule(*problem)


def test_albums_of_two_pictures_have_a_rule() -> None:
    gram, faces = additive(3.0, 1)
    two = faces.labels < 2
    some = FittedFaces(faces.labels[two], faces.people[two])
    rule = choose_album_rule(gram[np.ix_(two, two)], some)
    # One picture alone says nothing against itself.
    assert rule.shrinkage == 1


def test_only_judged_people_choose() -> None:
    """The others' labels are drawn at random, and no mix is right for them."""
    gram, faces = additive(0.0, 3)
    judged = faces.people < 6
    labels = np.where(judged, faces.labels, np.random.default_rng(0).permutation(faces.labels))
    assert choose_album_rule(gram, FittedFaces(labels, faces.people, judged)).mix > 0
    assert choose_album_rule(gram, FittedFaces(labels, faces.people, ~judged)).mix == 0


def test_a_choice_needs_two_people() -> None:
    with pytest.raises(InputError, match="two subjects"):
        choose_album_rule(np.eye(4), FittedFaces(np.array([0, 1, 0, 1]), np.zeros(4)))


def test_people_who_show_one_class_each_leave_nothing_to_learn() -> None:
    shown = np.array([0, 0, 1, 1])
    assert choose_album_rule(np.eye(4), FittedFaces(shown, people=shown)).shrinkage == 1
