"""`i2cnn caffe export`: a net as ONNX or as torch.export's program, compared before it is kept.

The net is exported in phase TEST, with the sizes that its prototxt has. What the exported net gives
for random inputs must be what the net gives, to TOLERANCE of the largest value.
"""

from __future__ import annotations

import base64
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import show_usage, split_flags
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.layers import Layer
from i2cnn.torchcaffe.layers.python import Python
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.nodes import Node
from i2cnn.torchcaffe.proto import TEST, LRNParameter
from i2cnn.util.arrays import Float32Array
from i2cnn.util.files import atomic_path
from i2cnn.util.text import show

USAGE = """\
usage: i2cnn caffe export -model deploy.prototxt -weights w.caffemodel [-onnx FILE] [-torch FILE]

  -onnx           file to write for ONNX runtimes (needs the extra i2cnn[export])
  -torch          file to write for torch.export.load
  -mean           mean to note in the file: a .binaryproto, or numbers per channel, 104,117,123
  -scale          factor after the mean is subtracted, to note (default 1)
  -channel_order  order of the input's channels, to note (default BGR)

What is noted is not part of the net: whoever runs it prepares images so.
"""
#: Of the largest value of an output.
TOLERANCE = 1e-5
_DEFAULTS = {
    "model": "",
    "weights": "",
    "onnx": "",
    "torch": "",
    "mean": "",
    "scale": "1",
    "channel_order": "BGR",
}
#: Key of what is noted, in ONNX's metadata and among the extra files of a .pt2.
NOTE = "preprocessing.json"


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    flags, others = split_flags(words, _DEFAULTS)
    if others or not (flags["model"] and flags["weights"] and (flags["onnx"] or flags["torch"])):
        return show_usage(USAGE)
    note = json.dumps(_note(flags))
    runtime.gpu = False
    net = CoreNet.from_file(flags["model"], TEST)
    try:
        net.copy_from(flags["weights"])
        for name, write in (("onnx", export_onnx), ("torch", export_torch)):
            if flags[name]:
                difference = write(net, Path(flags[name]), note)
                show(f"{flags[name]}: verified, differs by {difference:.1e} of the largest value")
    finally:
        net.close()
    return 0


def _note(flags: dict[str, str]) -> dict[str, Any]:
    """How images are to be prepared."""
    try:
        note: dict[str, Any] = {
            "channel_order": flags["channel_order"],
            "scale": float(flags["scale"]),
        }
        if flags["mean"] and Path(flags["mean"]).suffix != ".binaryproto":
            note["mean"] = [float(word) for word in flags["mean"].split(",")]
    except ValueError as error:
        raise CaffeError(f"flags -mean and -scale: {error}") from None
    if flags["mean"] and "mean" not in note:
        mean = read_mean(flags["mean"])
        note["mean_shape"] = mean.shape
        note["mean_float32"] = base64.b64encode(mean.astype("<f4").tobytes()).decode()
    return note


# The net as a module ------------------------------------------------------------------------------


class ExportedNet(nn.Module):
    """A net in phase TEST as a module: inputs and outputs in the net's order.

    Parameters
    ----------
    net : CoreNet
        Must get its data from Input layers.

    Raises
    ------
    InputError
        The net reads data of its own, or has a layer that only Python can run.
    """

    def __init__(self, net: CoreNet) -> None:
        super().__init__()
        self.inputs, self.outputs = list(net.inputs), list(net.outputs)
        self.wiring: list[tuple[list[str], list[str]]] = []
        self.steps = nn.ModuleList()
        shared: dict[int, nn.Parameter] = {}
        for node in net.nodes:
            if node.layer.type == "Input":
                continue
            if not node.bottoms or isinstance(node.layer, Python):
                raise node.layer.fail(
                    f"{node.layer.type} cannot be exported; give a deploy net, which gets its data "
                    "from Input layers"
                )
            self.steps.append(_Step(node, shared))
            self.wiring.append((list(node.bottom_names), list(node.top_names)))

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run the net."""
        blobs = dict(zip(self.inputs, inputs, strict=True))
        for step, (bottoms, tops) in zip(self.steps, self.wiring, strict=True):
            blobs.update(zip(tops, step([blobs[name] for name in bottoms]), strict=True))
        return tuple(blobs[name] for name in self.outputs)


class _Step(nn.Module):
    """A layer with its parameters."""

    def __init__(self, node: Node, shared: dict[int, nn.Parameter]) -> None:
        super().__init__()
        self.layer = node.layer
        self.blobs = nn.ParameterList()
        for blob in node.layer.blobs:
            own = nn.Parameter(blob.tensor.detach().clone(), requires_grad=False)
            self.blobs.append(shared.setdefault(id(blob), own))
        self.compute = _PLAIN.get(node.layer.type, type(node.layer).compute)

    def forward(self, bottoms: list[Tensor]) -> list[Tensor]:
        self.layer.weights = list(self.blobs)
        return self.compute(self.layer, bottoms)


def _lrn(layer: Layer, bottoms: list[Tensor]) -> list[Tensor]:
    p = layer.param.lrn_param
    if p.norm_region != LRNParameter.ACROSS_CHANNELS:
        return layer.compute(bottoms)
    return [functional.local_response_norm(bottoms[0], p.local_size, p.alpha, p.beta, p.k)]


def _batch_norm(layer: Layer, bottoms: list[Tensor]) -> list[Tensor]:
    x, p = bottoms[0], layer.param.batch_norm_param
    mean, variance, weight = layer.weights
    if p.HasField("use_global_stats") and not p.use_global_stats:
        raise layer.fail("BatchNorm with use_global_stats: false cannot be exported")
    factor = torch.where(weight == 0, torch.zeros_like(weight), 1 / weight)
    return [functional.batch_norm(x, mean * factor, variance * factor, eps=p.eps)]


#: Layers that compute by native code, or of which exported nets have an operation of their own.
_PLAIN: dict[str, Callable[[Layer, list[Tensor]], list[Tensor]]] = {
    "LRN": _lrn,
    "BatchNorm": _batch_norm,
}


# Writing ------------------------------------------------------------------------------------------


def export_torch(net: CoreNet, path: Path, note: str = "{}") -> float:
    """Write torch.export's program (.pt2); returns the largest difference in its outputs.

    Raises
    ------
    InputError
        A layer cannot be exported, or the program differs from the net.
    """
    inputs = _inputs(net)
    program = _program(net, inputs)
    with atomic_path(path) as temporary:
        torch.export.save(program, str(temporary), extra_files={NOTE: note})
        module = torch.export.load(str(temporary)).module()
        with torch.no_grad():
            found = [top.numpy() for top in module(*map(torch.from_numpy, inputs))]
        return _compare(net, inputs, found, path)


def export_onnx(net: CoreNet, path: Path, note: str = "{}") -> float:
    """Write ONNX; returns the largest difference in what ONNX Runtime gives.

    Raises
    ------
    InputError
        The extra i2cnn[export] is not installed, a layer cannot be exported, or the file's outputs
        differ from the net's.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401 (torch's exporter needs it)
    except ImportError as error:
        raise CaffeError(
            f"-onnx needs the package {error.name}: pip install 'i2cnn[export]'"
        ) from None
    inputs = _inputs(net)
    program = _program(net, inputs)
    with atomic_path(path) as temporary, _quiet():
        torch.onnx.export(
            program,
            f=str(temporary),
            input_names=net.inputs,
            output_names=net.outputs,
            external_data=False,
            verbose=False,
        )
        model = onnx.load(str(temporary))
        onnx.helper.set_model_props(model, {NOTE: note})
        onnx.save(model, str(temporary))
        session = onnxruntime.InferenceSession(str(temporary), providers=["CPUExecutionProvider"])
        found = session.run(net.outputs, dict(zip(net.inputs, inputs, strict=True)))
        return _compare(net, inputs, found, path)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's warnings and log, which are about itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _inputs(net: CoreNet) -> tuple[Float32Array, ...]:
    """Random numbers for the net's inputs."""
    rng = np.random.default_rng(0)
    if not net.inputs:
        raise CaffeError(f"{net.source}: has no Input layer; give a deploy net")
    return tuple(rng.random(net.blobs[name].shape, np.float32) for name in net.inputs)


def _program(net: CoreNet, inputs: tuple[Float32Array, ...]) -> torch.export.ExportedProgram:
    module = ExportedNet(net).eval()
    try:
        with torch.no_grad(), _quiet():
            # Strict, as PyTorch before 2.7 would be, it cannot look into messages of protobuf.
            return torch.export.export(module, tuple(map(torch.from_numpy, inputs)), strict=False)
    except CaffeError:
        raise
    except Exception as error:  # whatever the exporter raises where an operation is beyond it
        reason = str(error).strip().partition("\n")[0]
        raise CaffeError(f"{net.source}: cannot be exported ({reason})") from None


def _compare(
    net: CoreNet, inputs: Sequence[Float32Array], found: Sequence[Float32Array], path: Path
) -> float:
    for name, values in zip(net.inputs, inputs, strict=True):
        net.blobs[name].data[...] = values
    net.forward()
    worst = 0.0
    for name, values in zip(net.outputs, found, strict=True):
        ours = net.blobs[name].data
        if values.shape != ours.shape:
            raise CaffeError(f"{path}: not written; its output {name!r} has shape {values.shape}")
        scale = max(float(np.abs(ours).max(initial=0)), 1e-6)
        difference = float(np.abs(values - ours).max(initial=0)) / scale
        if not difference <= TOLERANCE:
            raise CaffeError(
                f"{path}: not written; its output {name!r} differs from the net's by "
                f"{difference:.1e} of the largest value"
            )
        worst = max(worst, difference)
    return worst
