"""Predictions as they are stored, and every number computed from them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from sklearn.metrics import confusion_matrix, f1_score

from i2cnn.errors import InputError
from i2cnn.files import write_text

_Z95 = 1.959963984540054


@dataclass(frozen=True)
class Prediction:
    """One face, tested once.

    Parameters
    ----------
    fold : int
        Counted from 1.
    image, subject, truth, predicted : str
    """

    fold: int
    image: str
    subject: str
    truth: str
    predicted: str


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write predictions as CSV, atomically."""
    text = io.StringIO()
    names = [f.name for f in fields(Prediction)]
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(p) for p in predictions)
    write_text(path, text.getvalue())


def read_predictions(path: Path) -> list[Prediction]:
    """Read predictions; InputError names the line that cannot be used."""
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    result = []
    for line, row in enumerate(rows, 2):
        try:
            result.append(
                Prediction(
                    int(row["fold"]), row["image"], row["subject"], row["truth"], row["predicted"]
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}:{line}: not a prediction ({error!r})") from None
    return result


@dataclass(frozen=True)
class Scores:
    """What is reported of a method; shares between 0 and 1.

    Parameters
    ----------
    fold_accuracies : dict of int to float
    mean, std : float
        Over folds; the paper's accuracy is this mean.
    pooled : float
        Over all faces.
    interval : tuple of float
        95 % Wilson interval of the pooled accuracy. Faces of one person are not independent, so
        the truth is wider.
    macro_f1 : float
    confusion : ndarray of int, (classes, classes)
        Rows are the truth.
    """

    fold_accuracies: dict[int, float]
    mean: float
    std: float
    pooled: float
    interval: tuple[float, float]
    macro_f1: float
    confusion: np.ndarray


def score(predictions: Sequence[Prediction], labels: Sequence[str]) -> Scores:
    """Scores of predictions over the task's labels."""
    if not predictions:
        raise InputError("there are no predictions to score")
    truth = [p.truth for p in predictions]
    predicted = [p.predicted for p in predictions]
    folds = {
        fold: float(np.mean([p.truth == p.predicted for p in predictions if p.fold == fold]))
        for fold in sorted({p.fold for p in predictions})
    }
    hits = sum(t == p for t, p in zip(truth, predicted, strict=True))
    values = list(folds.values())
    return Scores(
        folds,
        float(np.mean(values)),
        float(np.std(values, ddof=1)) if len(values) > 1 else 0.0,
        hits / len(truth),
        wilson(hits, len(truth)),
        float(f1_score(truth, predicted, labels=list(labels), average="macro", zero_division=0)),
        confusion_matrix(truth, predicted, labels=list(labels)),
    )


def wilson(hits: int, number: int) -> tuple[float, float]:
    """95 % Wilson interval of a share."""
    share = hits / number
    centre = (share + _Z95**2 / (2 * number)) / (1 + _Z95**2 / number)
    half = (
        _Z95
        / (1 + _Z95**2 / number)
        * np.sqrt(share * (1 - share) / number + _Z95**2 / (4 * number**2))
    )
    return float(centre - half), float(centre + half)


def chance(truth: Sequence[str]) -> float:
    """Accuracy of always naming the most frequent label."""
    _, counts = np.unique(truth, return_counts=True)
    return float(counts.max() / counts.sum())
