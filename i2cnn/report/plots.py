"""Plots as PNG: confusion matrices, learning curves, methods with their intervals."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# People's labels may have dollar signs, which are not meant for TeX.
matplotlib.rcParams.update({"text.parse_math": False, "text.usetex": False})

_GRAY = "#999999"
_COLOURS = {
    "trained": "#1f6f54",
    "rival": "#5c8db8",
    "untrained": "#a8a8a0",
    "floor": "#a8a8a0",
    "published": "#b85c38",
}
_CYCLE = ("#1f6f54", "#5c8db8", "#c9a227", "#b85c38", "#7a6f9b", "#4aa3a2", "#8a6d3b", "#777777")


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A box stands for a letter that the font does not have.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format="png", dpi=130, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def confusion_png(confusion: npt.NDArray[np.int64], labels: Sequence[str], title: str) -> bytes:
    """Confusion matrix as in the paper's Figure 7: percent of each true class, by row."""
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = 0.75 * len(labels) + 1.2
    figure, axes = plt.subplots(figsize=(side, side))
    axes.imshow(share, cmap="Greens", vmin=0, vmax=100)
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            text = f"{value:.1f}" if confusion[i, j] else "0"
            colour = "white" if value > 55 else "#222222" if confusion[i, j] else "#aaaaaa"
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=9)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title, fontsize=11)
    return _png(figure)


@dataclass(frozen=True)
class Curve:
    """The validations of a training: iterations, training loss, validation loss and accuracy."""

    iterations: Sequence[int]
    train_loss: Sequence[float]
    loss: Sequence[float]
    accuracy: Sequence[float]


def curves_png(curves: Mapping[str, Sequence[Curve]], classes: int) -> bytes:
    """Learning curves: one colour per number of patches, one thin line per training."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 3.4))
    for colour, (name, group) in zip(_CYCLE, curves.items(), strict=False):
        for i, c in enumerate(group):
            width = 1.4 if len(group) == 1 else 0.8
            marker = "o" if len(c.iterations) == 1 else None
            line = {"color": colour, "linewidth": width, "marker": marker, "markersize": 3}
            left.plot(c.iterations, c.train_loss, "--", **line)
            left.plot(c.iterations, c.loss, **line)
            percent = [100 * v for v in c.accuracy]
            right.plot(c.iterations, percent, label=name if i == 0 else None, **line)
    left.axhline(math.log(classes), color=_GRAY, linewidth=0.8, linestyle=":")
    left.set_title("loss (dashed: training; dotted: ln of classes)", fontsize=10)
    left.set_ylim(bottom=0)
    right.axhline(100 / classes, color=_GRAY, linewidth=0.8, linestyle=":")
    right.set_title("accuracy by patch in validation, % (dotted: chance)", fontsize=10)
    for axes in (left, right):
        axes.set_xlabel("iteration")
        axes.spines[["top", "right"]].set_visible(False)
    right.legend(fontsize=8, frameon=False)
    return _png(figure)


def folds_png(rows: Mapping[str, Mapping[int, float]], chance: float) -> bytes:
    """Accuracy in each fold: one group of bars per fold, one colour per method."""
    folds = sorted({fold for row in rows.values() for fold in row})
    figure, axes = plt.subplots(figsize=(max(4.0, 0.8 * len(folds) + 2), 3))
    width = 0.8 / max(1, len(rows))
    for i, (name, row) in enumerate(rows.items()):
        x = [folds.index(fold) + (i - (len(rows) - 1) / 2) * width for fold in row]
        colour = _CYCLE[i % len(_CYCLE)]
        axes.bar(x, [100 * v for v in row.values()], width, label=name, color=colour)
    axes.axhline(100 * chance, color=_GRAY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(folds)), [str(fold) for fold in folds])
    axes.set_xlabel("fold")
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return _png(figure)


@dataclass(frozen=True)
class Bar:
    """A method in a chart: its accuracy, 95 % interval and published accuracy, in percent."""

    title: str
    group: str
    value: float
    low: float
    high: float
    published: float | None = None


def bars_png(bars: Sequence[Bar], chance: float, title: str) -> bytes:
    """Accuracies with intervals, one line per method, the published number as a diamond."""
    figure, axes = plt.subplots(figsize=(8, 0.32 * len(bars) + 1.1))
    for y, bar in enumerate(bars):
        colour = _COLOURS.get(bar.group, _COLOURS["trained"])
        axes.barh(y, bar.value, 0.66, color=colour, alpha=0.85)
        axes.plot([bar.low, bar.high], [y, y], color="#222222", linewidth=1)
        axes.text(1, y, f"{bar.value:.1f}", va="center", fontsize=8, color="white")
        if bar.published is not None:
            axes.plot(bar.published, y, "D", color=_COLOURS["published"], markersize=5)
    axes.axvline(100 * chance, color=_GRAY, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(bars)), [bar.title for bar in bars], fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, % (black: 95 % interval; dotted: chance)", fontsize=9)
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)
