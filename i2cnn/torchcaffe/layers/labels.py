"""What losses and scores share: checks of their two bottoms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import (
    LabelError,
    Layer,
    Shape,
    canonical_axis,
    count,
    recording,
)
from i2cnn.util.arrays import Float32Array


def check_batch(layer: Layer, shapes: Sequence[Shape]) -> None:
    """Both bottoms of a loss must have the same number of items."""
    if shapes[0][:1] != shapes[1][:1] or not shapes[0]:
        raise layer.fail(f"bottoms {shapes[0]} and {shapes[1]} differ in their first dimension")


def by_item(x: Tensor) -> Tensor:
    """(N, numbers of an item) of N items, which may be none."""
    return x.reshape(len(x), count(x.shape[1:]))


class Labelled(Layer):
    """A layer with scores and labels; checks labels, where Caffe reads past an array's end."""

    bottoms = (2, 2)
    labels_only = frozenset({1})
    #: Number of classes, as the scores of the last pass had it.
    classes = 0

    def check_labels(self, labels: Tensor, classes: int, ignore: int | None) -> Tensor:
        """Labels as integers; an error that names the first one outside [0, classes)."""
        index = labels.long()
        self.classes = classes
        if recording(labels.device):  # the net checks them where it reads them
            return index
        bad = (index < 0) | (index >= classes)
        if ignore is not None:
            bad &= index != ignore
        if bool(bad.any()):
            item = int(torch.nonzero(bad.flatten())[0])
            raise self.label_error(int(index.flatten()[item]), item)
        return index

    def check_host_labels(self, labels: Float32Array) -> None:
        """:meth:`check_labels` of a batch that a recorded pass is about to use."""
        index = labels.astype(np.int64)
        bad = np.flatnonzero((index < 0) | (index >= self.classes))
        if len(bad):
            raise self.label_error(int(index[bad[0]]), int(bad[0]))

    def label_error(self, label: int, item: int) -> LabelError:
        """The error of a label outside the classes."""
        reason = (
            f"label {label} is outside [0, {self.classes}): the layer before has {self.classes} "
            "outputs; correct the label or num_output"
        )
        return LabelError(str(self.fail(reason)), item)

    def label_shapes(self, shapes: Sequence[Shape], axis: int) -> None:
        """Scores (outer, classes, inner) need outer x inner labels."""
        axis = canonical_axis(self, axis, len(shapes[0]))
        wanted = count(shapes[0][:axis]) * count(shapes[0][axis + 1 :])
        if count(shapes[1]) != wanted:
            raise self.fail(
                f"Number of labels must match number of predictions: scores {shapes[0]} need "
                f"{wanted} labels, there are {count(shapes[1])}"
            )
