"""Weights that caffe-tensorflow wrote: a .npy file with a pickled dict, read without unpickling.

A pickle is a program, and ``numpy.load(allow_pickle=True)`` runs it. Here the standard library's
pickletools only takes it apart; the operations that put together dicts, lists and arrays of numbers
are followed, all others are refused. Nothing that the file names is imported or called.
"""

from __future__ import annotations

import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError, reading
from i2cnn.torchcaffe.sizes import check_memory, check_shape
from i2cnn.util.arrays import AnyArray
from i2cnn.util.errors import InputError
from i2cnn.util.files import begins_with, check_regular

#: Parameters by layer and by their names, or their numbers where the file has no names.
Params = dict[str, dict[str, AnyArray]]

_MAGIC = b"\x93NUMPY"
_WHAT = "weights of caffe-tensorflow (a dict of layers)"
#: What the file may name, as Python 2 and 3 and NumPy 1 and 2 call it.
_RECONSTRUCT = ("numpy.core.multiarray _reconstruct", "numpy._core.multiarray _reconstruct")
_NDARRAY, _DTYPE, _ENCODE = "numpy ndarray", "numpy dtype", "_codecs encode"
_NAMES = {*_RECONSTRUCT, _NDARRAY, _DTYPE, _ENCODE}
_NUMBERS = re.compile(r"[fiu][1248]")


def is_npy(path: Path) -> bool:
    """True for files with NumPy's signature or suffix."""
    return path.suffix == ".npy" or begins_with(path, _MAGIC)


def read_npy(path: Path) -> Params:
    """Parameters in TensorFlow's order of axes, of any type of number; views of what was read.

    Raises
    ------
    InputError
        The file is missing, damaged or of another kind, or has something else than arrays.
    """
    try:
        with reading(path):
            check_regular(path)
            size = path.stat().st_size
            check_memory(size, str(path))  # taken apart it takes up to four times its size
            with open(path, "rb") as file:
                return _read(file, size)
    except (AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        reason = str(error) or "a length in it is larger than memory"
        raise CaffeError(f"{path}: damaged, or not {_WHAT}: {reason}") from None


def _read(file: BinaryIO, size: int) -> Params:
    if file.read(len(_MAGIC)) != _MAGIC:
        raise ValueError("it does not begin as a .npy file")
    version = file.read(2)
    length = int.from_bytes(file.read(2 if version[0] == 1 else 4), "little")
    if b"'|O'" not in file.read(length):
        raise ValueError("it is an array")
    found = _Machine().run(file)
    if isinstance(found, _Array):  # NumPy wraps what is no array into one without axes
        (found,) = found.content
    layers: Params = {}
    for name, values in _items(found):
        layers[name] = {key: _numbers(value, name) for key, value in _items(values)}
        size -= sum(array.nbytes for array in layers[name].values())
        if size < 0:  # a file may use the same bytes many times, which need not stay views
            raise ValueError("it has more numbers than bytes")
    return layers


def _items(values: object) -> list[tuple[str, Any]]:
    """Items of a dict, or of a list with numbers as names."""
    if isinstance(values, (list, tuple)):
        return [(str(i), value) for i, value in enumerate(values)]
    if not isinstance(values, dict):
        raise ValueError(f"it has a {type(values).__name__.strip('_')} where a dict should be")
    return [(k.decode("latin1") if isinstance(k, bytes) else str(k), v) for k, v in values.items()]


def _numbers(value: object, layer: str) -> AnyArray:
    if not isinstance(value, _Array) or not _NUMBERS.fullmatch(value.dtype.code):
        raise ValueError(f"layer {layer!r} has something else than arrays of numbers")
    try:
        check_shape(value.shape)
    except InputError as error:
        raise ValueError(f"layer {layer!r}: {error}") from None
    dtype = np.dtype(value.dtype.order + value.dtype.code)
    if len(value.content) != math.prod(value.shape) * dtype.itemsize:
        raise ValueError(f"layer {layer!r} has {len(value.content)} bytes of shape {value.shape}")
    content = value.content
    if isinstance(content, str):  # what Python 2 wrote is read as text
        content = content.encode("latin1")
    order: Literal["F", "C"] = "F" if value.fortran else "C"
    return np.frombuffer(content, dtype).reshape(value.shape, order=order)


# What a pickle describes --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Name:
    """Something of a module that the file names."""

    text: str


@dataclass(eq=False)
class _Dtype:
    code: str
    order: str = "="

    def build(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "|", "="):
            raise ValueError(f"{order!r} is no order of bytes")
        self.order = order


@dataclass(eq=False)
class _Array:
    shape: tuple[int, ...] = ()
    dtype: _Dtype = field(default_factory=lambda: _Dtype(""))
    fortran: bool = False
    content: Any = b""

    def build(self, state: Any) -> None:
        _, shape, self.dtype, self.fortran, self.content = state
        self.shape = tuple(int(n) for n in shape)


def _reduce(function: object, arguments: Any) -> object:
    """What a call would give."""
    name = function.text if isinstance(function, _Name) else None
    if name in _RECONSTRUCT:
        return _Array()
    if name == _DTYPE:
        return _Dtype(str(arguments[0]))
    if name == _ENCODE:
        return arguments[0]  # the text is encoded where it is used, once
    raise ValueError("it calls something else than NumPy's arrays")


class _Machine:
    """A pickle's stack, the marks on it, and what the file numbers to use it again."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, file: BinaryIO) -> object:
        """Follow the operations; returns what they put together."""
        for operation, argument, _ in pickletools.genops(file):
            name = operation.name
            if name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _LITERALS:
                self.stack.append(argument)
            elif name in _OPERATIONS:
                _OPERATIONS[name](self, argument)
            else:
                raise ValueError(f"it has the operation {name}, which arrays do not need")
        (result,) = self.stack
        return result

    def marked(self) -> list[Any]:
        """Take what lies above the last mark."""
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def take(self, number: int) -> list[Any]:
        """Take the uppermost."""
        if len(self.stack) < number:
            raise ValueError("an operation lacks its operands")
        values = self.stack[len(self.stack) - number :]
        del self.stack[len(self.stack) - number :]
        return values

    def name(self, text: str) -> None:
        if text not in _NAMES:
            raise ValueError(f"it names {text.replace(' ', '.')!r}, which arrays do not need")
        self.stack.append(_Name(text))

    def put(self, number: int | None) -> None:
        self.memo[len(self.memo) if number is None else number] = self.stack[-1]

    def build(self) -> None:
        (state,) = self.take(1)
        if not isinstance(self.stack[-1], (_Array, _Dtype)):
            raise ValueError("it sets the state of something else than an array")
        self.stack[-1].build(state)

    def extend(self, values: list[Any]) -> None:
        if not isinstance(self.stack[-1], list):
            raise ValueError("it appends to something else than a list")
        self.stack[-1].extend(values)

    def set(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise ValueError("it sets items of something else than a dict")
        for key, value in zip(values[::2], values[1::2], strict=True):
            if not isinstance(key, (str, bytes, int)):
                raise ValueError("a layer has no name")
            target[key] = value


_CONSTANTS: dict[str, object] = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    *("BININT", "BININT1", "BININT2", "LONG1"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
}
_OPERATIONS: dict[str, Callable[[_Machine, Any], object]] = {
    "PROTO": lambda m, argument: None,
    "FRAME": lambda m, argument: None,
    "STOP": lambda m, argument: None,
    "MARK": lambda m, argument: m.marks.append(len(m.stack)),
    "EMPTY_DICT": lambda m, argument: m.stack.append({}),
    "EMPTY_LIST": lambda m, argument: m.stack.append([]),
    "EMPTY_TUPLE": lambda m, argument: m.stack.append(()),
    "TUPLE": lambda m, argument: m.stack.append(tuple(m.marked())),
    "TUPLE1": lambda m, argument: m.stack.append(tuple(m.take(1))),
    "TUPLE2": lambda m, argument: m.stack.append(tuple(m.take(2))),
    "TUPLE3": lambda m, argument: m.stack.append(tuple(m.take(3))),
    "APPEND": lambda m, argument: m.extend(m.take(1)),
    "APPENDS": lambda m, argument: m.extend(m.marked()),
    "SETITEM": lambda m, argument: m.set(m.take(2)),
    "SETITEMS": lambda m, argument: m.set(m.marked()),
    "GLOBAL": lambda m, argument: m.name(argument),
    "STACK_GLOBAL": lambda m, argument: m.name("{} {}".format(*m.take(2))),
    "REDUCE": lambda m, argument: m.stack.append(_reduce(*m.take(2))),
    "BUILD": lambda m, argument: m.build(),
    "BINPUT": lambda m, argument: m.put(argument),
    "LONG_BINPUT": lambda m, argument: m.put(argument),
    "MEMOIZE": lambda m, argument: m.put(None),
    "BINGET": lambda m, argument: m.stack.append(m.memo[argument]),
    "LONG_BINGET": lambda m, argument: m.stack.append(m.memo[argument]),
}
