"""Plots as PNG: confusion matrices, learning curves, methods with their intervals."""

from __future__ import annotations

import io
import math
import textwrap
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.text import Text

from i2cnn.network.loop import Validation
from i2cnn.report.colours import INK, PUBLISHED, QUIET
from i2cnn.util.fonts import font_of

matplotlib.use("Agg")
from matplotlib import pyplot as plt

# People's labels may have dollar signs, which are not meant for TeX.
matplotlib.rcParams.update({"text.parse_math": False, "text.usetex": False})

#: So narrow that its letters can be read on a telephone.
_WIDTH = 4.8
_SMALL = 8.5
#: Height of a method in a chart, in inches.
_LINE = 0.23
#: Least contrast of letters to what they stand on (WCAG 2, level AA).
_LEAST_CONTRAST = 4.5


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    for text in figure.findobj(Text):
        if (font := font_of(text.get_text())) != font_of(""):
            text.get_fontproperties().set_file(font)
    with warnings.catch_warnings():
        # A box stands for a letter that the font does not have.
        warnings.filterwarnings("ignore", "Glyph")
        figure.savefig(buffer, format="png", dpi=170)
    plt.close(figure)
    return buffer.getvalue()


def confusion_png(confusion: npt.NDArray[np.int64], labels: Sequence[str], title: str) -> bytes:
    """Confusion matrix as in the paper's Figure 7: percent of each true class, by row."""
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = 0.56 * len(labels) + 1.2
    width = max(side, 4.5)  # the page scales all pictures to one width, and so their letters
    figure, axes = plt.subplots(figsize=(width, side), layout="constrained")
    axes.tick_params(labelsize=_SMALL)
    image = axes.imshow(share, cmap="Greens", vmin=0, vmax=100)
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            text = f"{value:.1f}" if confusion[i, j] else "0"
            colour = ink_on(to_rgb(image.cmap(value / 100)))
            axes.text(j, i, text, ha="center", va="center", color=colour, fontsize=_SMALL)
    axes.set_xticks(range(len(labels)), labels, rotation=40, ha="right")
    axes.set_yticks(range(len(labels)), labels)
    axes.set_xlabel("predicted", fontsize=_SMALL)
    axes.set_ylabel("true", fontsize=_SMALL)
    # A line of it is at most as wide as the picture, and is cut off nowhere.
    axes.set_title(textwrap.fill(title, max(7 * len(labels), 30)), fontsize=10)
    return _png(figure)


def ink_on(colour: Sequence[float]) -> str:
    """Black letters on a colour (red, green, blue from 0 to 1), or white ones where these fail."""
    return "black" if contrast(colour, (0, 0, 0)) >= _LEAST_CONTRAST else "white"


def contrast(first: Sequence[float], second: Sequence[float]) -> float:
    """Contrast of two colours after WCAG 2, from 1 to 21."""
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Sequence[float]) -> float:
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour[:3]]
    return float(np.dot((0.2126, 0.7152, 0.0722), linear))


@dataclass(frozen=True)
class Line:
    """What a method of a chart is called, and its colour."""

    title: str
    colour: str


def curves_png(curves: Mapping[Line, Sequence[Sequence[Validation]]], classes: int) -> bytes:
    """Learning curves: one colour per number of patches, one thin line per training."""
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(_WIDTH, 5.4), sharex=True, layout="constrained"
    )
    for name, group in curves.items():
        for i, curve in enumerate(group):
            width = 1.4 if len(group) == 1 else 0.8
            marker = "o" if len(curve) == 1 else None
            line = {"color": name.colour, "linewidth": width, "marker": marker, "markersize": 3}
            iterations = [point.iteration for point in curve]
            upper.plot(iterations, [point.train_loss for point in curve], "--", **line)
            upper.plot(iterations, [point.loss for point in curve], **line)
            percent = [100 * point.accuracy for point in curve]
            lower.plot(iterations, percent, label=name.title if i == 0 else None, **line)
    upper.axhline(math.log(classes), color=QUIET, linewidth=0.8, linestyle=":")
    upper.set_ylabel("loss of single patches", fontsize=_SMALL)
    upper.set_title("dashed: training, solid: validation, dotted: guessing", fontsize=_SMALL)
    upper.set_ylim(bottom=0)
    lower.axhline(100 / classes, color=QUIET, linewidth=0.8, linestyle=":")
    lower.set_ylabel("accuracy of single patches, %", fontsize=_SMALL)
    lower.set_xlabel("iteration", fontsize=_SMALL)
    lower.xaxis.get_major_locator().set_params(integer=True)
    for axes in (upper, lower):
        axes.tick_params(labelsize=_SMALL)
        axes.spines[["top", "right"]].set_visible(False)
    lower.legend(fontsize=_SMALL, frameon=False)
    return _png(figure)


def folds_png(rows: Mapping[Line, Mapping[int, float]], chance: float) -> bytes:
    """Accuracy in each fold: one group of bars per fold, one colour per method."""
    folds = sorted({fold for row in rows.values() for fold in row})
    figure, axes = plt.subplots(figsize=(_WIDTH, 2.8), layout="constrained")
    width = 0.8 / max(1, len(rows))
    for i, (name, row) in enumerate(rows.items()):
        x = [folds.index(fold) + (i - (len(rows) - 1) / 2) * width for fold in row]
        heights = [100 * v for v in row.values()]
        axes.bar(x, heights, width, label=name.title, color=name.colour)
    axes.axhline(100 * chance, color=QUIET, linewidth=0.8, linestyle=":")
    axes.set_xticks(range(len(folds)), [str(fold) for fold in folds])
    axes.set_xlabel("fold", fontsize=_SMALL)
    axes.set_ylabel("accuracy, %", fontsize=_SMALL)
    axes.set_ylim(0, 100)
    axes.tick_params(labelsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", fontsize=_SMALL, frameon=False, ncol=2)
    return _png(figure)


@dataclass(frozen=True)
class Bar:
    """A method in a chart: its accuracy, 95 % interval and published accuracy, in percent."""

    title: str
    colour: str
    value: float
    low: float
    high: float
    published: float | None = None


def bars_png(bars: Sequence[Bar], chance: float, winner: bool = False) -> bytes:
    """Accuracies with intervals, one line per method, the published number as a diamond.

    Parameters
    ----------
    bars : sequence of Bar
        From the top.
    chance : float
        From 0 to 1.
    winner : bool
        Mark the first bar as the best.
    """
    figure, axes = plt.subplots(figsize=(_WIDTH, _LINE * len(bars) + 0.7), layout="constrained")
    for y, bar in enumerate(bars):
        axes.barh(y, bar.value, 0.66, color=bar.colour)
        axes.plot([bar.low, bar.high], [y, y], color="white", linewidth=3)
        axes.plot([bar.low, bar.high], [y, y], color=INK, linewidth=1.2)
        best = winner and y == 0
        text = f"{bar.value:.1f}" + (" best" if best else "")
        weight = "bold" if best else "normal"
        axes.text(102, y, text, va="center", fontsize=_SMALL, color=INK, weight=weight)
        if bar.published is not None:
            axes.plot(bar.published, y, "D", color=PUBLISHED, markersize=5, mec="white")
    axes.axvline(100 * chance, color=INK, linewidth=0.8, linestyle=":")
    axes.set_yticks(range(len(bars)), [bar.title for bar in bars], fontsize=_SMALL)
    if winner:
        axes.get_yticklabels()[0].set_fontweight("bold")
    axes.invert_yaxis()
    axes.tick_params(labelsize=_SMALL)
    axes.set_xlim(0, 100)
    axes.set_xlabel("accuracy, %", fontsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


def ranks_png(ranks: Mapping[Line, float], groups: Sequence[Sequence[int]], units: str) -> bytes:
    """Mean ranks, best on top; a line joins methods of which no two differ significantly.

    Parameters
    ----------
    ranks : mapping of Line to float
        From the best to the worst.
    groups : sequence of sequence of int
        Places of the methods that a line joins, of neighbours in the order of ranks.
    units : str
        Over what ranks are means: people, or pictures.
    """
    figure, axes = plt.subplots(figsize=(_WIDTH, _LINE * len(ranks) + 0.7), layout="constrained")
    for y, (line, rank) in enumerate(ranks.items()):
        axes.plot(rank, y, "o", color=line.colour, markersize=7, zorder=3)
        axes.axhline(y, color="#dddddd", linewidth=0.8)
    right = len(ranks) + 0.5
    for i, group in enumerate(groups):
        x = right + 0.03 * right * (i + 1)
        axes.plot([x, x], [group[0] - 0.3, group[-1] + 0.3], color=INK, linewidth=2.5)
    axes.set_yticks(range(len(ranks)), [line.title for line in ranks], fontsize=_SMALL)
    axes.invert_yaxis()
    axes.tick_params(labelsize=_SMALL)
    axes.set_xlim(0.5, right + 0.03 * right * (len(groups) + 1))
    axes.set_xticks(range(1, len(ranks) + 1, max(1, len(ranks) // 6)))
    axes.set_xlabel(f"mean rank over {units} (1 is best)", fontsize=_SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    return _png(figure)


@dataclass(frozen=True)
class Panel:
    """A region of the face: what stands above it, and its corners in pixels (4, 2)."""

    title: str
    corners: npt.NDArray[np.float64]


def regions_png(face: npt.NDArray[np.uint8], panels: Sequence[Panel]) -> bytes:
    """Each region's frame on a gray face (height, width), what lies outside it faded."""
    columns = 5
    rows = math.ceil(len(panels) / columns)
    every = np.concatenate([panel.corners for panel in panels])
    (left, top), (right, bottom) = every.min(axis=0) - 5, every.max(axis=0) + 5
    height = _WIDTH / columns * float((bottom - top) / (right - left))
    figure, grid = plt.subplots(
        rows,
        columns,
        figsize=(_WIDTH, rows * (height + 0.45)),
        squeeze=False,
        layout="constrained",
    )
    for axes in grid.flat:
        axes.set_axis_off()
    for axes, panel in zip(grid.flat, panels, strict=False):
        axes.set_facecolor("white")
        extent = (-0.5, face.shape[1] - 0.5, face.shape[0] - 0.5, -0.5)
        axes.imshow(face, cmap="gray", vmin=0, vmax=255, alpha=0.35, extent=extent)
        inside = axes.imshow(face, cmap="gray", vmin=0, vmax=255, extent=extent)
        frame = Polygon(panel.corners, closed=True, fill=False, color=PUBLISHED, linewidth=1.6)
        axes.add_patch(frame)
        inside.set_clip_path(frame)
        axes.set_xlim(left, right)
        axes.set_ylim(bottom, top)
        axes.set_title(panel.title, fontsize=7.5, pad=3)
    return _png(figure)
