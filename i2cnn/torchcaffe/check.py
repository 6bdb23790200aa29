"""`i2cnn caffe check`: all that keeps nets from running, and what a pass through them takes.

A net is followed layer by layer in each phase, past what cannot be built: a layer of an unknown
type, or one whose data is not there. No weight is filled and no code of a user is run.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import torch

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.context import Context, NetOptions
from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.layer import Shape, count, find_layer
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.dialects import DIALECTS, beyond_caffe
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.torchcaffe.forks import about_layer
from i2cnn.torchcaffe.formats.all_errors import parse_all
from i2cnn.torchcaffe.formats.net_rules import filter_net, net_state
from i2cnn.torchcaffe.formats.prototext import fillers_of, read_file
from i2cnn.torchcaffe.formats.upgrade import upgrade_net
from i2cnn.torchcaffe.layers import REGISTRY, Layer, create_layer
from i2cnn.torchcaffe.layers.conv import Convolution, Deconvolution
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import TEST, TRAIN, LayerParameter, NetParameter
from i2cnn.torchcaffe.sizes import BYTES
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.text import show

USAGE = """\
usage: i2cnn caffe check NET.prototxt [NET.prototxt ...]

Name all that keeps nets from running, and what a pass through each takes. Exit status: 0 if all
run, 1 otherwise.
"""
_PHASES = {TRAIN: "TRAIN", TEST: "TEST"}
_COLUMNS = ("phase", "layers", "parameters", "memory", "multiply-adds", "blockers", "file")


@dataclass
class Sizes:
    """What a pass through a net takes, as far as the shapes of its blobs are known.

    Attributes
    ----------
    layers, parameters, multiplications : int
        Numbers of layers, of learnable numbers, and of multiply-adds of convolutions and inner
        products, forward.
    blobs : int
        Numbers in all blobs.
    complete : bool
        False where the shapes of some blobs are not known.
    """

    layers: int = 0
    parameters: int = 0
    multiplications: int = 0
    blobs: int = 0
    complete: bool = True


@dataclass
class Report:
    """What is known of one file: blockers with the phases they are in, and sizes by phase.

    `beyond` says what genuine Caffe 1.0 refuses of what runs here.
    """

    path: str
    beyond: str = ""
    blockers: dict[str, list[str]] = field(default_factory=dict)
    sizes: dict[str, Sizes] = field(default_factory=dict)

    def block(self, problem: str, phase: str = "") -> None:
        """Note a blocker."""
        text = problem.removeprefix(f"{self.path}: ")
        phases = self.blockers.setdefault(text, [])
        if phase:
            phases.append(phase)


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    if not words or words[0] in ("-h", "-help", "--help"):
        return show_usage(USAGE)
    log.set_option("minloglevel", "1")  # how nets are built is said in the answer
    reports = [check(path) for path in words]
    for line in _table(reports):
        show(line)
    for report in reports:
        for problem, phases in report.blockers.items():
            only = f" ({phases[0]} only)" if 0 < len(phases) < len(report.sizes) else ""
            place = "" if problem.startswith(report.path) else f"{report.path}: "
            show(f"{place}{problem}{only}")
        if report.beyond:
            here = "" if report.blockers else "no blocker here, but "
            show(f"{report.path}: {here}{report.beyond}")
    return int(any(report.blockers for report in reports))


def check(path: str) -> Report:
    """Follow the net of a file in both phases."""
    report = Report(path)
    net = NetParameter()
    try:
        problems = read_file(path, net, parse_all) or []
        if any("this looks like a solver file" in problem for problem in problems):
            raise CaffeError("is a solver file; check the net that it names")
        for problem in problems:
            report.block(problem)
        upgrade_net(net, path)
        if not net.layer:
            raise CaffeError("has no layers")
        report.beyond = beyond_caffe(net)
        for phase, name in _PHASES.items():
            param = deepcopy(net)
            net_state(param, phase, 0, [])
            with tempfile.TemporaryDirectory() as folder:
                _Walk(filter_net(param, path), report, name).go(folder)
    except InputError as error:
        report.block(str(error))
    return report


class _Walk:
    """Follows the layers of a net in one phase."""

    def __init__(self, net: NetParameter, report: Report, phase: str) -> None:
        self.net, self.report, self.phase = net, report, phase
        self.options = NetOptions(torch.device("cpu"), CaffeRNG(0))
        self.context = Context(report.path, phase == "TRAIN", self.options)
        self.shapes: dict[str, Shape | None] = {}  # None: not known
        self.sizes = report.sizes[phase] = Sizes(layers=len(net.layer))

    def go(self, folder: str) -> None:
        before = len(self.report.blockers)
        for layer in self.net.layer:
            for problem in (*_without_fillers(layer), *_written_elsewhere(layer, folder)):
                self._block(f"layer {layer.name!r}: {problem}")
            self._follow(layer)
        if len(self.report.blockers) == before and self.sizes.complete:
            try:  # for what lies between layers
                CoreNet(self.net, self.options, self.report.path).close()
            except InputError as error:
                self._block(str(error).removeprefix(f"{self.net.name}: "))

    def _block(self, problem: str) -> None:
        self.report.block(problem, self.phase)

    def _follow(self, param: LayerParameter) -> None:
        """Enter the tops of a layer, with their shapes if they can be known."""
        for name in param.bottom:
            if name not in self.shapes:
                self._block(f"layer {param.name!r}: Unknown bottom blob {name!r}")
        known = [shape for name in param.bottom if (shape := self.shapes.get(name)) is not None]
        tops = None
        if find_layer(param.type) is None:
            about = about_layer(param.type, {*REGISTRY, *DIALECTS})
            self._block(f"layer {param.name!r}: Unknown layer type: {param.type}{about}")
        elif param.type == "Python":
            self._look_for_module(param)
        elif len(known) == len(param.bottom):
            tops = self._build(param, known)
        if tops is None:
            self.sizes.complete = False
        for i, name in enumerate(param.top):
            if name in self.shapes and name not in param.bottom[i : i + 1]:
                self._block(f"layer {param.name!r}: Top blob {name!r} produced by multiple sources")
            self.shapes[name] = tops[i] if tops and i < len(tops) else None

    def _build(self, param: LayerParameter, bottoms: list[Shape]) -> list[Shape] | None:
        """Shapes of a layer's tops; None if it cannot be built and they cannot be guessed."""
        try:
            layer = create_layer(param, self.context)
            layer.setup(bottoms)
            tops = layer.reshape(bottoms)
            layer.close()
            layer.check_shapes(tops)
        except InputError as error:
            self._block(str(error))
            return _guess(param)
        self._count(layer, bottoms, tops)
        return tops

    def _count(self, layer: Layer, bottoms: list[Shape], tops: list[Shape]) -> None:
        self.sizes.parameters += sum(blob.count for blob in layer.blobs)
        if not layer.is_view and not set(layer.param.top) & set(layer.param.bottom):
            self.sizes.blobs += sum(count(shape) for shape in tops)
        self.sizes.multiplications += _multiplications(layer, bottoms, tops)

    def _look_for_module(self, param: LayerParameter) -> None:
        name = param.python_param.module
        try:
            found = importlib.util.find_spec(name.partition(".")[0])
        except (ImportError, ValueError):
            found = None
        if found is None:
            self._block(
                f"layer {param.name!r}: no Python module {name!r} was found; add its folder to "
                "PYTHONPATH"
            )


def _multiplications(layer: Layer, bottoms: list[Shape], tops: list[Shape]) -> int:
    """Multiply-adds of a layer's forward pass."""
    if isinstance(layer, (Convolution, Deconvolution)):
        # Each weight is used once for each place of the smaller side, in each image.
        axis = layer.param.convolution_param.axis
        places = bottoms if layer.transposed else tops
        return sum(layer.blobs[0].count * count(p) // p[axis] for p in places)
    if layer.type == "InnerProduct":
        return layer.blobs[0].count * count(tops[0][:-1])
    return 0


def _guess(param: LayerParameter) -> list[Shape] | None:
    """Shapes of the tops of a data layer without its data, if its settings tell their size."""
    own = {"Data": "data_param", "ImageData": "image_data_param"}.get(param.type)
    if own is None:
        return None
    settings, crop = getattr(param, own), param.transform_param.crop_size
    height = crop or getattr(settings, "new_height", 0)
    width = crop or getattr(settings, "new_width", 0)
    if not height or not width:
        return None
    number = settings.batch_size
    return [(number, 3, height, width), (number,)][: len(param.top)]


def _without_fillers(layer: LayerParameter) -> Iterator[str]:
    """Clear all fillers of a layer, whose numbers would take long; yields what is wrong of them."""
    for _, _, filler in fillers_of(layer):
        filler.sparse = min(filler.sparse, 1)  # the number of outputs is not looked at
        try:
            fill(CaffeRNG(0), filler, (1, 1, 1, 1))
        except InputError as error:
            yield str(error)
        filler.Clear()


def _written_elsewhere(layer: LayerParameter, folder: str) -> Iterator[str]:
    """Turn a layer that writes to a folder of our own; yields why it cannot write to its own."""
    if layer.type == "HDF5Output":
        path = Path(layer.hdf5_output_param.file_name)
        try:
            check_writable(path)
            if not path.absolute().parent.is_dir():
                raise InputError(f"{path}: its folder is missing")
        except InputError as error:
            yield str(error)
        layer.hdf5_output_param.file_name = f"{folder}/output.h5"


def _table(reports: Sequence[Report]) -> list[str]:
    """A line for each phase of each file, in columns."""
    rows: list[tuple[str, ...]] = [_COLUMNS]
    for report in reports:
        blockers = str(len(report.blockers))
        for phase, sizes in report.sizes.items() or [("-", Sizes(complete=False))]:
            more = "" if sizes.complete else "+"
            # Gradients take as much again.
            memory = (sizes.parameters + sizes.blobs) * BYTES * (2 if phase == "TRAIN" else 1)
            numbers = [
                f"{_short(sizes.parameters)}{more}",
                f"{_short(memory)}B{more}",
                f"{_short(sizes.multiplications)}{more}",
            ]
            rows.append((phase, str(sizes.layers), *numbers, blockers, report.path))
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS) - 1)]
    return [
        "  ".join([*(cell.rjust(w) for cell, w in zip(row[:-1], widths, strict=True)), row[-1]])
        for row in rows
    ]


def _short(number: float) -> str:
    """A number with three digits and a unit."""
    for unit in ("", "k", "M", "G"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.4g} T"
