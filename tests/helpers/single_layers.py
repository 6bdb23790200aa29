"""Nets of single layers beside recordings of genuine Caffe: golden/layers/rest, more and python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.storage import to_blobproto
from tests.helpers.golden import GOLDEN, arrays_of, assert_close

#: Nets of golden/layers/NAME.json by (NAME, case).
CASES = {
    (name, case): text
    for name in ("rest", "more")
    for case, text in json.loads((GOLDEN / "layers" / f"{name}.json").read_text()).items()
}
PYTHON = GOLDEN / "layers" / "python.prototxt"


def build(text: str, folder: Path, phase: int = caffe.TRAIN) -> caffe.Net:
    """The net of a prototxt's text, which is written into the folder."""
    path = folder / "net.prototxt"
    path.write_text(text)
    return caffe.Net(str(path), phase)


def part(stored: dict[str, np.ndarray], kind: str) -> dict[str, np.ndarray]:
    """Arrays KIND/NAME of a case by NAME."""
    return {k.partition("/")[2]: v for k, v in stored.items() if k.partition("/")[0] == kind}


def check_case(archive: str, name: str, phase: int, folder: Path, tolerance: float = 1e-5) -> None:
    """Run a case in the working folder and compare all that was recorded of it."""
    stored = arrays_of(f"layers/{archive}.npz", name)
    for file, matrix in part(stored, "file").items():
        blob = to_blobproto(matrix)
        Path(f"{file}.binaryproto").write_bytes(blob.SerializeToString())
    caffe.set_random_seed(7)
    net = build(CASES[archive, name], folder, phase)
    for key, value in stored.items():
        if "/" not in key:
            net.blobs[key].data[...] = value
    for key, value in part(stored, "fill").items():
        layer, index = key.split("/")
        np.testing.assert_array_equal(net.params[layer][int(index)].data, value)
    for key, value in part(stored, "p").items():
        layer, index = key.split("/")
        assert net.params[layer][int(index)].shape == value.shape
        net.params[layer][int(index)].data[...] = value
    for _ in range(2 if name.endswith("_twice") else 1):
        net.forward()
    for key, value in part(stored, "after").items():
        assert_close(net.blobs[key].data, value, tolerance, what=key)
    if not part(stored, "dx"):
        return
    for key, value in part(stored, "dy").items():
        net.blobs[key].diff[...] = value
    net.clear_param_diffs()
    net.backward()
    for key, value in part(stored, "dx").items():
        assert_close(net.blobs[key].diff, value, tolerance, what=f"gradient of {key}")
    for key, value in part(stored, "dp").items():
        layer, index = key.split("/")
        found = net.params[layer][int(index)].diff
        assert_close(found, value, tolerance, what=f"gradient of {key}")


def golden_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the golden user_layers be imported, with our caffe, until the end of the test."""
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    for name in ("user_layers", "mine"):
        monkeypatch.setitem(sys.modules, name, None)  # so that the end of the test drops it
        del sys.modules[name]
    monkeypatch.syspath_prepend(str(GOLDEN / "layers"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def check_python(phase: int, tolerance: float = 1e-5) -> None:
    """Run the golden net of layers in Python and compare all that was recorded of it."""
    net = caffe.Net(str(PYTHON), phase)
    generator = np.random.RandomState(1)
    for name in ("x", "t"):
        net.blobs[name].data[...] = generator.randn(3, 4)
    for _ in range(2):
        net.forward()
    net.backward()
    for key, value in arrays_of("layers/python.npz", str(phase)).items():
        kind, name = key.split("/")
        if kind == "weight":
            assert_close(net.params[name][0].diff, value, tolerance, what=key)
        else:
            blob = net.blobs[name]
            assert blob.data.shape == blob.shape
            assert_close(blob.data if kind == "data" else blob.diff, value, tolerance, what=key)
