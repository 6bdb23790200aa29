"""What a net consists of: layers with their blobs, and the parameters that a solver updates."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.layers import Layer

#: Name of a loss's top that the prototxt leaves out; such tops are not outputs.
AUTOMATIC = "(automatic)"
MULTIPLIERS = ("lr_mult", "decay_mult")


@dataclass
class Learnable:
    """A parameter the solver updates, with its multipliers, and which of them a layer gives.

    `layer` and `index` say of which layer it is, and which of that layer's parameters.
    """

    blob: Blob
    layer: str
    index: int
    lr_mult: float
    decay_mult: float
    given: set[str]


@dataclass
class Node:
    """A layer within a net: its blobs, and which of them need a gradient.

    `shared` has the numbers of the parameters that an earlier layer owns.
    """

    layer: Layer
    name: str
    bottoms: list[Blob]
    bottom_names: list[str]
    top_names: list[str]
    tops: list[Blob] = field(default_factory=list)
    bottom_needs: list[bool] = field(default_factory=list)
    loss_weights: list[float] = field(default_factory=list)
    needs_backward: bool = False
    in_place: bool = False
    kept_inputs: list[Tensor] | None = None
    shared: set[int] = field(default_factory=set)

    def losses(self) -> list[tuple[float, Tensor]]:
        """Weights and sums of the tops that are losses."""
        return [
            (weight, blob.tensor.sum(dtype=torch.float32))
            for weight, blob in zip(self.loss_weights, self.tops, strict=True)
            if weight
        ]
