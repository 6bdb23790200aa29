"""Scores become probabilities on people whom the SVM has not seen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from i2cnn.svm.calibration import calibrate, fit_slope
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import linear_gram
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.svm.pair_weights import PairWeights, collapse
from i2cnn.svm.population_fit import fit_population
from i2cnn.svm.probabilities import bins, calibration_error
from i2cnn.util.arrays import Float32Array, IntArray

CLASSES = 3


def faces(people: int, seed: int) -> tuple[Float32Array, IntArray, IntArray]:
    """Features that overlap, classes and people."""
    rng = np.random.default_rng(seed)
    person, label = np.repeat(np.arange(people), 6), np.tile(np.arange(CLASSES), 2 * people)
    centres = 1.5 * np.eye(CLASSES, 5)[label][:, None]
    features = (
        centres + rng.normal(size=(people, 1, 5))[person] + rng.normal(size=(len(label), 1, 5))
    )
    return features.astype(np.float32), label, person


def error(pairs: PairWeights, features: Float32Array, labels: IntArray) -> float:
    decisions = np.stack([pairs.decisions(row) for row in features])
    return calibration_error([bins(pairs.scores(decisions, CLASSES), labels)])


def test_unseen_people_are_named_as_surely_as_the_scores_say() -> None:
    features, labels, people = faces(40, 0)
    gram = linear_gram(features)
    model = GramSVC(("linear",)).fit_gram(gram, labels, people)
    pairs = collapse(model, features, np.arange(len(labels)))
    slope = calibrate(gram, FittedFaces(labels, people), model.choice_.C)
    strangers = faces(100, 1)[:2]
    own = error(replace(pairs, slope=slope), *strangers)
    assert own < 0.1
    assert error(replace(pairs, slope=8 * slope), *strangers) > 2 * own
    assert error(replace(pairs, slope=slope / 8), *strangers) > 2 * own


def test_people_with_references_are_named_as_surely_as_the_scores_say() -> None:
    features, labels, people = faces(20, 0)
    fit = fit_population(features, FittedFaces(labels, people))
    features, labels, people = faces(40, 1)
    measured = np.concatenate(
        [
            fit.population.reference(features[people == p], "0" * 64).apply(features[people == p])
            for p in range(40)
        ]
    )
    for pairs, seen in (
        (fit.population.pairs, measured),
        (fit.plain, features - fit.population.mean),
    ):
        own = error(pairs, seen, labels)
        assert own < 0.12
        assert error(replace(pairs, slope=8 * pairs.slope), seen, labels) > 2 * own


def test_people_are_kept_apart() -> None:
    # Each person has one label, and nothing else is seen: strangers can only be guessed.
    people = np.repeat(np.arange(20), 4)
    features = np.eye(20, dtype=np.float32)[people][:, None] * 10
    slope = calibrate(linear_gram(features), FittedFaces(people % 2, people), 1.0)
    assert slope is None or slope < 1


def test_a_known_slope_is_found() -> None:
    rng = np.random.default_rng(0)
    margins = rng.normal(size=20000)
    right = rng.random(20000) < 1 / (1 + np.exp(-3 * margins))
    assert fit_slope([np.where(right, margins, -margins)]) == pytest.approx(3, rel=0.05)


def test_an_svm_that_is_always_right_is_not_certain() -> None:
    slope = fit_slope([np.ones(10)])
    assert slope is not None
    assert slope < 10


def test_an_svm_that_is_always_wrong_still_names_what_it_prefers() -> None:
    assert fit_slope([-np.ones(10)]) == 0.01


@pytest.mark.parametrize("margins", [[], [np.empty(0)], [np.zeros(3)]])
def test_nothing_to_tell_from_is_no_calibration(margins: list[np.ndarray]) -> None:
    assert fit_slope(margins) is None


def test_faces_that_do_not_count_have_no_say() -> None:
    features, labels, people = faces(10, 0)
    gram, wrong = linear_gram(features), (labels + 1) % CLASSES
    counted = people < 5
    mixed = np.where(counted, labels, wrong)
    some, every, none = (
        calibrate(gram, FittedFaces(mixed, people, judged), 1.0)
        for judged in (counted, None, people < 0)
    )
    assert some != every
    assert none is None
