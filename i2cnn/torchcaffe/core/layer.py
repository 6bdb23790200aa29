"""What a layer is, and the registries of layer types: Caffe 1.0's and dialects'.

A layer is a small class: it checks its settings and makes its parameters in :meth:`Layer.setup`,
gives the shapes of its tops in :meth:`Layer.reshape` and computes them from tensors in
:meth:`Layer.compute`. Gradients come from PyTorch's autograd over that one layer, so that every
blob has its own diff as in Caffe; where Caffe's gradient differs from autograd's,
:meth:`Layer.compute` uses an autograd function of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.forks import about_layer, fork_of
from i2cnn.torchcaffe.formats.storage import array_from
from i2cnn.torchcaffe.plugins import load_plugins
from i2cnn.torchcaffe.proto import TEST, TRAIN, FillerParameter, LayerParameter
from i2cnn.torchcaffe.sizes import check_memory, check_shape
from i2cnn.util.errors import InputError

Shape = tuple[int, ...]


class LabelError(CaffeError):
    """A label outside the classes; `item` is its place in the batch."""

    def __init__(self, message: str, item: int) -> None:
        super().__init__(message)
        self.item = item


class Layer:
    """One layer of a net.

    Parameters
    ----------
    param : LayerParameter
        The layer as the prototxt has it.
    context : Context
        What the layers of the net share.
    """

    #: Fewest and most bottoms and tops; None is any number.
    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    tops: ClassVar[tuple[int, int | None]] = (1, 1)
    #: Loss layers weigh their first top by 1 and may leave it unnamed.
    is_loss: ClassVar[bool] = False
    #: Bottoms that hold labels or indices, or only give a shape, which no gradient can reach.
    labels_only: frozenset[int] = frozenset()
    #: False for layers without any gradient (accuracy, data).
    differentiable: ClassVar[bool] = True
    #: True for layers whose parameters get gradients even where lr_mult is 0.
    all_params_need: ClassVar[bool] = False
    #: True for layers that make one top of each bottom.
    top_per_bottom: ClassVar[bool] = False
    #: False for layers that Caffe does not let overwrite their bottom.
    may_be_in_place: ClassVar[bool] = True
    #: True for layers whose tops share the memory of their bottom.
    is_view: ClassVar[bool] = False
    #: True for layers that multiply matrices, to which precision bf16 applies.
    uses_matmul: ClassVar[bool] = False
    #: True for layers that work in the precision of their bottom; others get float32.
    any_precision: bool = False
    #: True for layers whose `compute` only queues work on the device, always the same, so that a
    #: CUDA graph can repeat it. What changes from pass to pass comes from `prepare`.
    recordable: bool = False

    def __init__(self, param: LayerParameter, context: Context) -> None:
        self.param = param
        #: Type name as in the prototxt. A user's layer may have a `param` of its own.
        self.type = param.type
        self.context = context
        self.blobs: list[Blob] = []
        #: Which parameters need a gradient; the net sets it from lr_mult.
        self.param_needs: list[bool] = []
        #: Parameters as `compute` is to use them, set at each forward pass.
        self.weights: list[Tensor] = []
        #: True while `compute` repeats a forward pass only for its gradient: no random
        #: numbers are drawn and no statistics are gathered then.
        self.recomputing = False
        #: Generators of a GPU's random numbers that `compute` draws from.
        self.generators: list[torch.Generator] = []
        self._param_shapes: list[Shape] = []
        self._leaves: list[Tensor] = []
        self._outputs: list[Tensor] | None = None

    # For subclasses -----------------------------------------------------------------------------

    def setup(self, shapes: Sequence[Shape]) -> None:
        """Check the layer and make its parameters; called once with the bottoms' shapes."""

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Shapes of the tops for these shapes of the bottoms."""
        return [shapes[0]]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        """Tops from bottoms, with the parameters in `self.weights`."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Do what a forward pass needs of the host: read a batch, draw a seed."""

    # For layers with data or a memory to override -------------------------------------------------

    def position(self) -> Position:
        """Position of the layer in its data, so that a resumed run continues exactly there."""
        return {}

    def restore_position(self, position: Position) -> None:
        """Continue from where :meth:`position` was taken."""

    def record_of(self, item: int) -> str:
        """What item `item` of the last batch was read from, for errors; empty if not known."""
        return ""

    def close(self) -> None:
        """Stop threads and close files."""

    # For the net to ask ------------------------------------------------------------------------

    def passes_gradient(self, bottom: int) -> bool:
        """Whether a gradient can reach that bottom."""
        return self.differentiable and bottom not in self.labels_only

    # For subclasses to call ---------------------------------------------------------------------

    def fail(self, reason: str) -> CaffeError:
        """An error that names this layer."""
        return CaffeError(f"{self.context.net}: layer {self.param.name!r}: {reason}")

    def check_shapes(self, shapes: Sequence[Shape]) -> None:
        """Refuse shapes of blobs that Caffe cannot have."""
        try:
            for shape in shapes:
                check_shape(shape)
        except InputError as error:
            raise self.fail(str(error)) from None

    def check_memory(self, numbers: int, what: str) -> None:
        """Refuse so many numbers, which `what` needs, if the memory cannot hold them."""
        try:
            check_memory(numbers, what)
        except InputError as error:
            raise self.fail(str(error)) from None

    def add_param(self, shape: Shape, filler: FillerParameter) -> Blob:
        """New parameter of that shape, filled by Caffe's rules; or as the net's file has it."""
        self.check_shapes([shape])
        self.check_memory(2 * count(shape), "its parameters")
        blob = Blob(shape, self.context.device)
        try:
            given = self.param.blobs[len(self.blobs) :]  # what a .caffemodel has is not filled
            values = array_from(given[0]) if given else fill(self.context.rng, filler, shape)
            if values.size != blob.count:
                raise CaffeError(f"a parameter of shape {shape} is given {values.size} numbers")
        except InputError as error:
            raise self.fail(str(error)) from None
        blob.tensor = torch.from_numpy(values.reshape(shape)).to(self.context.device)
        self.blobs.append(blob)
        self._param_shapes.append(shape)
        return blob

    # For the net --------------------------------------------------------------------------------

    def _compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        if not self.context.options.bf16:
            return self.compute(bottoms)
        # Activations stay bfloat16 from one product to the next: half the memory traffic.
        if not self.any_precision:
            bottoms = [bottom.float() for bottom in bottoms]
        if not self.uses_matmul:
            return self.compute(bottoms)
        if self.any_precision:  # what images are put in order by is halved, too
            bottoms = [bottom.bfloat16() for bottom in bottoms]
        with torch.autocast(self.context.device.type, torch.bfloat16):
            tops = self.compute(bottoms)
        return tops if self.any_precision else [top.float() for top in tops]

    def forward(
        self, bottoms: Sequence[Tensor], needs: Sequence[bool], graph: bool
    ) -> list[Tensor]:
        """Tops from bottoms; `graph` keeps what :meth:`backward` needs."""
        self._outputs = None
        differentiate = graph and self.differentiable and (any(needs) or any(self.param_needs))
        narrow = self.uses_matmul and self.context.options.bf16
        # Where a GPU is to differentiate, autocast converts.
        narrow = narrow and not (differentiate and self.context.device.type == "cuda")
        weights = [
            self._as_made(i, blob.bf16 if narrow else blob.tensor)
            for i, blob in enumerate(self.blobs)
        ]
        if not differentiate:
            self.weights = weights
            with torch.no_grad():
                return self._compute(bottoms)
        inputs = [b.detach().requires_grad_(need) for b, need in zip(bottoms, needs, strict=True)]
        self.weights = [
            weight.detach().requires_grad_(need)
            for weight, need in zip(weights, self.param_needs, strict=True)
        ]
        with torch.enable_grad():
            outputs = self._compute(inputs)
        self._leaves = [*inputs, *self.weights]
        self._outputs = outputs
        return [output.detach() for output in outputs]

    def _as_made(self, index: int, weight: Tensor) -> Tensor:
        """A parameter in the shape it was made with; users may give it another one, as in Caffe."""
        shape = self._param_shapes[index]
        if weight.shape == shape:
            return weight
        if weight.numel() != count(shape):
            raise self.fail(
                f"its parameter {index} has {weight.numel()} numbers, it needs {count(shape)}"
            )
        return weight.reshape(shape)

    def _recompute(self, bottoms: Sequence[Tensor], needs: Sequence[bool]) -> None:
        self.recomputing = True
        try:
            self.forward(bottoms, needs, graph=True)
        finally:
            self.recomputing = False

    def backward(
        self, bottoms: Sequence[Tensor], grads: Sequence[Tensor], needs: Sequence[bool]
    ) -> list[Tensor | None]:
        """Gradients of the bottoms that need one; the parameters' are added to their diffs."""
        if self._outputs is None:
            self._recompute(bottoms, needs)
        outputs, self._outputs = self._outputs or [], None
        pairs = [
            (o, (g if g.shape == o.shape else g.reshape(o.shape)).to(o.dtype))
            for o, g in zip(outputs, grads, strict=True)
            if o.requires_grad
        ]
        leaves, self._leaves = self._leaves, []
        if not pairs:
            return [torch.zeros_like(b) if n else None for b, n in zip(bottoms, needs, strict=True)]
        wanted = [leaf for leaf in leaves if leaf.requires_grad]
        found = iter(
            torch.autograd.grad(
                [o for o, _ in pairs], wanted, [g for _, g in pairs], allow_unused=True
            )
        )
        gradients = [next(found) if leaf.requires_grad else None for leaf in leaves]
        below, own = gradients[: len(bottoms)], gradients[len(bottoms) :]
        used = {memory_of(g) for g in (*grads, *below) if g is not None}
        for blob, gradient in zip(self.blobs, own, strict=True):
            if gradient is not None:
                take = memory_of(gradient) not in used
                blob.add_grad(gradient.reshape(blob.shape), take)
                used.add(memory_of(gradient))
        return below


def memory_of(tensor: Tensor) -> int:
    """Address of the memory that a tensor is a view of."""
    return tensor.untyped_storage().data_ptr()


def recording(device: torch.device) -> bool:
    """True while a CUDA graph or an exported program is recorded, when no number can be read."""
    if torch.compiler.is_compiling():
        return True
    return device.type == "cuda" and torch.cuda.is_current_stream_capturing()


L = TypeVar("L", bound=type[Layer])


@dataclass(frozen=True)
class Dialect:
    """A layer that genuine Caffe 1.0 does not have.

    Attributes
    ----------
    layer : type[Layer]
    fork : str
        Whose it is, for people: a fork of Caffe, or a user.
    """

    layer: type[Layer]
    fork: str


#: Caffe 1.0's layers by type.
REGISTRY: dict[str, type[Layer]] = {}
#: Layers beyond them by type.
DIALECTS: dict[str, Dialect] = {}


def register(name: str) -> Callable[[L], L]:
    """Class decorator: register a layer of Caffe 1.0 under its prototxt type."""

    def enter(cls: L) -> L:
        REGISTRY[name] = cls
        return cls

    return enter


def register_dialect(name: str, fork: str = "") -> Callable[[L], L]:
    """Class decorator: register a layer of a fork, or of a user, under its prototxt type.

    Parameters
    ----------
    name : str
        Type in the prototxt. It must not be one of Caffe 1.0's; a user's layer takes precedence
        over a fork's of that name.
    fork : str
        Whose it is; left out, the one that :mod:`i2cnn.torchcaffe.forks` names.
    """

    def enter(cls: L) -> L:
        if name in REGISTRY:
            raise CaffeError(
                f"{cls.__module__}.{cls.__qualname__}: {name} is a layer of Caffe 1.0, which "
                "nothing can replace; register another name"
            )
        whose = fork or fork_of(name)
        if not whose:
            raise CaffeError(f"register_dialect({name!r}): give fork, which says whose it is")
        DIALECTS[name] = Dialect(cls, whose)
        return cls

    return enter


def find_layer(name: str) -> type[Layer] | None:
    """Class of a type of layer, Caffe 1.0's or a dialect's; None if there is none."""
    if name in REGISTRY:
        return REGISTRY[name]
    load_plugins()
    return DIALECTS[name].layer if name in DIALECTS else None


def create_layer(param: LayerParameter, context: Context) -> Layer:
    """Layer of a LayerParameter; an unknown type is an error that lists the known ones.

    A layer that does not say its phase gets the context's.
    """
    found = find_layer(param.type)
    if found is None:
        known = sorted({*REGISTRY, *DIALECTS})
        raise CaffeError(
            f"{context.net}: layer {param.name!r}: Unknown layer type: {param.type}"
            f"{about_layer(param.type, known)} (known types: {', '.join(known)})"
        )
    if not param.HasField("phase"):
        param.phase = TRAIN if context.train else TEST
    layer = found(param, replace(context, train=param.phase == TRAIN))
    for what, names, (least, most) in (
        ("bottom", param.bottom, layer.bottoms),
        ("top", param.top, layer.tops),
    ):
        if what == "top" and layer.is_loss and not names:
            continue
        if len(names) < least or (most is not None and len(names) > most):
            number = f"{least}" if least == most else f"{least} to {most or 'any number of'}"
            raise layer.fail(f"{param.type} takes {number} {what} blobs, not {len(names)}")
    if layer.top_per_bottom and len(param.top) != len(param.bottom):
        raise layer.fail(f"{param.type} makes one top of each bottom; name as many tops")
    return layer


def canonical_axis(layer: Layer, axis: int, ndim: int) -> int:
    """Axis counted from the front; negative ones count from the back as in Caffe."""
    if not -ndim <= axis < ndim:
        raise layer.fail(f"axis {axis} is out of range for a bottom of {ndim} dimensions")
    return axis % ndim


def count(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    return math.prod(shape)
