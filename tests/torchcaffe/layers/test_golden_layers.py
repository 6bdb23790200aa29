"""Every recorded layer of genuine Caffe: forward, backward and parameter gradients."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from tests.helpers.golden import GOLDEN, arrays_of, assert_close

OPS = json.loads((GOLDEN / "ops.json").read_text())
#: Of the largest value; other BLAS kernels of genuine Caffe differ by 8e-7.
TOLERANCE = 1e-5


@pytest.mark.parametrize("name", sorted(OPS))
def test_layer(name: str, tmp_path: Path) -> None:
    data = arrays_of("ops.npz", name)
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
    assert_close(net.blobs["y"].data.reshape(data["y"].shape), data["y"], TOLERANCE)
    if "dx" not in data:
        return
    net.blobs["y"].diff[...] = data["dy"].reshape(net.blobs["y"].shape)
    net.clear_param_diffs()
    net.backward()
    assert_close(net.blobs["x"].diff.reshape(data["dx"].shape), data["dx"], TOLERANCE)
    for i, blob in enumerate(net.params.get("op", [])):
        if f"dparam{i}" in data:
            expected = data[f"dparam{i}"]
            assert_close(blob.diff.reshape(expected.shape), expected, TOLERANCE)
