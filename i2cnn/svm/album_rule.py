"""Chooses how references are made for albums, which may have few pictures or few expressions.

A data set's people show every expression, so the rule that is best for their whole albums trusts a
person's mean fully, and errs where somebody smiles in every picture. Here the left-out people also
come with parts of their albums, as users' albums are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.person_reference import ReferenceRule
from i2cnn.svm.reference import MIXES, People, ReferencedGram
from i2cnn.util.arrays import AnyArray, Float64Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.threads import in_order

#: Users' faces differ from the training people's in more than who they are (camera, light, rendered
#: or real), so everyone's mean deserves less trust than left-out training people suggest. Fitted
#: on rendered faces, a reference of two London photographs names 68 % of these right among seven
#: classes by a shrinkage of 1 and a mix of 0.5, and 59 % by a shrinkage of 3.
_SHRINKAGES = (1.0, 0.0)
#: By whole albums, a rule may name so many pictures, or this share, fewer right than the best one.
_TOLERANCE = (2, 0.005)
_WHOLE = 0
#: Of pictures in an album of few.
_FEW = 3
#: Albums of each kind that are drawn of a person.
_DRAWS = 5
_INNER_FOLDS = 5


@dataclass(frozen=True)
class _Albums:
    """Whole albums of some people, and parts of them, as rows of pictures.

    Parameters
    ----------
    rows, album, kind : ndarray of int, (n,)
        Picture, number of the album, and kind of album: whole, few, or of some expressions.
    """

    rows: IntArray
    album: IntArray
    kind: IntArray

    @classmethod
    def draw(cls, labels: IntArray, people: AnyArray) -> _Albums:
        """Whole albums first, in the order of the pictures; parts are drawn, always the same."""
        rng = np.random.default_rng(0)
        names, person = np.unique(people, return_inverse=True)
        albums = [(_WHOLE, np.flatnonzero(person == p)) for p in range(len(names))]
        classes = len(np.unique(labels))
        counts = (1,) if classes == 2 else tuple(n for n in (2, 4) if n < classes)
        for _, own in tuple(albums):
            for _ in range(_DRAWS):
                if len(own) > _FEW:
                    albums.append((1, rng.choice(own, _FEW, replace=False)))
                for kind, count in enumerate(counts, 2):
                    shown = np.unique(labels[own])
                    if len(shown) > count:
                        some = rng.choice(shown, count, replace=False)
                        albums.append((kind, own[np.isin(labels[own], some)]))
        sizes = [len(own) for _, own in albums]
        rows = np.concatenate([own for _, own in albums])
        kinds = np.repeat([kind for kind, _ in albums], sizes)
        return cls(rows, np.repeat(np.arange(len(albums)), sizes), kinds)


def choose_album_rule(gram: Float64Array, faces: FittedFaces) -> ReferenceRule:
    """The rule that classifies most pictures correctly over whole albums and parts of them.

    Rules by which clearly fewer pictures of whole albums are right than by the best are left out.

    Parameters
    ----------
    gram : ndarray, (n, n)
        Inner products of the pictures.
    faces : FittedFaces
        The pictures.

    Raises
    ------
    InputError
        The pictures are of one person only.
    """
    splits = [known for known, _ in faces.inner_folds(_INNER_FOLDS)]
    rules = [ReferenceRule(shrinkage, mix) for shrinkage in _SHRINKAGES for mix in MIXES]
    albums = _Albums.draw(faces.labels, faces.people)
    judge = partial(_right, gram, faces, albums, rules)
    counts = list(in_order(judge, splits, available_cores()))
    right, number = (np.sum(part, axis=0) for part in zip(*counts, strict=True))
    whole = right[:, _WHOLE]
    few, share = _TOLERANCE
    good = whole.max() - whole <= max(few, share * number[_WHOLE])
    shares = (right[:, number > 0] / number[number > 0]).mean(axis=1)
    return rules[int(np.where(good, shares, -1).argmax())]


def _right(
    gram: Float64Array,
    faces: FittedFaces,
    albums: _Albums,
    rules: list[ReferenceRule],
    known: IntArray,
) -> tuple[IntArray, IntArray]:
    """Correctly classified counted pictures of left-out people (rules, kinds), and all (kinds,)."""
    labels, people = faces.labels, faces.people
    of_known = np.isin(people[albums.rows], people[known])
    kept = ~of_known | (albums.kind == _WHOLE)
    rows, fitted, kind = albums.rows[kept], of_known[kept], albums.kind[kept]
    kinds, scored = int(albums.kind.max()) + 1, faces.counted[rows][~fitted]
    right = np.zeros((len(rules), kinds), np.int_)
    number = np.bincount(kind[~fitted][scored], minlength=kinds)
    if len(set(labels[known])) < 2:  # nothing can be learned of one class
        return right, number
    sides = People(Album(people[rows], groups=albums.album[kept]), labels[rows], fitted)
    some = gram[np.ix_(rows, rows)]
    for counts, rule in zip(right, rules, strict=True):
        named = ReferencedGram(some, sides, rule).settle(labels[rows][fitted])
        hits = (named == labels[rows][~fitted]) & scored
        counts += np.bincount(kind[~fitted][hits], minlength=kinds)
    return right, number
