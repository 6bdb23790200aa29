"""Every number that is computed from predictions."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import bootstrap
from sklearn.metrics import confusion_matrix, f1_score

from i2cnn.evaluation.predictions import Prediction
from i2cnn.svm.probabilities import wilson
from i2cnn.util.errors import InputError

_FEWEST_PEOPLE = 5
_RESAMPLES = 5000
#: Resamples at a time, so that thousands of people do not take gigabytes.
_BATCH = 100


@dataclass(frozen=True)
class Scores:
    """The numbers of a method; shares are between 0 and 1.

    Parameters
    ----------
    fold_accuracies : mapping of int to float
        Accuracy in each fold, averaged over repetitions.
    mean, std : float
        Mean and standard deviation over folds; the paper's accuracy is this mean. A fold's accuracy
        is the mean over its repetitions, so that a repetition of which few folds are done counts
        there only. The deviation is the mean of the repetitions'; of a single fold it is 0.
    seed_means : tuple of float
        Mean over folds for each repetition.
    pooled : float
        Accuracy over all faces together.
    wilson : tuple of float
        95 % Wilson interval of the pooled accuracy, as if all faces were independent.
    bootstrap : tuple of float or None
        95 % interval of the pooled accuracy from resampling people, whose faces are not
        independent; None for fewer than five people, or where nobody knows who is shown.
    macro_f1 : float
        Mean of F1 over the classes that are tested or named.
    confusion : ndarray of int, (classes, classes)
        Rows are the truth; summed over repetitions.
    """

    fold_accuracies: Mapping[int, float]
    mean: float
    std: float
    seed_means: tuple[float, ...]
    pooled: float
    wilson: tuple[float, float]
    bootstrap: tuple[float, float] | None
    macro_f1: float
    confusion: npt.NDArray[np.int64]

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the pooled accuracy: over people if there are enough, else Wilson's."""
        return self.bootstrap or self.wilson

    @property
    def seed_std(self) -> float | None:
        """Standard deviation of the seeds' means; None for a single seed."""
        return statistics.stdev(self.seed_means) if self.seed_means[1:] else None


def score(
    repetitions: Sequence[Sequence[Prediction]], labels: Sequence[str], people_known: bool = True
) -> Scores:
    """Scores of one or more repetitions of an evaluation.

    Parameters
    ----------
    repetitions : sequence of sequence of Prediction
        One list per seed.
    labels : sequence of str
        The task's labels in class order.
    people_known : bool
        Whether subjects are people; if not, every picture stands for itself.

    Raises
    ------
    InputError
        There are no predictions.
    """
    if not any(repetitions):
        raise InputError("there are no predictions to score")
    by_fold = [_fold_accuracies(rows) for rows in repetitions if rows]
    folds = {
        fold: float(np.mean([a[fold] for a in by_fold if fold in a]))
        for fold in sorted(set().union(*by_fold))
    }
    every = [p for rows in repetitions for p in rows]
    truth, predicted = [p.truth for p in every], [p.predicted for p in every]
    pooled = float(np.mean([t == p for t, p in zip(truth, predicted, strict=True)]))
    there = [label for label in labels if label in {*truth, *predicted}]
    number = len({p.image for p in every})
    spreads = [float(np.std(list(a.values()), ddof=1)) for a in by_fold if len(a) > 1]
    seed_means = tuple(float(np.mean(list(a.values()))) for a in by_fold)
    return Scores(
        fold_accuracies=folds,
        mean=float(np.mean(list(folds.values()))),
        std=float(np.mean(spreads)) if spreads else 0.0,
        seed_means=seed_means,
        pooled=pooled,
        wilson=wilson(pooled * number, number),
        bootstrap=_bootstrap(every) if people_known else None,
        macro_f1=float(f1_score(truth, predicted, labels=there, average="macro", zero_division=0)),
        confusion=confusion_matrix(truth, predicted, labels=list(labels)),
    )


def _fold_accuracies(rows: Sequence[Prediction]) -> dict[int, float]:
    hits: dict[int, list[bool]] = {}
    for p in rows:
        hits.setdefault(p.fold, []).append(p.truth == p.predicted)
    return {fold: float(np.mean(values)) for fold, values in hits.items()}


def _bootstrap(rows: Sequence[Prediction]) -> tuple[float, float] | None:
    subjects, index = np.unique([p.subject for p in rows], return_inverse=True)
    if len(subjects) < _FEWEST_PEOPLE:
        return None
    right = np.bincount(index, [p.truth == p.predicted for p in rows])
    result = bootstrap(
        (right, np.bincount(index)),
        lambda hits, number, axis: hits.sum(axis=axis) / number.sum(axis=axis),
        paired=True,
        n_resamples=_RESAMPLES,
        batch=_BATCH,
        method="percentile",
        rng=np.random.default_rng(0),
    )
    low, high = result.confidence_interval
    return float(low), float(high)


def chance(truth: Sequence[str]) -> float:
    """Accuracy of always naming the most frequent label."""
    return truth.count(most_frequent(truth)) / len(truth)


def most_frequent(truth: Sequence[str]) -> str:
    """The most frequent label; of equal ones, the first in the alphabet."""
    return max(sorted(set(truth)), key=truth.count)
