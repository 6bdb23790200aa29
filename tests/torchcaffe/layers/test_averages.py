"""Means over windows, which are products with two matrices where that is faster."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.layers.spatial import products_pay

SHAPE = (2, 3, 9, 7)
IMAGES = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
#: Kernel, stride, pad and rounding.
SETTINGS = [
    s
    for s in itertools.product([(2, 3), (3, 3), (5, 4)], [1, 2, 3], [0, 1], ["CEIL", "FLOOR"])
    if 2 * s[2] <= min(s[0]) >= s[1]  # a larger stride may leave no room for the last window
]


def net_of(folder: Path, layer: str, shape: tuple[int, ...] = SHAPE) -> caffe.Net:
    dims = " ".join(f"dim: {size}" for size in shape)
    path = folder / "net.prototxt"
    path.write_text(
        f'force_backward: true layer {{ name: "x" type: "Input" top: "x" '
        f"input_param {{ shape {{ {dims} }} }} }} "
        f'layer {{ name: "y" bottom: "x" top: "y" {layer} }}'
    )
    return caffe.Net(str(path), caffe.TEST)


def windows_of(length: int, number: int, kernel: int, stride: int, pad: int) -> list[range]:
    """Where each window begins and ends, the padding after the end included."""
    starts = (i * stride - pad for i in range(number))
    return [range(start, min(start + kernel, length + pad)) for start in starts]


def means_of(x: np.ndarray, number: tuple[int, int], settings: tuple) -> np.ndarray:
    """Number by number, as Caffe's loops go."""
    (height, width), stride, pad, _ = settings
    rows = windows_of(x.shape[2], number[0], height, stride, pad)
    columns = windows_of(x.shape[3], number[1], width, stride, pad)
    y = np.zeros((*x.shape[:2], *number))
    for (i, row), (j, column) in itertools.product(enumerate(rows), enumerate(columns)):
        inside = x[:, :, max(0, row[0]) : row[-1] + 1, max(0, column[0]) : column[-1] + 1]
        y[:, :, i, j] = inside.sum((2, 3)) / (len(row) * len(column))
    return y


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_average_pooling_and_its_gradient_are_those_of_loops(
    tmp_path: Path, settings: tuple
) -> None:
    kernel, stride, pad, rounding = settings
    assert products_pay(torch.from_numpy(IMAGES), kernel)
    net = net_of(
        tmp_path,
        f'type: "Pooling" pooling_param {{ pool: AVE kernel_h: {kernel[0]} kernel_w: {kernel[1]} '
        f"stride: {stride} pad: {pad} round_mode: {rounding} }}",
    )
    top = net.forward(x=IMAGES)["y"]
    number = top.shape[2:]
    np.testing.assert_allclose(top, means_of(IMAGES, number, settings), rtol=1e-5, atol=1e-6)
    # The mapping is linear, so <y, L x> = <L^T y, x> for any y.
    diff = np.random.default_rng(1).normal(size=top.shape).astype(np.float32)
    gradient = net.backward(y=diff)["x"]
    for direction in np.random.default_rng(2).normal(size=(4, *SHAPE)):
        expected = (diff * means_of(direction, number, settings)).sum()
        assert np.isclose((gradient * direction).sum(), expected, rtol=1e-4, atol=1e-4)


def test_what_is_infinite_stays_in_its_windows(tmp_path: Path) -> None:
    x = IMAGES.copy()
    x[0, 0, 4, 3] = np.inf
    net = net_of(tmp_path, 'type: "Pooling" pooling_param { pool: AVE kernel_size: 3 }')
    top = net.forward(x=x)["y"]
    assert np.isinf(top).sum() == 9
    assert not np.isnan(top).any()


def test_a_convolution_of_one_channel_has_its_channels_last(tmp_path: Path) -> None:
    # Whatever follows it is faster so: pooling nine times.
    net = net_of(
        tmp_path,
        'type: "Convolution" convolution_param { num_output: 4 kernel_size: 3 '
        'weight_filler { type: "xavier" } }',
        (2, 1, 9, 7),
    )
    net.blobs["x"].data[...] = IMAGES[:, :1]
    net._forward(0, 1)
    assert net.blobs["y"].tensor.is_contiguous(memory_format=torch.channels_last)
