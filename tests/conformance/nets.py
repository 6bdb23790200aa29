"""Random nets of one to six layers, written as cases for program.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe import pycaffe as caffe
from tests.conformance import weighted  # noqa: F401 (enters its layers)
from tests.conformance.builder import Builder, Refused
from tests.conformance.layers import LAYERS
from tests.helpers.golden import load_program, unpack_lmdb

#: Types that learn, one of which a net without force_backward begins with.
LEARNED = ("InnerProduct", "Convolution", "Scale", "PReLU")
LOSSES = ("SoftmaxWithLoss", "HingeLoss", "EuclideanLoss", "SigmoidCrossEntropyLoss")


def make_files() -> None:
    """Write into the working folder what layers of nets read."""
    program = load_program("sources")
    program.make_files()
    program.make_windows(caffe)
    unpack_lmdb(Path())


def write_case(rng: np.random.Generator, folder: Path) -> tuple[list[str], str]:
    """Write a random net and its inputs; returns its types, and why ours refuses it, if it does."""
    b = Builder(rng)
    refused = ""
    try:
        _grow(b)
    except Refused as error:
        refused = str(error)
    (folder / "net.prototxt").write_text(b.text())
    case = {
        "phase": 0 if b.train else 1,
        "seed": b.integer(0, 10**6),
        "passes": b.passes,
        "outputs": [] if refused else b.outputs(),
        "other_shape": b.other_shape(),
    }
    (folder / "case.json").write_text(json.dumps(case))
    np.savez(folder / "inputs.npz", **b.inputs)
    return b.types, refused


def write_model(model: Path, weights: Path, folder: Path) -> None:
    """Write the case of a net that has weights; its inputs are filled with random numbers."""
    shutil.copy(model, folder / "net.prototxt")
    case = {"phase": 1, "seed": 1, "passes": 1, "outputs": [], "other_shape": []}
    (folder / "case.json").write_text(json.dumps(case | {"weights": str(weights)}))
    np.savez(folder / "inputs.npz")


def _grow(b: Builder) -> None:
    images = [b.integer(1, 3), b.integer(1, 6), b.integer(1, 8), b.integer(1, 8)]
    other = (images[:1], images[:2], images[:3], [*images, b.integer(1, 3)])
    shape = images if b.chance(0.6) else b.one_of(*other)
    b.source(b.floats(*shape), "x")
    number = b.integer(1, 6)
    if not b.force and b.chance(0.7):
        _add_one_of(b, LEARNED)
    while len(b.types) < number:
        _add_one_of(b, tuple(LAYERS))
    if not (b.force or b.loss) and b.chance(0.8):
        _add_one_of(b, LOSSES)


def _add_one_of(b: Builder, types: tuple[str, ...]) -> None:
    """Add a layer of one of these types for which there is a blob that will do."""
    for _ in range(50):
        try:
            LAYERS[b.one_of(*types)](b)
            return
        except StopIteration:
            continue
