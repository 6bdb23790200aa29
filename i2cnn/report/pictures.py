"""Which pictures a report has; :mod:`i2cnn.report.plots` draws them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from i2cnn.datasets import load_dataset
from i2cnn.evaluation.methods import network_id
from i2cnn.evaluation.settings import run_scheme
from i2cnn.network.loop import Validation
from i2cnn.patches.preview import box_corners
from i2cnn.report.colours import colours
from i2cnn.report.comparisons import Comparison
from i2cnn.report.plots import (
    Bar,
    Line,
    Panel,
    bars_png,
    confusion_png,
    curves_png,
    folds_png,
    ranks_png,
    regions_png,
)
from i2cnn.report.run_report import MethodReport, RunReport
from i2cnn.report.tables import by_accuracy
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.images import as_gray, read_image

METHODS_PICTURE = "methods.png"
PATCHES_PICTURE = "patches.png"
REGIONS_PICTURE = "regions.png"
CURVES_PICTURE = "learning_curves.png"
FOLDS_PICTURE = "folds.png"
RANKS_PICTURE, REFERENCE_RANKS_PICTURE = "ranks.png", "ranks_reference.png"
#: Method whose confusion is drawn beside the network's, as in the paper's Figure 8.
_FIGURE_8 = "rival_lbp_rbf"


@dataclass(frozen=True)
class Picture:
    """A picture of a report: its content, and what it says to those who cannot see it."""

    png: bytes
    alt: str


def draw_pictures(report: RunReport) -> dict[str, Picture]:
    """All pictures of a report, by file name."""
    palette = colours([row.method for row in report.methods])
    pictures = {
        f"confusion_{row.method.id}.png": _confusion(report, row)
        for row in (report.leading, report.find(_FIGURE_8))
        if row is not None
    }
    pictures[METHODS_PICTURE] = _methods(report, palette)
    for comparison in (c for c in report.comparisons if c.pairs):
        name = REFERENCE_RANKS_PICTURE if comparison.reference else RANKS_PICTURE
        pictures[name] = _ranks(report, comparison, palette)
    if report.patch_methods:
        pictures[PATCHES_PICTURE] = _patches(report, palette)
        pictures[REGIONS_PICTURE] = _regions(report)
    if report.trainings:
        pictures[CURVES_PICTURE] = _learning_curves(report, palette)
        if not report.settings.has_own_split:
            pictures[FOLDS_PICTURE] = _folds(report, palette)
    return pictures


def _confusion(report: RunReport, row: MethodReport) -> Picture:
    labels, confusion = report.task.labels, row.scores.confusion
    right = [
        f"{label} {100 * confusion[i, i] / max(1, confusion[i].sum()):.0f} %"
        for i, label in enumerate(labels)
    ]
    return Picture(
        confusion_png(confusion, labels, row.method.title),
        f"Confusion matrix of {row.method.title}. Rightly named: {', '.join(right)}.",
    )


def _methods(report: RunReport, palette: Mapping[str, str]) -> Picture:
    published = {p.ours: p.accuracy for p in report.published if p.ours}
    rows = by_accuracy(report.main_methods)
    named = [f"{row.method.title} {100 * row.scores.mean:.1f} %" for row in rows]
    return Picture(
        bars_png(
            [_bar(row, palette, published) for row in rows], report.chance, report.on_equal_folds
        ),
        f"Bars, the best first: {', '.join(named)}. Chance is {100 * report.chance:.1f} %.",
    )


def _patches(report: RunReport, palette: Mapping[str, str]) -> Picture:
    whole = [] if report.network is None else [report.network]
    rows = [*whole, *by_accuracy(report.patch_methods)]
    named = [f"{row.method.title} {100 * row.scores.mean:.1f} %" for row in rows]
    return Picture(
        bars_png([_bar(row, palette, {}) for row in rows], report.chance),
        f"Bars of the network on all patches, and on parts of them: {', '.join(named)}.",
    )


def _regions(report: RunReport) -> Picture:
    """The scheme's regions on a rendered face, and what the network makes of each alone."""
    scheme = run_scheme(report.settings)
    dataset = load_dataset("synthetic")
    sample = next(s for s in dataset.samples if s.label == "neutral")
    corners = box_corners(np.array(sample.points), scheme)[
        scheme.middle_scale :: len(scheme.scales)
    ]
    panels = []
    for region, frame in zip(scheme.regions, corners, strict=True):
        row = report.find(network_id(report.most_patches, f"region_{region.name}"))
        words = textwrap.fill(region.words, 12)
        share = "" if row is None else f"\n{100 * row.scores.mean:.1f} %"
        panels.append(Panel(words + share, frame))
    names = ", ".join(region.words for region in scheme.regions)
    return Picture(
        regions_png(as_gray(read_image(dataset.root / sample.image)), panels),
        f"The regions that patches show, on a face: {names}.",
    )


def _bar(row: MethodReport, palette: Mapping[str, str], published: Mapping[str, float]) -> Bar:
    low, high = row.scores.interval
    return Bar(
        row.method.title,
        palette[row.method.id],
        100 * row.scores.mean,
        100 * low,
        100 * high,
        published.get(row.method.id),
    )


def _ranks(report: RunReport, comparison: Comparison, palette: Mapping[str, str]) -> Picture:
    titles = {row.method.id: row.method.title for row in report.methods}
    order = sorted(comparison.ranks, key=lambda method: comparison.ranks[method])
    ranks = {Line(titles[i], palette[i]): comparison.ranks[i] for i in order}
    groups = comparison.groups()
    named = [f"{line.title} {rank:.1f}" for line, rank in ranks.items()]
    joined = [f"{titles[group[0]]} to {titles[group[-1]]}" for group in groups]
    return Picture(
        ranks_png(
            ranks, [[order.index(method) for method in group] for group in groups], report.units
        ),
        f"Mean ranks over {report.units}, the best first: {', '.join(named)}. "
        f"Not significantly different: {'; '.join(joined) or 'no two'}.",
    )


def _learning_curves(report: RunReport, palette: Mapping[str, str]) -> Picture:
    curves: dict[Line, list[Sequence[Validation]]] = {}
    for training in report.trainings:
        line = Line(f"k = {training.k}", palette[network_id(training.k, TRAINED)])
        curves.setdefault(line, []).append(training.record.curve)
    best = [
        f"{line.title} {100 * max(p.accuracy for curve in found for p in curve):.0f} %"
        for line, found in curves.items()
    ]
    return Picture(
        curves_png(curves, len(report.task)),
        "Loss and validation accuracy of single patches by iteration; highest accuracy of a "
        f"training: {', '.join(best)}.",
    )


def _folds(report: RunReport, palette: Mapping[str, str]) -> Picture:
    untrained = network_id(report.most_patches, UNTRAINED)
    rows = [
        row
        for row in report.main_methods
        if row.method.group == TRAINED or row.method.id == untrained
    ]
    spans = [
        f"{row.method.title} {100 * min(values):.0f} to {100 * max(values):.0f} %"
        for row in rows
        if (values := row.scores.fold_accuracies.values())
    ]
    lines = {
        Line(row.method.title, palette[row.method.id]): row.scores.fold_accuracies for row in rows
    }
    return Picture(
        folds_png(lines, report.chance),
        f"Accuracy in each fold, lowest to highest: {', '.join(spans)}.",
    )
