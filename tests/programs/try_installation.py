"""Tries an installed i2cnn, outside the checkout: `try_installation.py CHECKOUT FOLDER`.

Runs `doctor`, trains a tiny recogniser on a few of the embedded faces, lets it and those that ship
`predict` some of them, and trains a small net through torchcaffe. CHECKOUT is where i2cnn must not
come from.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

import i2cnn
from i2cnn.datasets import embedded_root
from i2cnn.util.images import read_image

NET = """
name: "smoke"
layer { name: "data" type: "Input" top: "x" top: "y"
  input_param { shape { dim: 8 dim: 3 } shape { dim: 8 } } }
layer { name: "fc" type: "InnerProduct" bottom: "x" top: "fc"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "y" top: "loss" }
"""
SOLVER = """
net: "{net}" base_lr: 0.5 lr_policy: "fixed" momentum: 0.9 max_iter: 20 random_seed: 1
solver_mode: CPU snapshot_prefix: "{prefix}"
"""


def command(*words: str | Path) -> str:
    """Output of an `i2cnn` command that must succeed."""
    line = [sys.executable, "-m", "i2cnn", *map(str, words)]
    result = subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True)
    print(f"i2cnn {' '.join(map(str, words[:1]))}: ok")
    return result.stdout


def answers(*words: str | Path) -> list[dict[str, Any]]:
    """What `i2cnn predict --json` prints: an object per face, each in a line."""
    return [json.loads(line) for line in command("predict", *words, "--json").splitlines()]


def some_faces(folder: Path) -> Path:
    """Four subjects' first takes of the embedded set, in one folder per label."""
    for sample in i2cnn.load_dataset("synthetic", None).samples:
        if sample.subject in ("S01", "S02", "S03", "S04") and "1." in sample.image:
            target = folder / sample.label / f"{sample.subject}_{sample.image}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(embedded_root() / sample.image, target)
    return folder


def try_predict(folder: Path) -> None:
    """A recogniser made on the spot names a face of a shipped picture."""
    run = folder / "run"
    network = ["--profile=quick", "--max-iter=2", "--batch-size=8", "--k=5"]
    folds = ["--folds=4", "--only-folds=1", "--rivals=none", "--device=cpu"]
    faces = some_faces(folder / "faces")
    command("evaluate", faces, "--dataset=folder", f"--out={run}", *network, *folds)
    picture = embedded_root() / "S05.HA1.010.png"
    (face,) = answers(picture, f"--model={run}/recogniser")
    height, width = read_image(picture).shape[:2]
    left, top, across, down = face["box"]
    assert left < width / 2 < left + across, face
    assert top < height / 2 < top + down, face
    assert face["label"] in face["scores"], face


def try_album(folder: Path) -> None:
    """The recognisers that ship name an album of a person, and a single picture."""
    album = folder / "album"
    album.mkdir()
    for picture in embedded_root().glob("S03.*1.*.png"):
        shutil.copy(picture, album)
    named = answers(album, "--people=one")
    assert {face["reference"] for face in named} == {7}, named
    (face,) = answers(album / "S03.HA1.010.png")
    assert face["label"] == "happy", face


def try_torchcaffe(folder: Path) -> None:
    """A solver lowers the loss of a linear net, and its weights come back from a .caffemodel."""
    caffe = i2cnn.get_engine("torch")
    (folder / "net.prototxt").write_text(NET)
    solver_file = folder / "solver.prototxt"
    solver_file.write_text(SOLVER.format(net=folder / "net.prototxt", prefix=folder / "smoke"))
    solver = caffe.get_solver(str(solver_file))
    random = np.random.default_rng(0)
    solver.net.blobs["x"].data[...] = random.normal(size=(8, 3))
    solver.net.blobs["y"].data[...] = np.arange(8) % 2
    before = float(solver.net.forward()["loss"])
    solver.step(20)
    assert float(solver.net.forward()["loss"]) < before
    solver.net.save(str(folder / "smoke.caffemodel"))
    again = caffe.Net(str(folder / "net.prototxt"), str(folder / "smoke.caffemodel"), caffe.TEST)
    np.testing.assert_array_equal(
        again.params["fc"][0].data, solver.net.params["fc"][0].data, strict=True
    )
    print("torchcaffe: ok")


def main(checkout: Path, folder: Path) -> None:
    """All of it."""
    home = Path(i2cnn.__file__).resolve().parent
    assert home != checkout.resolve() / "i2cnn", home
    print(f"i2cnn {i2cnn.__version__} from {home}")
    command("doctor", "--device=cpu")
    try_torchcaffe(folder)
    try_predict(folder)
    try_album(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
