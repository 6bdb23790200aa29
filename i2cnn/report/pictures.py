"""Which pictures a report has; :mod:`i2cnn.report.plots` draws them."""

from __future__ import annotations

from collections.abc import Mapping

from i2cnn.report.plots import Bar, Curve, bars_png, confusion_png, curves_png, folds_png
from i2cnn.report.run_report import MethodReport, RunReport
from i2cnn.svm.variants import TRAINED

METHODS_PICTURE = "methods.png"
PATCHES_PICTURE = "patches.png"
CURVES_PICTURE = "learning_curves.png"
FOLDS_PICTURE = "folds.png"
#: Method whose confusion is drawn beside the network's, as in the paper's Figure 8.
_FIGURE_8 = "rival_lbp_rbf"


def draw_pictures(report: RunReport) -> dict[str, bytes]:
    """All pictures of a report as PNG, by file name."""
    published = {p.ours: p.accuracy for p in report.published if p.ours}
    pictures = {}
    for row in filter(
        None, (report.find(f"k{report.most_patches}_trained"), report.find(_FIGURE_8))
    ):
        name = f"confusion_{row.method.id}.png"
        pictures[name] = confusion_png(row.scores.confusion, report.task.labels, row.method.title)
    title = "accuracy of each method" + (" (diamond: published)" if published else "")
    bars = [_bar(row, published) for row in report.main_methods]
    pictures[METHODS_PICTURE] = bars_png(bars, report.chance, title)
    if report.patch_methods:
        title = f"parts of the {report.most_patches} patches, one network"
        bars = [_bar(row, published) for row in report.patch_methods]
        pictures[PATCHES_PICTURE] = bars_png(bars, report.chance, title)
    if report.trainings:
        pictures[CURVES_PICTURE] = curves_png(_curves(report), len(report.task))
        pictures[FOLDS_PICTURE] = folds_png(_folds(report), report.chance)
    return pictures


def _bar(row: MethodReport, published: Mapping[str, float]) -> Bar:
    low, high = row.scores.interval
    return Bar(
        row.method.title,
        row.method.group,
        100 * row.scores.mean,
        100 * low,
        100 * high,
        published.get(row.method.id),
    )


def _curves(report: RunReport) -> dict[str, list[Curve]]:
    curves: dict[str, list[Curve]] = {}
    for training in report.trainings:
        points = training.record.curve
        curves.setdefault(f"k = {training.k}", []).append(
            Curve(
                [p.iteration for p in points],
                [p.train_loss for p in points],
                [p.loss for p in points],
                [p.accuracy for p in points],
            )
        )
    return curves


def _folds(report: RunReport) -> dict[str, Mapping[int, float]]:
    untrained = f"k{report.most_patches}_untrained"
    return {
        row.method.title: row.scores.fold_accuracies
        for row in report.methods
        if row.method.group == TRAINED or row.method.id == untrained
    }
