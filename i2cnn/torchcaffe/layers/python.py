"""Layers that users write in Python (Caffe's type Python)."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.layer import Layer, Shape, register
from i2cnn.torchcaffe.proto import TEST, TRAIN, LayerParameter


class UserBlobs(list[Blob]):
    """Parameters of a user's layer; ``self.blobs.add_blob(3, 2)`` makes one, filled with 0."""

    def __init__(self, context: Context) -> None:
        super().__init__()
        self._context = context

    def add_blob(self, *shape: int) -> None:
        """Append a parameter of that shape."""
        self.append(Blob(shape, self._context.device))


@register("Python")
class Python(Layer):
    """Runs a user's class, as pycaffe does: its four methods get the net's own blobs.

    The class is looked up by `python_param`'s `module` (on sys.path) and `layer`. What its
    methods raise reaches the caller unchanged, with the user's own trace.
    """

    bottoms = (0, None)
    tops = (0, None)

    def __init__(self, param: LayerParameter, context: Context) -> None:
        super().__init__(param, context)
        cls = self._find()
        #: The user's object. Its methods have pycaffe's signatures, not this package's.
        self.user: Any = cls(param, context)
        self.user.param_str = param.python_param.param_str
        self.user.phase = TRAIN if context.train else TEST
        self.user.blobs = self.blobs = UserBlobs(context)

    def _find(self) -> type[Any]:
        p = self.param.python_param
        cls = getattr(self._import(p.module), p.layer, None)
        if not (isinstance(cls, type) and issubclass(cls, Layer)):
            raise self.fail(f"module {p.module!r} has no class {p.layer!r} made from caffe.Layer")
        self._require(cls, "setup", "reshape", "forward")
        return cls

    def _import(self, name: str) -> ModuleType:
        absent = self.fail(f"no Python module {name!r} was found; add its folder to PYTHONPATH")
        if not name or name.startswith("."):
            raise absent
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if not _is_part(error.name, name):
                raise  # the module is there; something it imports is not
            raise absent from None

    def _require(self, cls: type[Any], *methods: str) -> None:
        missing = [name for name in methods if getattr(cls, name) is getattr(Layer, name)]
        if missing:
            raise self.fail(f"{cls.__name__} has no method {missing[0]!r}; write one")

    def setup_blobs(self, bottoms: list[Blob]) -> list[Blob]:
        """Call the user's setup and reshape; returns the tops that they shaped."""
        in_place = dict(zip(self.param.bottom, bottoms, strict=True))
        self.bottom_blobs = bottoms
        self.top_blobs = [
            in_place.get(n) or Blob((0,), self.context.device) for n in self.param.top
        ]
        self.user.setup(self.bottom_blobs, self.top_blobs)
        self.user.reshape(self.bottom_blobs, self.top_blobs)
        return self.top_blobs

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        """Call the user's reshape on the blobs as they are."""
        self.user.reshape(self.bottom_blobs, self.top_blobs)
        return [blob.shape for blob in self.top_blobs]

    def forward_blobs(self) -> None:
        """Call the user's reshape and forward, as each forward pass of Caffe does."""
        self.user.reshape(self.bottom_blobs, self.top_blobs)
        self.user.forward(self.bottom_blobs, self.top_blobs)

    def backward_blobs(self, needs: Sequence[bool]) -> None:
        """Call the user's backward, which writes the diffs of the bottoms and parameters."""
        self._require(type(self.user), "backward")
        self.user.backward(self.top_blobs, list(needs), self.bottom_blobs)


def _is_part(name: str | None, module: str) -> bool:
    """True if `name` is the dotted module, or a package that it is in."""
    return f"{module}.".startswith(f"{name}.")
