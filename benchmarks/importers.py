"""What programs that run Caffe's nets today make of them, forward, beside genuine Caffe.

    python benchmarks/importers.py --program caffe=build/caffe/python --program opencv=python

Nets: the whole ones of this project, and every net of a single layer whose numbers were recorded
from genuine Caffe (tests/golden/layers) and that a net in use may have: no losses, no accuracies.
All have weights, and all run in phase TEST. A program agrees where every top differs from genuine
Caffe's by at most 1e-4 of its largest value. Times are CPU time of one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe import lenet
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError

ROOT = Path(__file__).parents[1]
LAYERS = ROOT / "tests/golden/layers"
WHOLE = {
    "LeNet": Path(lenet.MODEL),
    "quick": ROOT / "prototxt/quick/deploy.prototxt",
    "better": ROOT / "prototxt/better/deploy.prototxt",
    "AlexNet": ROOT / "prototxt/deploy.prototxt",
}
#: Images of a pass through a whole net.
BATCH = 4
AGREES = 1e-4
TYPE = re.compile(r'type: "(\w+)"')


def recorded() -> dict[str, str]:
    """Nets of single layers by name."""
    found: dict[str, str] = {}
    for archive in ("layers", "rest", "more"):
        for name, case in json.loads((LAYERS / f"{archive}.json").read_text()).items():
            text = case if isinstance(case, str) else case["prototxt"]
            if not re.search(r'type: "(Accuracy|\w*Loss|Parameter)"|DummyData', text):
                found[name] = text.replace("force_backward: true\n", "")
    return found


def write(folder: Path, text: str, weights: str | None, inputs: dict[str, np.ndarray]) -> None:
    """Write the case of a net; its inputs are random unless they are given."""
    folder.mkdir()
    (folder / "net.prototxt").write_text(text)
    caffe.set_random_seed(1)
    net = caffe.Net(str(folder / "net.prototxt"), caffe.TEST)
    if weights:
        net.copy_from(weights)
    rng = np.random.default_rng(1)
    for name, blobs in net.params.items() if not weights else ():
        for blob in blobs:
            if net.layer_dict[name].type == "BatchNorm":  # variances, and their number, are above 0
                blob.data[...] = rng.uniform(0.5, 1.5, blob.data.shape)
            elif not blob.data.any():
                blob.data[...] = rng.normal(0, 0.05, blob.data.shape)
    net.save(str(folder / "net.caffemodel"))
    for name in net.inputs:
        inputs.setdefault(name, rng.uniform(-1, 1, net.blobs[name].data.shape))
    chosen = {name: inputs[name].astype(np.float32) for name in net.inputs}
    np.savez(folder / "inputs.npz", **chosen)  # type: ignore[arg-type]
    (folder / "tops.txt").write_text(" ".join(net.outputs))


def write_all(base: Path) -> dict[str, str]:
    """Write all cases; returns the layer types of single layers by their names."""
    for name, path in WHOLE.items():
        weights = lenet.WEIGHTS if name == "LeNet" else None
        text = re.sub(r"dim: \d+", f"dim: {BATCH}", path.read_text(), count=1)
        write(base / f"net_{name}", text, weights, {})
    types = {}
    arrays = [np.load(LAYERS / f"{archive}.npz") for archive in ("layers", "rest", "more")]
    for name, text in recorded().items():
        inputs = {
            key.split("/")[1]: file[key]
            for file in arrays
            for key in file.files
            if re.fullmatch(rf"{name}/x\d", key)
        }
        write(base / name, text, None, inputs)
        types[name] = next(t for t in TYPE.findall(text) if t != "Input")
    return types


def apart(folder: Path, program: str) -> float:
    """How far a program's tops are from genuine Caffe's, of the largest value; inf without them."""
    try:
        with np.load(folder / f"{program}.npz") as ours, np.load(folder / "caffe.npz") as theirs:
            names = sorted(set(theirs.files) - {"seconds"})
            if set(ours.files) != set(theirs.files):
                return np.inf
            worst = 0.0
            for name in names:
                if ours[name].size != theirs[name].size:
                    return np.inf
                difference = np.abs(ours[name].ravel().astype(float) - theirs[name].ravel())
                scale = max(float(np.abs(theirs[name]).max(initial=0)), 1e-6)
                worst = max(
                    worst, float(np.nan_to_num(difference, nan=np.inf).max(initial=0)) / scale
                )
            return worst
    except FileNotFoundError:
        return np.inf


def tell(base: Path, program: str, types: dict[str, str]) -> dict[str, object]:
    """What came of a program's nets."""
    by_type = defaultdict(list)
    for name, kind in types.items():
        by_type[kind].append(apart(base / name, program))
    whole = {name: apart(base / f"net_{name}", program) for name in WHOLE}
    seconds = {}
    for name in WHOLE:
        if (base / f"net_{name}" / f"{program}.npz").exists():
            with np.load(base / f"net_{name}" / f"{program}.npz") as file:
                seconds[name] = round(1e3 * float(file["seconds"]) / BATCH, 2)
    return {
        "program": program,
        "cases loaded": sum((base / name / f"{program}.npz").exists() for name in types),
        "cases that agree": sum(a <= AGREES for found in by_type.values() for a in found),
        "cases": len(types),
        "types that agree in all cases": sorted(
            kind for kind, found in by_type.items() if max(found) <= AGREES
        ),
        "types": len(by_type),
        "worst that agrees": max(
            (a for found in by_type.values() for a in found if a <= AGREES), default=None
        ),
        "whole nets": whole,
        "ms per image": seconds,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", action="append", default=[], help="NAME=PYTHON")
    parser.add_argument("--keep", type=Path, help="a folder for the nets, not there yet")
    options = parser.parse_args()
    programs = dict(entry.split("=", 1) for entry in options.program)
    if "caffe" not in programs:
        raise InputError(
            "--program caffe=PYTHON is needed: genuine Caffe is what others are compared with"
        )
    programs = {"caffe": programs.pop("caffe"), "torchcaffe": sys.executable, **programs}
    with tempfile.TemporaryDirectory() as temporary:
        base = options.keep or Path(temporary) / "nets"
        base.mkdir()
        types = write_all(base.absolute())
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        for name, python in programs.items():
            worker = str(Path(__file__).with_name("importer.py").absolute())
            subprocess.run(
                [python, worker, name, str(base.absolute())], env=environment, check=True
            )
            print(json.dumps(tell(base, name, types)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
