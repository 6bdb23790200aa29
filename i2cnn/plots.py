"""Pictures of a report: confusion matrices and learning curves."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np

from i2cnn.training import Validation

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_GREEN, _GRAY = "#1f6f54", "#999999"


def _png(figure: plt.Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def confusion_png(confusion: np.ndarray, labels: Sequence[str], title: str) -> bytes:
    """Confusion matrix as in the paper's Figure 7: percent of each true class, rows the truth."""
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


def curves_png(curves: Mapping[str, Sequence[Validation]], classes: int) -> bytes:
    """Training loss, validation loss and validation accuracy of every training."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2))
    for name, curve in curves.items():
        x = [v.iteration for v in curve]
        (line,) = left.plot(x, [v.train_loss for v in curve], "--", linewidth=1)
        left.plot(x, [v.loss for v in curve], color=line.get_color(), linewidth=1.4)
        right.plot(
            x, [100 * v.accuracy for v in curve], color=line.get_color(), linewidth=1.4, label=name
        )
    left.axhline(math.log(classes), color=_GRAY, linewidth=0.8, linestyle=":")
    left.set_title("loss (dashed: training; dotted: ln of classes)", fontsize=10)
    right.axhline(100 / classes, color=_GRAY, linewidth=0.8, linestyle=":")
    right.set_title("patch accuracy in validation, %", fontsize=10)
    for axes in (left, right):
        axes.set_xlabel("iteration")
        axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        right.legend(fontsize=7, frameon=False)
    return _png(figure)


def folds_png(rows: Mapping[str, Mapping[int, float]], chance: float) -> bytes:
    """Accuracy of each fold, one group of bars a fold, one colour a method."""
    folds = sorted({fold for row in rows.values() for fold in row})
    figure, axes = plt.subplots(figsize=(max(4.0, 0.8 * len(folds) + 2), 3))
    colours = [_GREEN, "#a8c8b8", "#c9a227", "#7a6f9b", "#b85c38", "#5c8db8"]
    width = 0.8 / max(1, len(rows))
    for i, (name, row) in enumerate(rows.items()):
        x = [folds.index(fold) + (i - (len(rows) - 1) / 2) * width for fold in row]
        colour = colours[i % len(colours)]
        axes.bar(x, [100 * v for v in row.values()], width, label=name, color=colour)
    axes.axhline(100 * chance, color=_GRAY, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(folds)), [f"fold {fold}" for fold in folds])
    axes.set_ylabel("accuracy, %")
    axes.set_ylim(0, 100)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return _png(figure)
