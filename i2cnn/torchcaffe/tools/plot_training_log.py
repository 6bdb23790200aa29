"""plot_training_log: a chart of what one or more logs say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.torchcaffe.tools.logs import Row, Training, read_log
from i2cnn.util.files import atomic_path

_FIELDS = ("Test accuracy", "Test loss", "Train learning rate", "Train loss")
_AXES = {"Iters": "NumIters", "Seconds": "Seconds"}
#: What is drawn against what, by the number that chooses it.
CHARTS = [(y, x) for y in _FIELDS for x in _AXES]


def usage() -> str:
    """The program's usage, with the kinds of charts."""
    kinds = "".join(f"    {i}: {y}  vs. {x}\n" for i, (y, x) in enumerate(CHARTS))
    return (
        f"usage: i2cnn caffe plot_training_log CHART[0-{len(CHARTS) - 1}] SAVE.png FIRST.log ...\n"
        "\nAccuracy and loss of tests are the test net's first and second output.\n"
        f"Supported chart types:\n{kinds}"
    )


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    if len(words) < 3:
        return show_usage(usage())
    number, target, *logs = words
    if not (number.isdecimal() and int(number) < len(CHARTS)):
        raise CaffeError(f"{number} is not a valid chart type; 0 to {len(CHARTS) - 1} are")
    if not target.endswith(".png"):
        raise CaffeError(f"{target}: the chart's file must end in .png")
    y, x = CHARTS[int(number)]
    # Imported late, as drawing is all that needs it.
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.add_subplot()
    for path in logs:
        points = chart(read_log(path), y)
        if not points:
            raise CaffeError(f"{path}: says nothing of {y.lower()}")
        xs = [point[_AXES[x]] for point in points]
        axes.plot(xs, [point["y"] for point in points], marker=".", label=Path(path).stem)
    axes.set(title=f"{y}  vs. {x}", xlabel=x, ylabel=y)
    axes.legend(loc="lower right" if "accuracy" in y else "upper right")
    with atomic_path(Path(target)) as temporary:
        figure.savefig(temporary)
    return 0


def chart(training: Training, y: str) -> list[Row]:
    """Points of a chart: NumIters, Seconds and y."""
    if y == "Train loss":
        return [{**row, "y": row["loss"]} for row in training.losses]
    if y == "Train learning rate":
        return [{**row, "y": row["LearningRate"]} for row in training.rates]
    place = 3 if y == "Test accuracy" else 4  # after NumIters, Seconds and LearningRate
    return [{**row, "y": list(row.values())[place]} for row in training.test if len(row) > place]
