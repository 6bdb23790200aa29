"""Every recorded layer of genuine Caffe: forward, backward and parameter gradients."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe

GOLDEN = Path(__file__).parents[2] / "golden"
OPS = json.loads((GOLDEN / "ops.json").read_text())
#: Of the largest value; other BLAS kernels of genuine Caffe differ by 8e-7.
TOLERANCE = 1e-5


def close(ours: np.ndarray, theirs: np.ndarray) -> None:
    assert ours.size == theirs.size
    scale = max(float(np.abs(theirs).max()), 1e-6)
    np.testing.assert_allclose(
        ours.reshape(theirs.shape) / scale, theirs / scale, rtol=0, atol=TOLERANCE
    )


@pytest.mark.parametrize("name", sorted(OPS))
def test_layer(name: str, tmp_path: Path) -> None:
    with np.load(GOLDEN / "ops.npz") as file:
        data = {k.split("/", 1)[1]: file[k] for k in file if k.startswith(f"{name}/")}
    inputs = [k for k in ("x", "x2", "label") if k in data and f'bottom: "{k}"' in OPS[name]]
    text = "force_backward: true\n" + "".join(
        f'layer {{ name: "{k}" type: "Input" top: "{k}" input_param {{ shape {{'
        + "".join(f" dim: {d}" for d in data[k].shape)
        + " } } }\n"
        for k in inputs
    )
    path = tmp_path / "net.prototxt"
    path.write_text(text + OPS[name])
    net = caffe.Net(str(path), phase=caffe.TEST)
    for k in inputs:
        net.blobs[k].data[...] = data[k]
    for i, blob in enumerate(net.params.get("op", [])):
        blob.data[...] = data[f"param{i}"].reshape(blob.shape)
    net.forward()
    close(net.blobs["y"].data, data["y"])
    if "dx" not in data:
        return
    net.blobs["y"].diff[...] = data["dy"].reshape(net.blobs["y"].shape)
    net.clear_param_diffs()
    net.backward()
    close(net.blobs["x"].diff, data["dx"])
    for i, blob in enumerate(net.params.get("op", [])):
        if f"dparam{i}" in data:
            close(blob.diff, data[f"dparam{i}"])
