"""Layers that choose items of a batch by the numbers in another bottom."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register


@register("Filter")
class Filter(Layer):
    """Keeps the items whose number in the last bottom, the selector, is not 0."""

    bottoms = (2, None)
    tops = (1, None)

    def setup(self, shapes: Sequence[Shape]) -> None:
        if len(self.param.top) != len(shapes) - 1:
            raise self.fail("Filter makes one top of each bottom but the last; name as many tops")
        self.labels_only = frozenset({len(shapes) - 1})

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        # How many items are kept follows from the data; the tops are as large as the bottoms
        # until a forward pass.
        *items, selector = shapes
        if not selector or count(selector[1:]) != 1:
            raise self.fail(
                f"Selector blob dimensions must be singletons (1), except the first, not {selector}"
            )
        for shape in items:
            if shape[:1] != selector[:1]:
                raise self.fail(
                    "Each bottom should have the same 0th dimension as the selector blob: "
                    f"{shape} and {selector}"
                )
        return items

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        *items, selector = bottoms
        kept = torch.nonzero(selector.reshape(-1)).reshape(-1)
        return [x.index_select(0, kept) for x in items]


@register("BatchReindex")
class BatchReindex(Layer):
    """Items of the first bottom by the indices in the second; gradients add up."""

    bottoms = (2, 2)
    labels_only = frozenset({1})

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        x, index = shapes
        if len(index) != 1:
            raise self.fail(f"the second bottom must be a vector of indices, not {index}")
        if not x:
            raise self.fail("the first bottom has no axes; give a batch of items")
        return [(index[0], *x[1:])]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x, index = bottoms
        if bool((index < 0).any()):
            raise self.fail("Index specified for reindex layer was negative.")
        if not bool((index < len(x)).all()):
            raise self.fail(
                f"Index specified for reindex layer was greater than batch size: {len(x)} items "
                f"have the indices 0 to {len(x) - 1}"
            )
        return [x.index_select(0, index.long())]
