"""Layers that the golden operations lack, recorded from genuine Caffe 1.0: both directions.

Tolerance: 1e-5 of the largest value; float32 sums in another order. Means over constant images
(mvn_constant) are 0 but for rounding and are compared absolutely.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe

FOLDER = Path(__file__).parents[1] / "golden" / "layers"
CASES = json.loads((FOLDER / "layers.json").read_text())


def close(ours: np.ndarray, theirs: np.ndarray, what: str) -> None:
    assert ours.shape == theirs.shape, what
    scale = max(float(np.abs(theirs).max(initial=0)), 1e-3)
    np.testing.assert_allclose(ours / scale, theirs / scale, rtol=0, atol=1e-5, err_msg=what)


@pytest.mark.parametrize("touched", [False, True], ids=["", "arrays_held"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_layer(name: str, touched: bool, tmp_path: Path) -> None:
    case = CASES[name]
    with np.load(FOLDER / "layers.npz") as file:
        stored = {k.split("/", 1)[1]: file[k] for k in file if k.startswith(f"{name}/")}
    path = tmp_path / "net.prototxt"
    path.write_text(case["prototxt"])
    net = caffe.Net(str(path), phase=getattr(caffe, case["phase"]))
    if touched:  # views that a user holds must not change what backward sees
        held = [(blob.data, blob.diff) for blob in net.blobs.values()]
        assert held
    params = net.params.get("op", [])
    for key, value in stored.items():
        if key[0] == "x":
            net.blobs[key].data[...] = value
    for i, blob in enumerate(params):
        assert blob.shape == stored[f"p{i}"].shape
        blob.data[...] = stored[f"p{i}"]
    net.forward()
    for i, top in enumerate(case["tops"]):
        close(net.blobs[top].data, stored[f"y{i}"], f"y{i}")
    for i, blob in enumerate(params):
        close(blob.data, stored.get(f"after{i}", stored[f"p{i}"]), f"parameter {i} after")
    if "dy0" not in stored:
        return
    for i, top in enumerate(case["tops"]):
        net.blobs[top].diff[...] = stored[f"dy{i}"]
    net.clear_param_diffs()
    net.backward()
    for i in case["needs"]:
        close(net.blobs[f"x{i}"].diff, stored[f"dx{i}"], f"dx{i}")
    for i, blob in enumerate(params):
        close(blob.diff, stored[f"dp{i}"], f"dp{i}")
