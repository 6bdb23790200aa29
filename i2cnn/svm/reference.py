"""A person's own unlabelled pictures as the reference that their expressions are measured from.

Most of what tells two faces apart is who they are. Subtracting the mean of a person's own pictures
takes much of that away, and no label is needed for it (Baltrusaitis, Mahmoud and Robinson 2015
subtract the median of a video in the same spirit). Three things make it safe where a person shows
few pictures, or only few of the expressions:

* shrinkage: the mean of n pictures has weight n / (n + shrinkage), the rest is the mean of the
  training people; the scale (root mean square of what remains) is shrunk in the same way;
* mix: what the shown expressions add to a person's mean is subtracted from it again: the mean
  effect of each expression on the training people, weighted by the expressions that the person
  shows, which an SVM estimates in a few rounds for people without labels; where a person shows
  nearly all expressions, the plain mean is the better estimate and nothing is subtracted from it;
* the choice: shrinkage and mix, and whether a reference is used at all, are chosen on training
  people, each left out once as if tested.

All of it is linear in the pictures, so it works on Gram matrices, whatever the features.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from sklearn.svm import SVC

from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces, people_apart
from i2cnn.svm.gram import FoldGram, mean_square
from i2cnn.svm.person_reference import LEAST_SQUARE, ROUNDS, ReferenceRule, shares
from i2cnn.util.arrays import BoolArray, Float64Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.threads import in_order

#: Alternating least-squares steps for the effects of people and expressions.
_STEPS = 8
#: C of the SVM that estimates mixes and chooses the rule; Gram matrices are scaled to mean 1.
JUDGE_C = 1.0

NO_REFERENCE = ReferenceRule(np.inf)
#: From little to much trust: of equally good ones the first is chosen.
SHRINKAGES = (np.inf, 27.0, 9.0, 3.0, 1.0, 0.0)
MIXES = (0.0, 0.5, 1.0)


class People:
    """The two sides of a fold, and what is known of the people it is fitted on.

    Parameters
    ----------
    album : Album
        Of n pictures.
    labels : ndarray of int, (n,)
        Class of each picture; only those of pictures fitted on are used.
    fitted : ndarray of bool, (n,)
        Pictures fitted on; a person is wholly on one side.
    """

    def __init__(self, album: Album, labels: IntArray, fitted: BoolArray) -> None:
        self.fitted = fitted
        groups = album.people if album.groups is None else album.groups
        names, self.group = np.unique(groups, return_inverse=True)
        self.members = [np.flatnonzero(self.group == g) for g in range(len(names))]
        usable = album.pictures
        self.references = [m if usable is None else m[usable[m]] for m in self.members]
        self.classes = int(labels[fitted].max()) + 1
        self.shown = np.zeros((len(groups), self.classes))
        self.shown[fitted, labels[fitted]] = 1

    @property
    def mean(self) -> Float64Array:
        """Mean of the pictures fitted on, as weights of pictures (n,)."""
        return np.asarray(self.fitted / self.fitted.sum(), np.float64)

    @functools.cached_property
    def effects(self) -> Float64Array:
        """Mean effect of each class on the pictures fitted on, as weights of pictures (classes, n).

        Each picture is the sum of its person, its expression and a rest; both effects are fitted by
        alternating least squares, so that people who show other expressions compare fairly.
        """
        counts = self.shown[self.fitted].sum(axis=0)
        shown = self.shown * self.fitted[:, None]
        effects = np.zeros((self.classes, len(self.fitted)))
        for _ in range(_STEPS):
            rest = np.diag(self.fitted.astype(float))
            for members in self.members:
                rows = members[self.fitted[members]]
                if len(rows):
                    rest[rows] -= (rest[rows] - shown[rows] @ effects).mean(axis=0)
            effects = (shown.T @ rest) / np.maximum(counts, 1)[:, None]
            effects -= (counts / counts.sum()) @ effects
            effects[counts == 0] = 0
        return effects


class ReferencedGram:
    """Inner products of pictures minus their people's references, over their people's scales.

    Parameters
    ----------
    gram : ndarray, (n, n)
        Inner products of all pictures as they are.
    people : People
    rule : ReferenceRule

    Attributes
    ----------
    offsets : ndarray of float64, (people, n)
        Reference of each person, as weights of pictures.
    scales : ndarray of float64, (people,)
    common : float
        Root mean square of the pictures fitted on, minus their people's references.
    """

    def __init__(self, gram: Float64Array, people: People, rule: ReferenceRule) -> None:
        self._plain, self.people, self.rule = gram, people, rule
        self._subtract(people.shown)

    def fold(self, tested: BoolArray | None = None) -> FoldGram:
        """The fold for an SVM: pictures fitted on, and tested ones (default: all others)."""
        fitted = self.people.fitted
        others = ~fitted if tested is None else tested
        return FoldGram.of(self._gram, np.flatnonzero(fitted), np.flatnonzero(others))

    def settle(self, labels: IntArray) -> IntArray:
        """Estimate what the people without labels show, by a linear SVM in a few rounds.

        Parameters
        ----------
        labels : ndarray of int
            Classes of the pictures fitted on.

        Returns
        -------
        ndarray of int
            That SVM's classes of the other pictures.
        """
        fold = self.fold()
        scale = mean_square(np.diag(fold.fitted))
        judge = SVC(kernel="precomputed", C=JUDGE_C).fit(fold.fitted / scale, labels)
        for _ in range(ROUNDS if self.rule.mix else 0):
            shown = self.people.shown.copy()
            named = _shares(judge, fold.tested / scale, self.people.classes)
            shown[~self.people.fitted] = named
            self._subtract(shown)
            fold = self.fold()
        answers: IntArray = judge.predict(fold.tested / scale)
        return answers

    def _subtract(self, shown: Float64Array) -> None:
        self.offsets = self._offsets(shown)
        products = self.offsets @ self._plain
        among = products @ self.offsets.T
        group = self.people.group
        gram = self._plain - products[group] - products[group].T + among[group][:, group]
        self.scales = self._scales(np.diag(gram))
        scales = self.scales[group]
        self._gram: Float64Array = gram / scales[:, None] / scales[None]

    def _offsets(self, shown: Float64Array) -> Float64Array:
        """Reference of each person as weights of pictures, (people, n)."""
        people, rule = self.people, self.rule
        offsets = np.empty((len(people.members), len(self._plain)))
        for person, rows in enumerate(people.references):
            weight = rule.weight(len(rows))
            offsets[person] = (1 - weight) * people.mean
            if weight:
                offsets[person, rows] += weight / len(rows)
            if weight and (mix := rule.mix_of(shown[rows])):
                offsets[person] -= weight * mix * (shown[rows].mean(axis=0) @ people.effects)
        return offsets

    def _scales(self, squares: Float64Array) -> Float64Array:
        """Root mean square of each person's reference pictures, shrunk towards everyone's."""
        fitted = self.people.fitted
        # What a net that makes the same of every picture leaves is rounding errors, or nothing.
        least = LEAST_SQUARE * mean_square(np.diag(self._plain)[fitted])
        common = max(float(squares[fitted].mean()), least)
        self.common = float(np.sqrt(common))
        scales = np.full(len(self.people.members), common)
        for person, rows in enumerate(self.people.references):
            weight = self.rule.weight(len(rows))
            if weight and len(rows) > 1:  # one picture has no spread
                scales[person] = weight * squares[rows].mean() + (1 - weight) * common
        roots: Float64Array = np.sqrt(np.maximum(scales, LEAST_SQUARE * common))
        return roots


def _shares(judge: SVC, kernel: Float64Array, classes: int) -> Float64Array:
    """Soft votes of an SVM, (pictures, classes); a class it does not know gets nothing."""
    scores = judge.decision_function(kernel)
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    known = np.zeros((len(kernel), classes))
    known[:, judge.classes_] = shares(scores)
    return known


def choose_rule(
    gram: Float64Array,
    labels: IntArray,
    album: Album,
    judged: BoolArray | None = None,
) -> tuple[ReferenceRule, float]:
    """The rule that classifies most pictures of left-out people correctly, and their share.

    Parameters
    ----------
    gram : ndarray, (n, n)
        Inner products of the pictures of the people fitted on.
    labels : ndarray of int, (n,)
        Negative for pictures that only serve as references.
    album : Album
    judged : ndarray of bool, (n,), optional
        Pictures whose predictions count; all with a label by default.

    Raises
    ------
    InputError
        The pictures are of one person only.
    """
    splits = people_apart(album.people)
    counted = labels >= 0
    if judged is not None:
        counted &= judged

    def best(rules: Sequence[ReferenceRule]) -> tuple[ReferenceRule, int]:
        judge = partial(_right, gram, labels, album, counted, rules)
        # libsvm works without the GIL.
        right = np.sum(list(in_order(judge, splits, available_cores())), axis=0)
        return rules[int(right.argmax())], int(right.max())

    rule, right = best([ReferenceRule(shrinkage) for shrinkage in SHRINKAGES])
    # What pictures without a label show is not estimated: they all show the same.
    if rule != NO_REFERENCE and (labels >= 0).all():
        rule, right = best([replace(rule, mix=mix) for mix in MIXES])
    return rule, right / int(counted.sum())


def _right(
    gram: Float64Array,
    labels: IntArray,
    album: Album,
    counted: BoolArray,
    rules: Sequence[ReferenceRule],
    split: tuple[IntArray, IntArray],
) -> list[int]:
    """Number of counted pictures of left-out people classified correctly, for each rule."""
    known, _ = split
    fitted = np.isin(np.arange(len(labels)), known) & (labels >= 0)
    if len(set(labels[fitted])) < 2:
        return [0] * len(rules)
    sides = People(album, labels, fitted)
    named = (ReferencedGram(gram, sides, rule).settle(labels[fitted]) for rule in rules)
    hits = counted[~fitted] & np.array([answers == labels[~fitted] for answers in named])
    return [int(right) for right in hits.sum(axis=1)]


class ReferencedFold:
    """A fold whose pictures are measured from references, by a rule of its training people.

    Parameters
    ----------
    gram : ndarray, (n, n)
        Inner products of all pictures.
    album : Album
    fitted, tested : ndarray of int
        Positions of the two sides, rising. Other pictures only serve as references.
    faces : FittedFaces
        What is known of the fitted side; nothing is of the other.
    chosen_on : ndarray, (n, n), optional
        Inner products that the rule is chosen on, where `gram` comes from features that know the
        people fitted on and make every choice look good.

    Attributes
    ----------
    rule : ReferenceRule
    rule_accuracy : float
        Share of the judged pictures classified correctly under the rule, their people left out.
    """

    def __init__(
        self,
        gram: Float64Array,
        album: Album,
        fitted: IntArray,
        tested: IntArray,
        faces: FittedFaces,
        chosen_on: Float64Array | None = None,
    ) -> None:
        self._gram, self._album = gram, album
        self._fitted, self._tested = (_mask(rows, len(gram)) for rows in (fitted, tested))
        self._labels: IntArray = np.full(len(gram), -1)
        self._labels[fitted] = faces.labels
        counted = np.zeros(len(gram), bool)
        counted[fitted] = faces.counted
        # Reference pictures of training people help to choose; tested people's must not.
        known = np.flatnonzero(np.isin(album.people, album.people[fitted]))
        self.rule, self.rule_accuracy = choose_rule(
            (gram if chosen_on is None else chosen_on)[np.ix_(known, known)],
            self._labels[known],
            album[known],
            counted[known],
        )

    def gram(self, pictures: BoolArray | None = None) -> FoldGram:
        """Inner products for an SVM.

        Parameters
        ----------
        pictures : ndarray of bool, (n,), optional
            Fewer pictures for the references than the album has, to see what they are worth.
        """
        album = self._album if pictures is None else replace(self._album, pictures=pictures)
        people = People(album, self._labels, self._fitted)
        referenced = ReferencedGram(self._gram, people, self.rule)
        referenced.settle(self._labels[self._fitted])
        return referenced.fold(self._tested)


def _mask(rows: IntArray, number: int) -> BoolArray:
    return np.isin(np.arange(number), rows)
