"""What losses and scores share: checks of their two bottoms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import LabelError, Layer, Shape, canonical_axis, count


def check_batch(layer: Layer, shapes: Sequence[Shape]) -> None:
    """Both bottoms of a loss must have the same number of items."""
    if shapes[0][:1] != shapes[1][:1] or not shapes[0]:
        raise layer.fail(f"bottoms {shapes[0]} and {shapes[1]} differ in their first dimension")


class Labelled(Layer):
    """A layer with scores and labels; checks labels, where Caffe reads past an array's end."""

    bottoms = (2, 2)
    labels_only = frozenset({1})

    def check_labels(self, labels: Tensor, classes: int, ignore: int | None) -> Tensor:
        """Labels as integers; an error that names the first one outside [0, classes)."""
        index = labels.long()
        bad = (index < 0) | (index >= classes)
        if ignore is not None:
            bad &= index != ignore
        if bool(bad.any()):
            item = int(torch.nonzero(bad.flatten())[0])
            raise LabelError(
                str(
                    self.fail(
                        f"label {int(index.flatten()[item])} is outside [0, {classes}): the layer "
                        f"before has {classes} outputs; correct the label or num_output"
                    )
                ),
                item,
            )
        return index

    def label_shapes(self, shapes: Sequence[Shape], axis: int) -> None:
        """Scores (outer, classes, inner) need outer x inner labels."""
        axis = canonical_axis(self, axis, len(shapes[0]))
        wanted = count(shapes[0][:axis]) * count(shapes[0][axis + 1 :])
        if count(shapes[1]) != wanted:
            raise self.fail(
                f"Number of labels must match number of predictions: scores {shapes[0]} need "
                f"{wanted} labels, there are {count(shapes[1])}"
            )
