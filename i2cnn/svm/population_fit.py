"""Fits what a recogniser needs to use references: two SVMs and the values of the population."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from sklearn.svm import SVC

from i2cnn.svm.album import Album
from i2cnn.svm.album_rule import choose_album_rule
from i2cnn.svm.calibration import calibrate, fit_slope, margins
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import linear_gram, mean_square, summed_products
from i2cnn.svm.gram_svc import Choice, GramSVC
from i2cnn.svm.pair_weights import PairWeights, collapse_svc
from i2cnn.svm.person_reference import Population, ReferenceRule
from i2cnn.svm.reference import JUDGE_C, People, ReferencedGram
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray


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


@dataclass(frozen=True)
class _Centred:
    """Features of the pictures fitted on minus their mean; iterating gives (n, dim) of each patch.

    References are differences, so centring changes none, and large common parts lose no digits.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.
    rows : ndarray of int, (n,)
    mean : ndarray of float32, (patches, dim)
    """

    features: Float32Array
    rows: IntArray
    mean: Float32Array

    @classmethod
    def of(cls, features: Float32Array, rows: IntArray) -> _Centred:
        """The features of some faces."""
        patches = range(features.shape[1])
        means = [features[:, p][rows].mean(axis=0, dtype=np.float64) for p in patches]
        return cls(features, rows, np.stack(means).astype(np.float32))

    def __iter__(self) -> Iterator[Float32Array]:
        for p in range(self.features.shape[1]):
            patch: Float32Array = self.features[:, p][self.rows] - self.mean[p]
            yield patch

    def gram(self) -> Float64Array:
        """Inner products (n, n) of the pictures."""
        return summed_products(len(self.rows), self)


def fit_population(features: Float32Array, faces: FittedFaces) -> PopulationFit:
    """Fit on pictures with and without references; rule and C are chosen on left-out people.

    Parameters
    ----------
    features : ndarray of float32, (n, patches, dim)
    faces : FittedFaces
        The pictures.

    Raises
    ------
    InputError
        The pictures are of one person only.
    """
    return fit_by_rule(features, faces, choose_album_rule(linear_gram(features), faces))


def fit_by_rule(features: Float32Array, faces: FittedFaces, rule: ReferenceRule) -> PopulationFit:
    """As :func:`fit_population`, by a rule that is given."""
    centred = _Centred.of(features, np.arange(len(features)))
    gram = centred.gram()
    plain = GramSVC(("linear",)).fit_gram(gram, faces.labels, faces.people, faces.judged)
    slope = calibrate(gram, faces, plain.choice_.C)
    as_is = replace(collapse_svc(plain.svc_, plain.scale_, centred), slope=slope)
    population, choice = _fit(centred, gram, faces, rule)
    return PopulationFit(as_is, population, plain.choice_, choice)


def fit_references(
    features: Float32Array, rows: IntArray, faces: FittedFaces, rule: ReferenceRule
) -> Population:
    """What is needed to use references beside an SVM that is there already.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.
    rows : ndarray of int, (n,)
        Where the faces that are fitted on are.
    faces : FittedFaces
    rule : ReferenceRule
    """
    centred = _Centred.of(features, rows)
    return _fit(centred, centred.gram(), faces, rule)[0]


def _fit(
    centred: _Centred, gram: Float64Array, faces: FittedFaces, rule: ReferenceRule
) -> tuple[Population, Choice]:
    """The population, and C of its SVM."""
    labels, people = faces.labels, faces.people
    sides = People(Album(people), labels, np.ones(len(labels), bool))
    referenced = ReferencedGram(gram, sides, rule)
    inner = referenced.fold().fitted
    svm = GramSVC(("linear",)).fit_gram(inner, labels, people, faces.judged)
    effects, judge = np.empty((0, *centred.mean.shape), np.float32), None
    if rule.mix:
        effects = np.stack([_combined(sides.effects, patch) for patch in centred], axis=1)
        scale = mean_square(np.diag(inner))
        svc = SVC(kernel="precomputed", C=JUDGE_C).fit(inner / scale, labels)
        judge = collapse_svc(svc, scale, _measured(referenced, centred))
    slope = _referenced_slope(gram, faces, rule, svm.choice_.C)
    pairs = collapse_svc(svm.svc_, svm.scale_, _measured(referenced, centred))
    pairs = replace(pairs, slope=slope)
    return Population(rule, centred.mean, referenced.common, effects, pairs, judge), svm.choice_


def _referenced_slope(
    gram: Float64Array, faces: FittedFaces, rule: ReferenceRule, C: float
) -> float | None:
    """As :func:`calibrate`, of left-out people who are measured from their own whole albums."""
    labels, album, parts = faces.labels, Album(faces.people), []
    for known, _ in faces.inner_folds():
        if len(set(labels[known])) > 1:
            fitted = np.isin(np.arange(len(labels)), known)
            referenced = ReferencedGram(gram, People(album, labels, fitted), rule)
            referenced.settle(labels[known])
            tested = faces.counted & ~fitted
            parts.append(margins(referenced.fold(tested), labels[known], labels[tested], C))
    return fit_slope(parts)


def _measured(gram: ReferencedGram, centred: _Centred) -> Iterator[Float32Array]:
    """The patches of the pictures fitted on, each measured from its person's reference."""
    group = gram.people.group
    scales = gram.scales[group, None].astype(np.float32)
    for patch in centred:
        yield (patch - _combined(gram.offsets, patch)[group]) / scales


def _combined(weights: Float64Array, patch: Float32Array) -> Float32Array:
    """Weighted sums (m, dim) of pictures' features (n, dim), by weights (m, n)."""
    sums: Float32Array = (weights @ patch.astype(np.float64)).astype(np.float32)
    return sums
