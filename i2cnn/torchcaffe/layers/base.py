"""What a layer is, and the one registry of layer types."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from torch import Tensor

from i2cnn.errors import InputError
from i2cnn.torchcaffe.blob import Blob
from i2cnn.torchcaffe.fillers import fill
from i2cnn.torchcaffe.random import CaffeRNG

Shape = tuple[int, ...]


@dataclass
class Context:
    """What layers share within one net: the device, the phase and the random numbers."""

    device: torch.device
    train: bool
    rng: CaffeRNG
    name: str = ""
    param_shapes: dict[str, Shape] = field(default_factory=dict)


class Layer:
    """One layer of a net.

    A subclass gives its output shapes in :meth:`reshape` and computes in :meth:`forward` and
    :meth:`backward`. Parameters are made in :meth:`setup` by :meth:`add_param`.

    Parameters
    ----------
    param : LayerParameter
        The layer as the prototxt has it.
    context : Context
        Device, phase and random numbers of the net.
    """

    #: Allowed numbers of bottoms and tops; None is any number.
    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    tops: ClassVar[tuple[int, int | None]] = (1, 1)
    #: True for layers whose first top is a loss with weight 1 by default.
    is_loss: ClassVar[bool] = False
    #: Bottoms that no gradient can reach, such as labels.
    blocked: ClassVar[frozenset[int]] = frozenset()
    #: Unnamed tops of loss layers and the like are made by the net.
    auto_top: ClassVar[bool] = False

    def __init__(self, param: Any, context: Context) -> None:
        self.param = param
        self.context = context
        self.blobs: list[Blob] = []
        #: Which parameters get a gradient, set by the net from lr_mult.
        self.param_needs: list[bool] = []

    # For subclasses -----------------------------------------------------------------------------

    def setup(self, shapes: Sequence[Shape]) -> None:
        """Check the layer and make its parameters; called once with the bottoms' shapes."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Shapes of the tops for these shapes of the bottoms."""
        raise NotImplementedError

    def forward(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        """Tops from bottoms; keeps what the backward pass will need."""
        raise NotImplementedError

    def backward(self, grads: Sequence[Tensor], needs: Sequence[bool]) -> list[Tensor | None]:
        """Gradients of the bottoms that need one; adds those of the parameters to their diff."""
        raise NotImplementedError

    # For subclasses to call ---------------------------------------------------------------------

    def fail(self, reason: str) -> InputError:
        """An error that names this layer."""
        return InputError(f"{self.context.name}: layer {self.param.name!r}: {reason}")

    def add_param(self, shape: Shape, filler: Any) -> Blob:
        """New parameter of that shape, filled by Caffe's rules; later replaced by a loaded one."""
        blob = Blob(shape, self.context.device)
        try:
            values = fill(self.context.rng, filler, shape)
        except InputError as error:
            raise self.fail(str(error)) from None
        blob.tensor = torch.from_numpy(np.ascontiguousarray(values)).to(self.context.device)
        self.blobs.append(blob)
        return blob

    def accumulate(self, index: int, grad: Tensor) -> None:
        """Add to the diff of parameter `index`."""
        blob = self.blobs[index]
        blob.grad.add_(grad.reshape(blob.shape))


L = TypeVar("L", bound=type[Layer])
REGISTRY: dict[str, type[Layer]] = {}


def register(name: str) -> Callable[[L], L]:
    """Class decorator: enter a layer under its prototxt type."""

    def enter(cls: L) -> L:
        REGISTRY[name] = cls
        return cls

    return enter


def layer_class(param: Any, net_name: str) -> type[Layer]:
    """Class of a layer's type; an unknown one is an error that lists those there are."""
    if param.type not in REGISTRY:
        raise InputError(
            f"{net_name}: layer {param.name!r}: unknown layer type {param.type!r} "
            f"(known types: {', '.join(sorted(REGISTRY))})"
        )
    return REGISTRY[param.type]


def canonical_axis(layer: Layer, axis: int, ndim: int) -> int:
    """Axis counted from the front; negative ones count from the back as in Caffe."""
    if not -ndim <= axis < ndim:
        raise layer.fail(f"axis {axis} is out of range for a bottom of {ndim} dimensions")
    return axis % ndim
