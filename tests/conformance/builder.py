"""A random net as it grows: its text, its blobs and what is put into them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.context import Context, NetOptions
from i2cnn.torchcaffe.core.layer import Shape, create_layer
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.layers.python import Python
from i2cnn.torchcaffe.proto import LayerParameter
from i2cnn.util.errors import InputError

#: Tops that share memory with their bottom in genuine Caffe, so that in-place layers change both.
VIEWS = {"Flatten", "Reshape", "Split", "Slice", "Concat", "Input", "Parameter", "DummyData"}
#: Layers whose gradient reads their own top, which an in-place layer would overwrite.
READ_TOP = {"ELU", "Sigmoid", "TanH", "Exp", "MVN", "Softmax", "LRN", "Power", "Eltwise", "Swish"}
#: Layers that do not look at propagate_down.
DO_NOT_ASK = {"BatchNorm", "Flatten", "Im2col", "LSTM", "MVN", "RNN", "Softmax"}
READ_TOP |= {"LSTM", "RNN", "LSTMUnit", "BNLL", "Log", "Pooling", "Python", "SPP", "BatchNorm"}


@dataclass(eq=False)
class Top:
    """A blob of the net.

    Attributes
    ----------
    grad : bool
        Whether a gradient can reach something learned through it.
    bound : float
        What no number is larger than; infinite if not known.
    overwritten : bool
        Whether a layer in place has changed it.
    constant : bool
        Whether all its numbers are the same, or may be: then MVN leaves but rounding.
    """

    name: str
    shape: Shape
    producer: str
    grad: bool = False
    bound: float = np.inf
    readers: int = 0
    overwritten: bool = False
    constant: bool = False


class Refused(Exception):
    """Our own layer refused; the net ends there and genuine Caffe must refuse it, too."""


class Builder:
    """Collects layers.

    Parameters
    ----------
    rng : numpy.random.Generator
        What makes all choices.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.train = bool(rng.integers(2))
        self.force = bool(rng.random() < 0.5)
        self.passes = 2 if rng.random() < 0.2 else 1
        self.layers: list[str] = []
        self.types: list[str] = []
        self.tops: list[Top] = []
        self.inputs: dict[str, np.ndarray] = {}
        self.loss = False

    # Choices ------------------------------------------------------------------------------------

    def one_of(self, *choices):
        """One of these."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, p: float) -> bool:
        """True with that probability."""
        return bool(self.rng.random() < p)

    def some(self, *settings: str) -> str:
        """Each of these settings with a probability of one half."""
        return " ".join(setting for setting in settings if self.chance(0.5))

    def number(self, low: float, high: float) -> str:
        """A number in that range, with two digits."""
        return f"{self.rng.uniform(low, high):.2f}"

    def integer(self, low: int, high: int) -> int:
        """An integer from low to high."""
        return int(self.rng.integers(low, high + 1))

    def filler(self, name: str) -> str:
        """A filler for parameters, or none."""
        kind = self.one_of(
            "",
            'type: "xavier"',
            'type: "xavier" variance_norm: AVERAGE',
            'type: "gaussian" std: 0.4',
            'type: "uniform" min: -0.4 max: 0.6',
            'type: "msra" variance_norm: FAN_OUT',
            'type: "constant" value: 0.3',
            'type: "positive_unitball"',
        )
        return f"{name} {{ {kind} }}" if kind else ""

    def pick(self, wanted: Callable[[Top], bool] = lambda top: True) -> Top:
        """One of the blobs that will do, mostly a late one; StopIteration if there is none."""
        found = [top for top in self.tops if wanted(top) and 0 < np.prod(top.shape) < 5000]
        if not found:
            raise StopIteration
        return found[-1] if self.chance(0.6) else self.one_of(*found)

    # Growth -------------------------------------------------------------------------------------

    def source(self, values: np.ndarray, prefix: str = "label") -> Top:
        """A new Input blob; only those called x... are numbers that may change a little."""
        name = f"{prefix}{len(self.inputs)}"
        values = np.asarray(values, np.float32)
        self.inputs[name] = values
        dims = " ".join(f"dim: {n}" for n in values.shape)
        self.layers.append(
            f'name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ {dims} }} }}'
        )
        top = Top(name, values.shape, "Input", bound=float(np.abs(values).max(initial=0)))
        if prefix == "x":
            self.tops.append(top)
        return top

    def floats(self, *shape: int) -> np.ndarray:
        """Normal numbers, sometimes rounded, so that there are ties."""
        values = self.rng.standard_normal(shape)
        return np.round(values) if self.chance(0.15) else values

    def add(
        self,
        kind: str,
        bottoms: Sequence[Top],
        settings: str = "",
        tops: int | Sequence[str] = 1,
        in_place: bool = False,
        **facts,
    ) -> list[Top]:
        """A new layer with so many tops, or with tops of these names; `facts` are their attributes.

        Raises
        ------
        Refused
            Our layer does not take these bottoms or settings; the net ends with it.
        """
        settings = self._spoilt(kind, settings)
        number = len(self.types)
        if isinstance(tops, int):
            tops = [f"y{number}_{i}" for i in range(tops)]
        names = [bottoms[0].name] if in_place else tops
        # Its type is in its name, by which the program knows what parameters may be.
        text = f'name: "{kind}{number}" type: "{kind}" ' + " ".join(
            [*(f'bottom: "{b.name}"' for b in bottoms), *(f'top: "{n}"' for n in names), settings]
        )
        self.layers.append(text)
        self.types.append(kind)
        options = NetOptions(torch.device("cpu"), CaffeRNG(1))
        context = Context("net", self.train, options)
        try:
            layer = create_layer(parse(text, LayerParameter(), "layer"), context)
            if isinstance(layer, Python):
                shapes = [
                    blob.shape for blob in layer.setup_blobs([Blob(b.shape) for b in bottoms])
                ]
            else:
                layer.setup([bottom.shape for bottom in bottoms])
                shapes = layer.reshape([bottom.shape for bottom in bottoms])
                layer.check_shapes(shapes)
        except InputError as error:
            raise Refused(str(error)) from None
        self.layers[-1] += self._specs(kind, layer.blobs) + self._propagate_down(kind, bottoms)
        for bottom in bottoms:
            bottom.readers += 1
        grad = layer.differentiable and (bool(layer.blobs) or any(b.grad for b in bottoms))
        grad = grad or "propagate_down: true" in self.layers[-1]
        if in_place:
            bottoms[0].producer, bottoms[0].bound = kind, np.inf
            bottoms[0].readers -= 1
            bottoms[0].overwritten = True
            bottoms[0].grad = bottoms[0].grad or grad
            return [bottoms[0]]
        facts.setdefault("constant", all(bottom.constant for bottom in bottoms))
        made = [
            Top(name, tuple(shape), kind, grad, **facts)
            for name, shape in zip(names, shapes, strict=True)
        ]
        self.tops += made
        self.loss = self.loss or layer.is_loss
        return made

    def _spoilt(self, kind: str, settings: str) -> str:
        """The settings, rarely with another number in them: both must refuse the same."""
        numbers = list(re.finditer(r"(?<=: )-?\d+(?= |$)", settings))
        if kind == "Embed" or not numbers or not self.chance(0.04):
            return settings  # genuine Caffe does not look at Embed's indices
        place = self.one_of(*numbers)
        other = self.one_of(-7, -3, -2, -1, 0, 1, 2, 3, 5, 9)
        return f"{settings[: place.start()]}{other}{settings[place.end() :]}"

    def _specs(self, kind: str, blobs: Sequence[Blob]) -> str:
        """Sometimes names, by which parameters of one shape are shared, or a fixed parameter."""
        if not blobs or kind in ("BatchNorm", "LSTM", "Parameter", "RNN") or self.chance(0.7):
            return ""
        specs = ""
        for i, blob in enumerate(blobs):
            shape = "x".join(map(str, blob.shape))
            name = f'name: "{i} {shape}" ' if self.chance(0.6) else ""
            specs += f" param {{ {name}{self.some('lr_mult: 0') if not name else ''} }}"
        return specs

    def _propagate_down(self, kind: str, bottoms: Sequence[Top]) -> str:
        if len(bottoms) != 1 or bottoms[0].name.startswith("label") or self.chance(0.9):
            return ""
        if kind in DO_NOT_ASK or bottoms[0].producer == "Parameter":
            return ""
        return f" propagate_down: {self.one_of('true', 'false')}"

    def may_be_in_place(self, top: Top) -> bool:
        """True if a layer may overwrite this blob as in genuine Caffe, which shares memory."""
        return top.readers == 0 and top.producer not in VIEWS | READ_TOP

    def text(self) -> str:
        """The prototxt."""
        force = "force_backward: true\n" if self.force else ""
        return force + "".join(f"layer {{ {text} }}\n" for text in self.layers)

    def outputs(self) -> list[str]:
        """Names of the outputs whose gradients are set, if no loss gives them."""
        if self.loss or not self.force:
            return []
        return [top.name for top in self.tops if not top.readers and top.name not in self.inputs]

    def other_shape(self) -> Shape:
        """Sometimes a shape to which the only input changes after the first passes."""
        if len(self.inputs) > 1 or self.chance(0.5):
            return ()
        shape = list(self.inputs["x0"].shape)
        shape[self.integer(0, len(shape) - 1)] = self.integer(1, 8)
        return tuple(shape)
