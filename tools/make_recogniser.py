"""Makes a recogniser that ships: `make_recogniser.py NAME --faces DIR [--faces DIR ...]`.

Trains HOG of the patches and a linear SVM, as is and with references, on the faces of one or more
folders, whose landmarks dlib finds, as it will in users' pictures. Ten person-independent folds
measure both, and what fewer pictures and fewer expressions cost. Writes i2cnn/models/NAME:
recogniser.json, svm.npz, reference.npz, card.json and card.md.

A folder is one of rendered faces (with landmarks.csv, as the embedded set) or has a folder per
label. Each has an ATTRIBUTION.txt or a LICENSE.txt, whose first paragraphs go into the card.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn import __version__
from i2cnn.datasets import load_dataset
from i2cnn.datasets.labels import task_of
from i2cnn.evaluation.folds import make_folds
from i2cnn.evaluation.predictions import Prediction
from i2cnn.faces.locate import locate_faces
from i2cnn.models.card import Card, Share, write_card
from i2cnn.patches.schemes import DEEPID
from i2cnn.recogniser.bundle import load_bundle, save_hog_bundle
from i2cnn.report.scores import score
from i2cnn.rivals.hog import histograms, unmirrored
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import linear_gram
from i2cnn.svm.person_reference import FEWEST_PICTURES, NOBODY
from i2cnn.svm.population_fit import PopulationFit, fit_population
from i2cnn.svm.probabilities import Bin, bins, calibration_error
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.progress import progress, say

FOLDS, SEED = 10, 0
#: Numbers of reference pictures whose worth is measured, and how often each is drawn per person.
FEW, DRAWS = (2, 3, 5, 7, 10, 14), 5
#: Numbers of expressions that one-sided albums show.
ONE_SIDED = (1, 2, 4)
MODELS = Path(__file__).parents[1] / "i2cnn" / "models"

STRANGERS = (
    "Single photos of strangers: without a reference, 38 % of the photographs of one real set "
    "(seven expressions) were named right, and 73 % of another (six). Give it several pictures of "
    "the person."
)
ALIKE = (
    "An album in which a person always does the same: what its pictures have in common counts as "
    "the person's face, so a reference must show several expressions. Without them, use none."
)


@dataclass(frozen=True)
class Release:
    """What people write of a recogniser; the rest of its card is measured."""

    title: str
    line: str
    warning: str
    licence: str
    limits: tuple[str, ...]


RELEASES = {
    "smile": Release(
        "happy or neutral, for a single photograph",
        "happy or neutral, for a single photograph (real faces)",
        "smile knows happy and neutral only, and learned from posed studio portraits.",
        "The recogniser was made from these pictures and is offered under CC BY 4.0, too: name "
        "their authors where you pass it on.",
        (
            "Any other expression: a face that is sad, angry, afraid, disgusted or surprised is "
            "called neutral or happy, whichever is nearer.",
            "Faint smiles, faces turned away, hands, masks: all its faces look into the camera, "
            "evenly lit, and smile broadly or not at all.",
            ALIKE,
        ),
    ),
    "faces-7": Release(
        "seven expressions, for an album of one person",
        "seven expressions, for several pictures of a person (learned from rendered faces)",
        "faces-7 learned from rendered faces: it needs several pictures of a person "
        "(--people), and single photos of strangers are often named wrong.",
        "Rendered faces, recogniser and card: CC0 1.0, for any purpose.",
        (
            STRANGERS,
            "The accuracies above are of rendered faces, which are easier than photographs. With "
            "the people's own pictures as reference, real posed faces were right in about seven of "
            "ten cases; anger read as neutral or disgust is what stays wrong.",
            ALIKE,
        ),
    ),
}


@dataclass(frozen=True)
class Pictures:
    """Described faces: features (n, patches, dim), class and person of each, and their origin."""

    labels: tuple[str, ...]
    features: Float32Array
    classes: IntArray
    people: AnyArray
    images: tuple[str, ...]
    data: tuple[dict[str, Any], ...]


def read_pictures(folders: Sequence[Path]) -> Pictures:
    """Describe the faces of some folders; pictures without a face are left out and counted."""
    if len({folder.name for folder in folders}) < len(folders):
        raise InputError("two folders of one name, by which their people would be confused")
    features, labels, people, images, data = [], [], [], [], []
    for folder in folders:
        kind = "synthetic" if (folder / "landmarks.csv").is_file() else "folder"
        dataset = load_dataset(kind, folder)
        with progress(f"finding faces in {folder.name}") as update:
            faces = locate_faces(dataset, use_given_points=False, update=update).faces
        used = [face for face in faces if face.found != "prior"]
        with progress(f"describing faces of {folder.name}") as update:
            for number, face in enumerate(used, 1):
                image = read_image(folder / face.image)
                features.append(histograms(image, face.points, DEEPID))
                update(number, len(used))
        labels += [face.label for face in used]
        people += [f"{folder.name}/{face.subject}" for face in used]
        images += [f"{folder.name}/{face.image}" for face in used]
        data.append(
            {
                "folder": folder.name,
                "pictures": len(used),
                "without_a_face": len(faces) - len(used),
                "people": len({face.subject for face in used}),
                "licence": licence_of(folder),
            }
        )
    task = task_of(labels)
    classes = np.array([task.index(label) for label in labels])
    stacked = np.stack(features)
    return Pictures(task.labels, stacked, classes, np.array(people), tuple(images), tuple(data))


def licence_of(folder: Path) -> str:
    """First two paragraphs of a data folder's licence, in one line."""
    for name in ("ATTRIBUTION.txt", "LICENSE.txt"):
        if (folder / name).is_file():
            paragraphs = (folder / name).read_text(encoding="utf-8").strip().split("\n\n")
            return " ".join(" ".join(paragraphs[:2]).split())
    raise InputError(f"{folder}: neither ATTRIBUTION.txt nor LICENSE.txt; the card needs a licence")


def coordinates(features: Float32Array) -> Float32Array:
    """As many numbers (n, 1, n) per picture as pictures, with the same inner products."""
    centred = features - features.mean(axis=0, dtype=np.float64).astype(np.float32)
    values, vectors = np.linalg.eigh(linear_gram(centred))
    rows: Float32Array = (vectors * np.sqrt(np.maximum(values, 0))).astype(np.float32)
    return rows[:, None]


class Evaluation:
    """Ten folds, people apart: as is, with references, and with references of part of an album."""

    def __init__(self, pictures: Pictures) -> None:
        self.pictures = pictures
        self.predictions: dict[tuple[str, int], list[list[Prediction]]] = {}
        self.bins: dict[tuple[str, int], list[list[Bin]]] = {}
        named = [pictures.labels[c] for c in pictures.classes]
        folds = make_folds(list(pictures.people), named, FOLDS, SEED)
        rows = coordinates(pictures.features)
        with progress("folds") as update:
            for number, fold in enumerate(folds.folds, 1):
                tested = np.isin(pictures.people, fold.test)
                known = FittedFaces(pictures.classes[~tested], pictures.people[~tested])
                fit = fit_population(rows[~tested], known)
                say(f"fold {number}: {chosen(fit)}")
                for person in fold.test:
                    self._test(number, fit, rows, np.flatnonzero(pictures.people == person))
                update(number, len(folds))

    def share(self, what: str, number: int = 0) -> Share:
        """Accuracy of what was named in one way."""
        scores = score(self.predictions[what, number], self.pictures.labels)
        return Share(scores.pooled, *scores.interval)

    def confusion(self, what: str) -> tuple[tuple[int, ...], ...]:
        """Tested faces of each label (rows) by what they were named in one way."""
        counts = score(self.predictions[what, 0], self.pictures.labels).confusion
        return tuple(tuple(row) for row in counts.tolist())

    def calibration_error(self, what: str) -> float:
        """How well the probabilities of what was named in one way hold."""
        return calibration_error(self.bins[what, 0])

    def shares(self, what: str) -> dict[int, Share]:
        """Accuracies by the number of pictures or of expressions."""
        return {n: self.share(what, n) for w, n in sorted(self.predictions) if w == what}

    def _test(self, fold: int, fit: PopulationFit, rows: Float32Array, own: IntArray) -> None:
        plain = fit.plain.face_scores(rows[own] - fit.population.mean, len(self.pictures.labels))
        self._add("as is", 0, 0, fold, own, plain)
        self._measure("reference", 0, 0, fold, fit, rows, own, own)
        for what, number, draw, album, tested in self._parts(own):
            self._measure(what, number, draw, fold, fit, rows, album, tested)

    def _parts(self, own: IntArray) -> Iterator[tuple[str, int, int, IntArray, IntArray]]:
        """Parts of a person's album, and the pictures that each is tested on."""
        classes = self.pictures.classes
        rng = np.random.default_rng(SEED)
        for draw in range(DRAWS):
            for number in FEW:
                if number < len(own):
                    mixed = rng.permutation(own)
                    yield "few", number, draw, mixed[:number], mixed[number:]
            for number in ONE_SIDED:
                shown = np.unique(classes[own])
                if number < len(shown):
                    some = rng.choice(shown, number, replace=False)
                    album = own[np.isin(classes[own], some)]
                    if len(album) >= FEWEST_PICTURES:
                        yield "one-sided", number, draw, album, album

    def _measure(
        self,
        what: str,
        number: int,
        draw: int,
        fold: int,
        fit: PopulationFit,
        rows: Float32Array,
        album: IntArray,
        tested: IntArray,
    ) -> None:
        reference = fit.population.reference(rows[album], NOBODY)
        measured = reference.apply(rows[tested])
        scores = fit.population.pairs.face_scores(measured, len(self.pictures.labels))
        self._add(what, number, draw, fold, tested, scores)

    def _add(
        self, what: str, number: int, draw: int, fold: int, tested: IntArray, scores: Float64Array
    ) -> None:
        found = bins(scores, self.pictures.classes[tested])
        self.bins.setdefault((what, number), []).append(found)
        draws = self.predictions.setdefault((what, number), [])
        while len(draws) <= draw:
            draws.append([])
        labels, pictures = self.pictures.labels, self.pictures
        draws[draw] += [
            Prediction(
                fold,
                pictures.images[row],
                str(pictures.people[row]),
                labels[pictures.classes[row]],
                labels[answer],
            )
            for row, answer in zip(tested, scores.argmax(axis=1), strict=True)
        ]


def chosen(fit: PopulationFit) -> str:
    """What was chosen on the people fitted on."""
    rule = fit.population.rule
    return (
        f"C {fit.plain_choice.C:g} as is, {fit.referenced_choice.C:g} with references; shrinkage "
        f"{rule.shrinkage:g}, mix {rule.mix:g}"
    )


def make_card(recogniser: str, release: Release, fit: PopulationFit, tests: Evaluation) -> Card:
    """The card of a recogniser."""
    pictures = tests.pictures
    people = len(set(pictures.people))
    return Card(
        recogniser,
        release.title,
        release.line,
        release.warning,
        pictures.labels,
        "Histograms of oriented gradients of 30 patches per face and a linear SVM "
        f"({chosen(fit)}). Landmarks by dlib.",
        f"{FOLDS} person-independent folds over {len(pictures.images)} pictures of {people} people "
        "of the sets below; whatever is chosen is chosen on the people trained on. References are "
        f"made without labels. Of few pictures: {DRAWS} random draws per person, tested on the "
        "person's other pictures; intervals over people.",
        release.licence,
        pictures.data,
        tests.share("as is"),
        release.limits,
        tests.share("reference"),
        tests.shares("few"),
        tests.shares("one-sided"),
        {
            "as_is": tests.calibration_error("as is"),
            "reference": tests.calibration_error("reference"),
        },
        tests.confusion("as is"),
    )


def check_stored(folder: Path, fit: PopulationFit, pictures: Pictures) -> None:
    """Refuse a bundle whose rounded weights name a picture differently than the fitted ones."""
    bundle = load_bundle(folder)
    assert bundle.population is not None
    number = len(pictures.labels)
    for row in pictures.features:
        exact = fit.plain.face_scores(row[None] - fit.population.mean, number)
        stored = bundle.pairs.face_scores(row[None] - bundle.population.mean, number)
        if exact.argmax() != stored.argmax():
            raise InputError(f"{folder}: half precision changes what is named")


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=RELEASES)
    parser.add_argument("--faces", type=Path, action="append", required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: i2cnn/models/NAME")
    options = parser.parse_args(arguments)
    target = options.out or MODELS / options.name
    release = RELEASES[options.name]
    pictures = read_pictures(options.faces)
    tests = Evaluation(pictures)
    fit = fit_population(pictures.features, FittedFaces(pictures.classes, pictures.people))
    say(f"all: {chosen(fit)}")
    card = make_card(options.name, release, fit, tests)
    origin = {"name": options.name, "version": __version__, "data": list(pictures.data)}
    save_hog_bundle(target, pictures.labels, unmirrored(DEEPID), fit.plain, fit.population, origin)
    check_stored(target, fit, pictures)
    write_card(target, card)
    say(f"{target}: as is {card.as_is}, with references {card.reference}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as error:
        sys.exit(f"make_recogniser: error: {error}")
