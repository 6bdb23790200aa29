"""Layers that the golden operations lack, recorded from genuine Caffe 1.0: both directions.

Tolerance: 1e-5 of the largest value; float32 sums in a different order. Means over constant images
(mvn_constant) are 0 but for rounding and are compared absolutely.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.util.errors import InputError
from tests.helpers.golden import GOLDEN, arrays_of, assert_close

CASES = json.loads((GOLDEN / "layers" / "layers.json").read_text())
#: Arrays with smaller values are compared absolutely.
FLOOR = 1e-3


@pytest.mark.parametrize("touched", [False, True], ids=["", "arrays_held"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_layer(name: str, touched: bool, tmp_path: Path) -> None:
    case = CASES[name]
    stored = arrays_of("layers/layers.npz", name)
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
        assert_close(net.blobs[top].data, stored[f"y{i}"], floor=FLOOR, what=f"y{i}")
    for i, blob in enumerate(params):
        assert_close(
            blob.data, stored.get(f"after{i}", stored[f"p{i}"]), floor=FLOOR, what=f"p{i} after"
        )
    if "dy0" not in stored:
        return
    for i, top in enumerate(case["tops"]):
        net.blobs[top].diff[...] = stored[f"dy{i}"]
    net.clear_param_diffs()
    net.backward()
    for i in case["needs"]:
        assert_close(net.blobs[f"x{i}"].diff, stored[f"dx{i}"], floor=FLOOR, what=f"dx{i}")
    for i, blob in enumerate(params):
        assert_close(blob.diff, stored[f"dp{i}"], floor=FLOOR, what=f"dp{i}")


# What pycaffe on the CPU cannot record -----------------------------------------------------------


@pytest.mark.parametrize(("kernel", "stride", "size"), [(2, 2, (6, 8)), (3, 2, (8, 7))])
def test_stochastic_pooling_in_test(
    kernel: int, stride: int, size: tuple[int, int], tmp_path: Path
) -> None:
    # Genuine Caffe's formula, which it only has on a GPU: sum(x^2) / sum(x) of each window.
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 '
        f"dim: {size[0]} dim: {size[1]} }} }} }}"
        'layer { name: "y" type: "Pooling" bottom: "x" top: "y" '
        f"pooling_param {{ pool: STOCHASTIC kernel_size: {kernel} stride: {stride} }} }}"
    )
    net = caffe.Net(str(path), phase=caffe.TEST)
    x = np.abs(np.random.RandomState(0).randn(2, 3, *size)).astype(np.float32)
    x[0, 0, :kernel, :kernel] = 0  # an empty window gives 0, not NaN
    y = net.forward(x=x)["y"]
    for i, j in np.ndindex(*y.shape[2:]):
        rows, columns = (slice(k * stride, k * stride + kernel) for k in (i, j))
        window = x[:, :, rows, columns].reshape(2, 3, -1).astype(np.float64)
        total = window.sum(-1)
        expected = np.divide((window**2).sum(-1), total, out=np.zeros_like(total), where=total > 0)
        np.testing.assert_allclose(y[:, :, i, j], expected, rtol=1e-5, atol=1e-7)


def test_stochastic_pooling_in_train_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" '
        "input_param { shape { dim: 1 dim: 1 dim: 4 dim: 4 } } }"
        'layer { name: "y" type: "Pooling" bottom: "x" top: "y" '
        "pooling_param { pool: STOCHASTIC kernel_size: 2 } }"
    )
    with pytest.raises(InputError, match="'y': STOCHASTIC pooling in phase TRAIN needs a GPU"):
        caffe.Net(str(path), phase=caffe.TRAIN)


def test_dummy_data(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "DummyData" top: "a" top: "b" dummy_data_param { '
        'data_filler { value: 3 } data_filler { type: "uniform" min: 1 max: 2 } '
        "shape { dim: 2 dim: 3 } shape { dim: 4 } } }"
        'layer { name: "old" type: "DummyData" top: "c" dummy_data_param { '
        "num: 1 channels: 2 height: 3 width: 4 } }"
    )
    caffe.set_random_seed(5)
    net = caffe.Net(str(path), phase=caffe.TRAIN)
    caffe.set_random_seed(5)
    draws = CaffeRNG(5)
    for _ in range(2):
        net.forward()
        np.testing.assert_array_equal(net.blobs["a"].data, np.full((2, 3), 3, np.float32))
        np.testing.assert_array_equal(net.blobs["b"].data, draws.uniform(4, 1, 2))
        np.testing.assert_array_equal(net.blobs["c"].data, np.zeros((1, 2, 3, 4), np.float32))


def test_dummy_data_needs_a_shape_for_each_top(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(
        'layer { name: "d" type: "DummyData" top: "a" top: "b" top: "c" dummy_data_param { '
        "shape { dim: 2 } shape { dim: 4 } } }"
    )
    with pytest.raises(InputError, match="'d': give one shape, or one for each top"):
        caffe.Net(str(path), phase=caffe.TRAIN)
