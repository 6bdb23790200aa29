"""Fits what a recogniser needs to use references: two SVMs and the values of the population."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from sklearn.svm import SVC

from i2cnn.svm.album import Album
from i2cnn.svm.album_rule import choose_album_rule
from i2cnn.svm.calibration import calibrate, fit_slope, inner_folds, margins
from i2cnn.svm.gram import linear_gram
from i2cnn.svm.gram_svc import Choice, GramSVC
from i2cnn.svm.pair_weights import PairWeights, collapse, collapse_svc
from i2cnn.svm.person_reference import Population, ReferenceRule
from i2cnn.svm.reference import JUDGE_C, People, ReferencedGram
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray


@dataclass(frozen=True)
class PopulationFit:
    """What was fitted on labelled pictures of some people.

    Parameters
    ----------
    plain : PairWeights
        For features minus the population's mean.
    population : Population
        With the SVM for features measured from a person's reference.
    plain_choice, referenced_choice : Choice
        C of the two SVMs, and the share of inner test pictures that were right.
    """

    plain: PairWeights
    population: Population
    plain_choice: Choice
    referenced_choice: Choice


def fit_population(features: Float32Array, labels: IntArray, people: AnyArray) -> PopulationFit:
    """Fit on pictures with and without references; rule and C are chosen on left-out people.

    Parameters
    ----------
    features : ndarray of float32, (n, patches, dim)
    labels : ndarray of int, (n,)
    people : ndarray, (n,)
        Person of each picture.

    Raises
    ------
    InputError
        The pictures are of one class or of one person only.
    """
    rule = choose_album_rule(linear_gram(features), labels, people)
    return fit_by_rule(features, labels, people, rule)


def fit_by_rule(
    features: Float32Array, labels: IntArray, people: AnyArray, rule: ReferenceRule
) -> PopulationFit:
    """As :func:`fit_population`, by a rule that is given."""
    rows = np.arange(len(features))
    mean = features.mean(axis=0, dtype=np.float64).astype(np.float32)
    # References are differences, so centring changes none, and large common parts lose no digits.
    centred = features - mean
    gram = linear_gram(centred)
    plain = GramSVC(("linear",)).fit_gram(gram, labels, people)
    sides = People(Album(people), labels, np.ones(len(features), bool))
    referenced = ReferencedGram(gram, sides, rule)
    measured = _measured(referenced, centred)
    inner = referenced.fold().fitted
    svm = GramSVC(("linear",)).fit_gram(inner, labels, people)
    effects, judge = centred[:0], None
    if rule.mix:
        effects = _combined(sides.effects, centred)
        scale = float(np.diag(inner).mean())
        svc = SVC(kernel="precomputed", C=JUDGE_C).fit(inner / scale, labels)
        judge = collapse_svc(svc, scale, measured, rows)
    slopes = (
        calibrate(gram, labels, people, plain.choice_.C),
        _referenced_slope(gram, labels, people, rule, svm.choice_.C),
    )
    pairs = replace(collapse(svm, measured, rows), slope=slopes[1])
    population = Population(rule, mean, referenced.common, effects, pairs, judge)
    as_is = replace(collapse(plain, centred, rows), slope=slopes[0])
    return PopulationFit(as_is, population, plain.choice_, svm.choice_)


def _referenced_slope(
    gram: Float64Array, labels: IntArray, people: AnyArray, rule: ReferenceRule, C: float
) -> float | None:
    """As :func:`calibrate`, of left-out people who are measured from their own whole albums."""
    parts = []
    for known, test in inner_folds(labels, people):
        if len(set(labels[known])) > 1:
            fitted = np.isin(np.arange(len(labels)), known)
            referenced = ReferencedGram(gram, People(Album(people), labels, fitted), rule)
            referenced.settle(labels[known])
            parts.append(margins(referenced.fold(), labels[known], labels[test], C))
    return fit_slope(parts)


def _measured(gram: ReferencedGram, features: Float32Array) -> Float32Array:
    """Features of the pictures fitted on, each measured from its person's reference."""
    group = gram.people.group
    measured = features - _combined(gram.offsets, features)[group]
    measured /= gram.scales[group, None, None].astype(np.float32)
    return measured


def _combined(weights: Float64Array, features: Float32Array) -> Float32Array:
    """Weighted sums (m, patches, dim) of pictures' features, by weights (m, n)."""
    sums = np.empty((len(weights), *features.shape[1:]), np.float32)
    for p in range(features.shape[1]):
        sums[:, p] = weights @ features[:, p].astype(np.float64)
    return sums
