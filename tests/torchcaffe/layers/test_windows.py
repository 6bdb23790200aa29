"""Windows that reach beyond their bottom; the numbers are those of genuine Caffe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from tests.helpers.refused_nets import layer

SUM = 'convolution_param { num_output: 1 weight_filler { type: "constant" value: 1 }'


def net_of(shape: tuple[int, ...], *layers: str) -> caffe.Net:
    """A net of these layers on 1, 2, 3, ..."""
    dims = " ".join(f"dim: {dim}" for dim in shape)
    text = layer("Input", "", "x", f"input_param {{ shape {{ {dims} }} }}") + "".join(layers)
    Path("net.prototxt").write_text("force_backward: true\n" + text)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    net.blobs["x"].data[...] = np.arange(1, np.prod(shape) + 1).reshape(shape)
    return net


@pytest.mark.parametrize(
    ("type_name", "settings", "size", "expected"),
    [
        ("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", (2, 2), [4]),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }", (2, 2), [2.5]),
        ("Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 2 }", (1, 1), [1]),
        ("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", (2, 5), [8, 10]),
        ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }", (2, 5), [4.5, 6.5]),
        ("Convolution", SUM + "kernel_size: 3 stride: 2 }", (2, 2), [10]),
        ("Convolution", SUM + "kernel_size: 3 stride: 2 }", (2, 5), [27, 39]),
        ("Convolution", SUM + "kernel_size: 2 dilation: 3 stride: 3 }", (2, 2), [1]),
    ],
)
def test_a_kernel_larger_than_its_bottom_has_one_window(
    type_name: str, settings: str, size: tuple[int, int], expected: list[float], folder: Path
) -> None:
    net = net_of((1, 1, *size), layer(type_name, "x", "t", settings))
    assert net.forward()["t"].ravel().tolist() == expected
    net.blobs["t"].diff[...] = 1
    net.backward()
    gradient = net.blobs["x"].diff
    if "AVE" in settings and size == (2, 2):
        assert (gradient == 0.25).all()
    elif type_name == "Convolution" and size == (2, 2):
        assert gradient.sum() == (1 if "dilation" in settings else 4)


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
def test_a_kernel_of_absurd_size_costs_nothing(pool: str, folder: Path) -> None:
    settings = f"pooling_param {{ pool: {pool} kernel_size: 2000000000 stride: 2147483647 }}"
    found = net_of((1, 1, 2, 2), layer("Pooling", "x", "t", settings)).forward()["t"]
    assert found.ravel().tolist() == [4 if pool == "MAX" else 2.5]


def test_a_window_wider_than_all_channels_is_that_of_all(folder: Path) -> None:
    def out(size: int) -> np.ndarray:
        settings = f"lrn_param {{ local_size: {size} alpha: {size} }}"
        return net_of((1, 6, 2, 2), layer("LRN", "x", "t", settings)).forward()["t"]

    np.testing.assert_allclose(out(2**31 - 1), out(11), rtol=1e-6)


def test_many_channels_need_no_square_of_memory(folder: Path) -> None:
    found = net_of((1, 200000, 1, 1), layer("LRN", "x", "t")).forward()["t"]
    assert found.shape == (1, 200000, 1, 1)
