"""The rule of references for albums, which may be one-sided."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.svm.album_rule import choose_album_rule
from i2cnn.util.errors import InputError


def additive(identity: float, takes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gram matrix, labels and people: twelve people who show five expressions."""
    rng = np.random.default_rng(0)
    people, labels = np.repeat(np.arange(12), 5 * takes), np.tile(np.arange(5), 12 * takes)
    features = 2 * rng.normal(size=(5, 20))[labels] + rng.normal(size=(len(labels), 20))
    features += identity * rng.normal(size=(12, 20))[people]
    return features @ features.T, labels, people


def test_one_sided_albums_lead_to_a_mix() -> None:
    assert choose_album_rule(*additive(3.0, 3)).mix > 0


def test_the_choice_is_the_same_each_time() -> None:
    problem = additive(1.0, 2)
    assert choose_album_rule(*problem) == choose_album_rule(*problem)


def test_albums_of_two_pictures_have_a_rule() -> None:
    gram, labels, people = additive(3.0, 1)
    two = labels < 2
    rule = choose_album_rule(gram[np.ix_(two, two)], labels[two], people[two])
    # One picture alone says nothing against itself.
    assert rule.shrinkage == 1


def test_only_judged_people_choose() -> None:
    """The others' labels are drawn at random, and no mix is right for them."""
    gram, labels, people = additive(0.0, 3)
    judged = people < 6
    labels = np.where(judged, labels, np.random.default_rng(0).permutation(labels))
    assert choose_album_rule(gram, labels, people, judged).mix > 0
    assert choose_album_rule(gram, labels, people, ~judged).mix == 0


def test_a_choice_needs_two_people() -> None:
    with pytest.raises(InputError, match="two subjects"):
        choose_album_rule(np.eye(4), np.array([0, 1, 0, 1]), np.zeros(4))


def test_a_choice_needs_two_classes() -> None:
    with pytest.raises(InputError, match="two classes"):
        choose_album_rule(np.eye(4), np.zeros(4, int), np.array([0, 0, 1, 1]))


def test_people_who_show_one_class_each_leave_nothing_to_learn() -> None:
    shown = np.array([0, 0, 1, 1])
    assert choose_album_rule(np.eye(4), shown, people=shown).shrinkage == 1
