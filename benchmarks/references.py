"""What references are worth on the embedded faces: which rule, and how one-sided an album may be.

    python benchmarks/references.py [--rivals hog,gabor] [--json FILE]

Ten person-independent folds. Two sets: the embedded one, whose people show all seven expressions
three times, and parts of it in which each person shows only two to four of them (several draws),
as people do in CK+. For each the accuracy under every rule, and under the rule that is chosen in
each fold on its training people. Intervals are 95 %, from resampling people.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from i2cnn.datasets import load_dataset
from i2cnn.evaluation.folds import make_folds
from i2cnn.faces.locate import locate_faces
from i2cnn.rivals.describe import describe
from i2cnn.rivals.fold import RivalFold
from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram_svc import fit_and_predict
from i2cnn.svm.person_reference import ReferenceRule
from i2cnn.svm.reference import (
    MIXES,
    NO_REFERENCE,
    SHRINKAGES,
    People,
    ReferencedFold,
    ReferencedGram,
)
from i2cnn.util.arrays import AnyArray, BoolArray, Float64Array, IntArray
from i2cnn.util.progress import progress

FOLDS = 10
DRAWS = 4
#: Rules beside the chosen one; mixes only with the middle shrinkage.
RULES = [ReferenceRule(s) for s in SHRINKAGES] + [ReferenceRule(3.0, m) for m in MIXES[1:]]


@dataclass(frozen=True)
class Faces:
    """Features, labels and people of a set of faces."""

    features: AnyArray
    labels: IntArray
    people: AnyArray

    def part(self, rows: BoolArray) -> Faces:
        """Some of the faces."""
        return Faces(self.features[rows], self.labels[rows], self.people[rows])


def few_expressions(faces: Faces, seed: int) -> BoolArray:
    """Rows of a set in which each person shows two to four expressions."""
    rng = np.random.default_rng(seed)
    kept = np.zeros(len(faces.labels), bool)
    for person in np.unique(faces.people):
        shown = rng.choice(7, rng.integers(2, 5), replace=False)
        kept |= (faces.people == person) & np.isin(faces.labels, shown)
    return kept


def right_under_each_rule(rival: str, faces: Faces) -> dict[str, BoolArray]:
    """Whether each face is named right in its fold, by rule."""
    found: dict[str, BoolArray] = {}
    folds = make_folds(list(faces.people), list(map(str, faces.labels)), FOLDS, seed=0)
    for fold in folds.folds:
        tested = np.flatnonzero(np.isin(faces.people, fold.test))
        fitted = np.flatnonzero(~np.isin(faces.people, fold.test))
        known = FittedFaces(faces.labels[fitted], faces.people[fitted])
        gram = RivalFold(rival, faces.features, fitted, tested, known).whole_gram
        for name, named in _named(gram, faces, known, fitted, tested).items():
            right = found.setdefault(name, np.zeros(len(faces.labels), bool))
            right[tested] = named == faces.labels[tested]
    return found


def _named(
    gram: Float64Array, faces: Faces, known: FittedFaces, fitted: IntArray, tested: IntArray
) -> dict[str, IntArray]:
    album = Album(faces.people)
    sides = np.isin(np.arange(len(gram)), fitted)
    named = {}
    for rule in RULES:
        referenced = ReferencedGram(gram, People(album, faces.labels, sides), rule)
        referenced.settle(known.labels)
        _, named[_title(rule)] = fit_and_predict(referenced.fold(), known, ("linear",))
    chosen = ReferencedFold(gram, album, fitted, tested, known)
    _, named["chosen on training people"] = fit_and_predict(chosen.gram(), known, ("linear",))
    return named


def _title(rule: ReferenceRule) -> str:
    if rule == NO_REFERENCE:
        return "as is"
    return f"shrinkage {rule.shrinkage:g}" + (f", mix {rule.mix:g}" if rule.mix else "")


def interval(right: BoolArray, people: AnyArray) -> tuple[float, float, float]:
    """Percent right, and its 95 % interval from resampling people."""
    names, index = np.unique(people, return_inverse=True)
    hits, faces = np.bincount(index, right), np.bincount(index)
    drawn = np.random.default_rng(0).integers(len(names), size=(2000, len(names)))
    low, high = np.percentile(hits[drawn].sum(1) / faces[drawn].sum(1), [2.5, 97.5])
    return 100 * float(right.mean()), 100 * float(low), 100 * float(high)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rivals", default="hog", help="comma-separated (default: hog)")
    parser.add_argument("--json", type=Path, help="also write the figures into this file")
    options = parser.parse_args()
    dataset = load_dataset("synthetic")
    located = locate_faces(dataset).faces
    labels = np.array([dataset.task.index(face.label) for face in located])
    people = np.array([face.subject for face in located])
    figures: dict[str, dict[str, dict[str, tuple[float, float, float]]]] = {}
    for rival in options.rivals.split(","):
        faces = Faces(describe(rival, located, dataset.root), labels, people)
        with progress(f"folds of {rival}") as update:
            everything = right_under_each_rule(rival, faces)
            update(1, 1 + DRAWS)
            parts = []
            for draw in range(DRAWS):
                part = faces.part(few_expressions(faces, draw))
                parts.append((right_under_each_rule(rival, part), part.people))
                update(2 + draw, 1 + DRAWS)
        figures[rival] = {
            "all expressions": {k: interval(v, people) for k, v in everything.items()}
        }
        figures[rival]["two to four expressions"] = {
            # A person of two draws is two people here, with albums of their own.
            rule: interval(
                np.concatenate([right[rule] for right, _ in parts]),
                np.concatenate([np.char.add(f"{d}:", who) for d, (_, who) in enumerate(parts)]),
            )
            for rule in everything
        }
        _print(rival, figures[rival])
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def _print(rival: str, figures: dict[str, dict[str, tuple[float, float, float]]]) -> None:
    table = Table(title=f"{rival}: accuracy %, 95 % interval over people")
    table.add_column("rule")
    for name in figures:
        table.add_column(name, justify="right")
    for rule in next(iter(figures.values())):
        cells = ("{:.1f} ({:.1f} - {:.1f})".format(*column[rule]) for column in figures.values())
        table.add_row(rule, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
