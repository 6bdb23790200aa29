"""The folder that a reader of the documentation works in: what its examples take for granted."""

from __future__ import annotations

import shutil
from pathlib import Path

from i2cnn.datasets import embedded_root
from i2cnn.util.images import read_image, write_image
from tests.helpers.golden import GOLDEN, unpack_lmdb

_INPUT = """\
layer {
  name: "data" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 24 dim: 24 } }
}
"""
_OUTPUT = 'layer { name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }\n'


def fill(folder: Path, recogniser: Path) -> None:
    """Put photographs, a recogniser, and a small net with its solver and data into a folder."""
    picture = read_image(embedded_root() / "S01.HA1.010.png")
    write_image(folder / "photo.jpg", picture)
    for person, subject in (("anna", "S03"), ("ben", "S07")):
        (folder / "album" / person).mkdir(parents=True)
        for path in sorted(embedded_root().glob(f"{subject}.*1.*.png"))[::3]:
            shutil.copy(path, folder / "album" / person)
    shutil.copytree(recogniser, folder / "runs" / "demo" / "recogniser")
    net = (GOLDEN / "tiny_train_val.prototxt").read_text()
    (folder / "train_val.prototxt").write_text(net)
    solver = (GOLDEN / "solver_sgd.prototxt").read_text()
    (folder / "solver.prototxt").write_text(solver.replace("tiny_train_val", "train_val"))
    layers = net[net.index('layer {\n  name: "conv1"') : net.index('layer { name: "accuracy"')]
    (folder / "deploy.prototxt").write_text(_INPUT + layers + _OUTPUT)
    shutil.copy(GOLDEN / "init.caffemodel", folder / "net.caffemodel")
    unpack_lmdb(folder)
    (folder / "out").mkdir()
