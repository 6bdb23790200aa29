"""The engines that run a Caffe net, torchcaffe and genuine Caffe, both with pycaffe's API."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

from i2cnn.util.errors import InputError

if TYPE_CHECKING:  # names of engines are needed without NumPy
    from i2cnn.util.arrays import Float32Array

ENGINES = ("torch", "caffe")
#: As torchcaffe names them, which is slow to import.
PRECISIONS = ("float32", "tf32", "bf16")


class Blob(Protocol):
    """What is used of a pycaffe Blob, of any engine."""

    @property
    def shape(self) -> Sequence[int]:
        """Dimensions."""

    @property
    def data(self) -> Float32Array:
        """Values, to be read and assigned to in place."""

    def reshape(self, *shape: int) -> None:
        """Change the shape."""


class Net(Protocol):
    """What is used of a pycaffe Net, of any engine."""

    @property
    def blobs(self) -> Mapping[str, Blob]:
        """Blobs by name."""

    def reshape(self) -> None:
        """Let all blobs follow the data blob's shape."""

    def forward(self, **blobs: Float32Array) -> object:
        """Set some blobs and compute all layers."""

    def share_with(self, other: Net) -> None:
        """Use the parameters of another net."""


def get_engine(name: str = "torch") -> ModuleType:
    """Module with pycaffe's API.

    Parameters
    ----------
    name : {"torch", "caffe"}
        "torch" is this project's runtime on PyTorch, "caffe" is genuine pycaffe.

    Raises
    ------
    InputError
        The name is unknown, or genuine pycaffe is not installed (the package `caffe` on the
        Python package index is an empty placeholder and does not count).
    """
    check_names(name, "auto")
    if name == "torch":
        return importlib.import_module("i2cnn.torchcaffe.pycaffe")
    try:
        module = importlib.import_module("caffe")
    except ImportError as error:
        raise InputError(
            f"genuine pycaffe cannot be imported ({error}); build it from BVLC's source "
            "or use --engine torch"
        ) from error
    if module.__name__ != "caffe":
        raise InputError("import caffe is torchcaffe in this process; use --engine torch")
    if not hasattr(module, "Net"):
        raise InputError(
            "the installed package 'caffe' is not pycaffe (it has no Net); uninstall it, "
            "or use --engine torch"
        )
    return module


def check_names(engine: str, device: str) -> None:
    """InputError unless these can be names of an engine and a device; nothing is imported."""
    if engine not in ENGINES:
        raise InputError(f"unknown engine {engine!r}; choose one of {', '.join(ENGINES)}")
    kind, _, number = device.partition(":")
    if device not in ("auto", "cpu") and (kind != "cuda" or not (number or "0").isdecimal()):
        raise InputError(f"unknown device {device!r}; use auto, cpu, cuda or cuda:N")


def choose_device(device: str = "auto") -> str:
    """Resolve "auto" (a CUDA device where PyTorch sees one, else the CPU) and check other names."""
    import torch

    if device == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    check_names("torch", device)
    if device == "cpu":
        return device
    index = int(device.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise InputError(
            f"device cuda:{index} is not available: PyTorch sees {torch.cuda.device_count()} CUDA "
            "device(s); use --device cpu"
        )
    return f"cuda:{index}"


def set_device(engine: ModuleType, device: str) -> None:
    """Switch an engine to the device that :func:`choose_device` named."""
    if device == "cpu":
        engine.set_mode_cpu()
        return
    engine.set_device(int(device.partition(":")[2]))
    engine.set_mode_gpu()


def check_precision(precision: str, engine: str, device: str) -> None:
    """InputError unless an engine computes in a precision on a device of :func:`choose_device`."""
    if precision != "float32" and engine != "torch":
        raise InputError(f"--precision {precision} needs --engine torch; genuine Caffe has float32")
    if precision == "tf32" and device == "cpu":
        raise InputError("--precision tf32 needs a CUDA device; a CPU has float32 and bf16")


def start_engine(
    name: str = "torch", device: str = "auto", precision: str = "float32"
) -> ModuleType:
    """Module of an engine that is ready to work on a device, with Caffe's log lines silenced.

    This is where a process of ours starts its engine. Caffe's log lines belong to `i2cnn caffe`,
    so the environment variable GLOG_minloglevel, which both engines read, is set to 1 (warnings
    and errors only) unless the user has set it. Genuine Caffe reads it once, when it is imported.

    Parameters
    ----------
    name : {"torch", "caffe"}
        As for :func:`get_engine`.
    device : str
        As for :func:`choose_device`.
    precision : {"float32", "tf32", "bf16"}
        What convolutions and inner products multiply in.

    Raises
    ------
    InputError
        The engine is unknown or not installed, or the device or the precision is not available.
    """
    os.environ.setdefault("GLOG_minloglevel", "1")
    device = choose_device(device)
    engine = get_engine(name)
    check_precision(precision, name, device)
    if name == "torch":
        engine.set_precision(precision)
    set_device(engine, device)
    return engine
