"""References: a person's own unlabelled pictures, subtracted in Gram matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram_svc import fit_and_predict
from i2cnn.svm.population_fit import fit_by_rule
from i2cnn.svm.reference import (
    NO_REFERENCE,
    People,
    ReferencedFold,
    ReferencedGram,
    ReferenceRule,
    choose_rule,
)
from i2cnn.util.errors import InputError

EVERYONE = 10


def additive(
    seed: int, shown: list[list[int]], takes: int = 2, identity: float = 5.0, noise: float = 0.3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures that are the sum of a person, an expression and noise: features, labels, people."""
    rng = np.random.default_rng(seed)
    persons = identity * rng.normal(size=(len(shown), 12))
    expressions = 2 * rng.normal(size=(max(map(max, shown)) + 1, 12))
    people = np.array([p for p, classes in enumerate(shown) for _ in classes * takes])
    labels = np.array([c for classes in shown for c in classes * takes])
    features = persons[people] + expressions[labels] + noise * rng.normal(size=(len(people), 12))
    return features, labels, people


def name(
    features: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray,
    fitted: np.ndarray,
    rule: ReferenceRule | None = None,
) -> np.ndarray:
    """Fit on some people and name the others' pictures, by a rule or by the one that is chosen."""
    gram = features @ features.T
    if rule is None:
        sides = np.flatnonzero(fitted), np.flatnonzero(~fitted)
        faces = FittedFaces(labels[fitted], people[fitted])
        fold = ReferencedFold(gram, Album(people), *sides, faces).gram()
    else:
        referenced = ReferencedGram(gram, People(Album(people), labels, fitted), rule)
        referenced.settle(labels[fitted])
        fold = referenced.fold()
    _, named = fit_and_predict(fold, FittedFaces(labels[fitted], people[fitted]), ("linear",))
    return named


def everyone_shows_all(seed: int, **options: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return additive(seed, [[0, 1, 2]] * EVERYONE, **options)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 1000),
    shrinkage=st.sampled_from([0.0, 1.0, 9.0, np.inf]),
    usable=st.floats(0.3, 1.0),
)
def test_gram_is_that_of_pictures_minus_means_over_scales(
    seed: int, shrinkage: float, usable: float
) -> None:
    features, labels, people = everyone_shows_all(seed)
    reference = np.random.default_rng(seed).random(len(people)) < usable
    fitted = people < 7
    rule = ReferenceRule(shrinkage)

    expected = np.empty_like(features)
    common_mean = features[fitted].mean(axis=0)
    weights = {}
    for person in range(EVERYONE):
        rows, refs = people == person, (people == person) & reference
        weights[person] = rule.weight(int(refs.sum()))
        own = features[refs].mean(axis=0) if refs.any() else common_mean
        mean = weights[person] * own + (1 - weights[person]) * common_mean
        expected[rows] = features[rows] - mean
    squares = (expected**2).sum(axis=1)
    common = squares[fitted].mean()
    for person in range(EVERYONE):
        rows, refs = people == person, (people == person) & reference
        weight = weights[person] if refs.sum() > 1 else 0.0
        own = squares[refs].mean() if refs.any() else common
        expected[rows] /= np.sqrt(weight * own + (1 - weight) * common)

    sides = People(Album(people, reference), labels, fitted)
    found = ReferencedGram(features @ features.T, sides, rule)
    fold = found.fold()
    np.testing.assert_allclose(fold.fitted, expected[fitted] @ expected[fitted].T, atol=1e-8)
    np.testing.assert_allclose(fold.tested, expected[~fitted] @ expected[fitted].T, atol=1e-8)
    np.testing.assert_allclose(fold.diagonal, (expected[~fitted] ** 2).sum(axis=1), atol=1e-8)


def test_effects_are_those_of_the_expressions_whoever_shows_them() -> None:
    shown = [[0, 1], [1, 2], [0, 2], [0, 1, 2]]
    features, labels, people = additive(3, shown, noise=0.0)
    sides = People(Album(people), labels, np.ones(len(people), bool))
    effects = sides.effects @ features
    # Differences between expressions are free of the people, although nobody shows the same ones.
    rows = people == 3
    means = np.array([features[rows & (labels == c)].mean(axis=0) for c in range(3)])
    np.testing.assert_allclose(effects[1:] - effects[0], means[1:] - means[0], atol=0.05)


@pytest.mark.parametrize("rule", [ReferenceRule(1.0), ReferenceRule(3.0, 1.0)])
def test_labels_of_tested_people_change_nothing(rule: ReferenceRule) -> None:
    features, labels, people = everyone_shows_all(5)
    fitted = people < 7
    named = name(features, labels, people, fitted, rule)
    other = labels.copy()
    other[~fitted] = np.random.default_rng(0).permutation(labels[~fitted])
    np.testing.assert_array_equal(named, name(features, other, people, fitted, rule))


def test_a_reference_names_what_identity_hides() -> None:
    features, labels, people = everyone_shows_all(1)
    fitted = people < 7
    plain = name(features, labels, people, fitted, NO_REFERENCE)
    named = name(features, labels, people, fitted)
    assert (named == labels[~fitted]).mean() == 1
    assert (plain == labels[~fitted]).mean() < 0.9


def test_no_reference_is_chosen_where_each_person_shows_one_expression() -> None:
    shown = [[p % 3] for p in range(12)]
    features, labels, people = additive(2, shown, takes=3, identity=0.2)
    rule, accuracy = choose_rule(features @ features.T, labels, Album(people))
    assert rule == NO_REFERENCE
    assert accuracy > 0.9


def test_the_mix_of_a_one_sided_album_is_taken_out() -> None:
    shown = [[0, 1, 2, 3, 4]] * 8 + [[0], [0, 1], [2], [1, 2], [3, 4]]
    features, labels, people = additive(4, shown, takes=16, identity=0.5, noise=1.0)
    fitted = people < 8
    right = {}
    for mix in (0.0, 1.0):
        named = name(features, labels, people, fitted, ReferenceRule(3.0, mix))
        right[mix] = (named == labels[~fitted]).mean()
    assert right[1.0] > right[0.0] + 0.05


def test_a_person_with_one_picture_is_named_too() -> None:
    shown = [[0, 1, 2]] * 8 + [[1]]
    features, labels, people = additive(6, shown, takes=1, identity=0.5)
    fitted = people < 8
    for rule in (ReferenceRule(0.0), ReferenceRule(1.0, 1.0)):
        assert len(name(features, labels, people, fitted, rule)) == 1


def test_a_choice_needs_two_people() -> None:
    features, labels, people = additive(0, [[0, 1]])
    with pytest.raises(InputError, match="two subjects"):
        choose_rule(features @ features.T, labels, Album(people))


@pytest.mark.parametrize("value", [0.0, 0.3, 1e-6, 1e6])
def test_a_net_that_makes_the_same_of_every_picture_can_be_scored(value: float) -> None:
    _, labels, people = everyone_shows_all(0)
    same = value * np.random.default_rng(0).normal(size=12) * np.ones((len(labels), 1))
    for rule in (ReferenceRule(0.0), ReferenceRule(1.0, 1.0), NO_REFERENCE):
        referenced = ReferencedGram(same @ same.T, People(Album(people), labels, people < 7), rule)
        assert set(referenced.settle(labels[people < 7])) <= {0, 1, 2}
        assert np.isfinite(referenced.fold().tested).all()
        fit = fit_by_rule(same[:, None].astype(np.float32), FittedFaces(labels, people), rule)
        assert fit.population.pairs.slope is None or fit.population.pairs.slope > 0


def test_reference_pictures_without_a_label_serve_both_sides() -> None:
    features, labels, people = everyone_shows_all(7)
    only_reference = labels == 0
    labels = np.where(only_reference, -1, labels)
    fitted = np.flatnonzero((people < 7) & ~only_reference)
    tested = np.flatnonzero((people >= 7) & ~only_reference)
    album = Album(people, pictures=only_reference)
    faces = FittedFaces(labels[fitted], people[fitted])
    fold = ReferencedFold(features @ features.T, album, fitted, tested, faces)
    _, named = fit_and_predict(fold.gram(), faces, ("linear",))
    assert fold.rule.shrinkage < np.inf
    assert fold.rule.mix == 0
    assert (named == labels[tested]).mean() > 0.95


def test_each_clip_may_have_its_own_reference() -> None:
    features, labels, people = everyone_shows_all(8)
    clips = people * 10 + np.arange(len(people)) % 2
    rows = np.arange(len(people))
    sides = People(Album(people, groups=clips), labels, people < 7)
    gram = ReferencedGram(features @ features.T, sides, ReferenceRule(0.0))
    centred = features.copy()
    for clip in np.unique(clips):
        centred[clips == clip] -= features[clips == clip].mean(axis=0)
        centred[clips == clip] /= np.sqrt((centred[clips == clip] ** 2).sum(axis=1).mean())
    found = gram.fold(rows < len(rows)).tested
    np.testing.assert_allclose(found, centred @ centred[people < 7].T, atol=1e-8)


def test_fewer_pictures_change_the_tested_side_only() -> None:
    features, labels, people = everyone_shows_all(9)
    fitted, tested = np.flatnonzero(people < 7), np.flatnonzero(people >= 7)
    faces = FittedFaces(labels[fitted], people[fitted])
    fold = ReferencedFold(features @ features.T, Album(people), fitted, tested, faces)
    fewer = np.isin(people, people[fitted]) | (np.arange(len(people)) % 3 == 0)
    every, some = fold.gram(), fold.gram(fewer)
    np.testing.assert_allclose(every.fitted, some.fitted)
    assert not np.allclose(every.tested, some.tested)
