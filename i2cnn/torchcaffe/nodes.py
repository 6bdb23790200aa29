"""What a net consists of: layers with their blobs, and the parameters that a solver updates."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.layers import Layer

#: Name of a loss's top that the prototxt leaves out; such tops are not outputs.
AUTOMATIC = "(automatic)"


@dataclass
class Learnable:
    """A parameter the solver updates, with its multipliers."""

    blob: Blob
    lr_mult: float
    decay_mult: float


@dataclass
class Node:
    """A layer within a net: its blobs, and which of them need a gradient."""

    layer: Layer
    name: str
    bottoms: list[Blob]
    tops: list[Blob]
    bottom_names: list[str]
    top_names: list[str]
    bottom_needs: list[bool]
    loss_weights: list[float]
    needs_backward: bool
    in_place: bool
    kept_inputs: list[Tensor] | None = None
