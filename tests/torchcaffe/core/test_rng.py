"""Genuine Caffe's random numbers, from the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_weights
from i2cnn.torchcaffe.proto import FillerParameter
from i2cnn.util.errors import InputError

GOLDEN = Path(__file__).parents[2] / "golden"


def test_gaussian_fillers_repeat_genuine_caffe_bit_for_bit() -> None:
    rng = CaffeRNG(7)
    rng.draw(1)  # the data layer's thread takes the first number
    stored = read_weights(GOLDEN / "init.caffemodel")
    compared = 0
    for layer in read_net(GOLDEN / "tiny_train_val.prototxt").layer:
        if layer.name in stored:
            param = (
                layer.convolution_param
                if layer.type == "Convolution"
                else layer.inner_product_param
            )
            for filler, blob in zip(
                (param.weight_filler, param.bias_filler), stored[layer.name], strict=True
            ):
                np.testing.assert_array_equal(fill(rng, filler, blob.shape), blob)
                compared += blob.size
    assert compared > 1000


def test_one_by_one_is_the_same_as_many() -> None:
    many, single = CaffeRNG(3), CaffeRNG(3)
    expected = many.gaussian(20_000, 1, 2)
    parts = [single.gaussian(n, 1, 2) for n in [1] * 5000 + [15_000]]
    np.testing.assert_array_equal(np.concatenate(parts), expected)
    assert many.draw(1) == single.draw(1)


def test_distributions() -> None:
    rng = CaffeRNG(1)
    normal = rng.gaussian(400_000, 0, 1)
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    # Beyond the ziggurat's last strip at 3.44 lie 0.058 % of all numbers.
    assert abs((np.abs(normal) > 3.4426).mean() - 0.000576) < 0.0002
    uniform = rng.uniform(100_000, -2, 3)
    assert -2 <= uniform.min() < -1.99
    assert 2.99 < uniform.max() <= 3
    assert abs(rng.bernoulli(100_000, 0.3).mean() - 0.3) < 0.01


@pytest.mark.parametrize(
    ("text", "shape", "check"),
    [
        ({"type": "xavier"}, (50, 40, 3, 3), lambda w: abs(w).max() <= np.sqrt(3 / 360) * 1.0001),
        (
            {"type": "xavier", "variance_norm": 1},
            (50, 40, 3, 3),
            lambda w: abs(w.std() - np.sqrt(1 / 450)) < 1e-3,
        ),
        ({"type": "msra"}, (50, 40, 3, 3), lambda w: abs(w.std() - np.sqrt(2 / 360)) < 1e-3),
        ({"type": "positive_unitball"}, (5, 40), lambda w: np.allclose(w.sum(1), 1)),
        (
            {"type": "gaussian", "sparse": 5},
            (100, 200),
            lambda w: abs((w != 0).mean() - 5 / 100) < 0.01,
        ),
        ({"type": "uniform", "min": -1, "max": 2}, (1000,), lambda w: w.min() >= -1),
        ({"value": 0.25}, (3,), lambda w: (w == 0.25).all()),
    ],
)
def test_fillers(text: dict, shape: tuple[int, ...], check) -> None:
    values = fill(CaffeRNG(2), FillerParameter(**text), shape)
    assert values.shape == shape
    assert values.dtype == np.float32
    assert check(values)


def test_bilinear_upsamples_linearly() -> None:
    kernel = fill(CaffeRNG(0), FillerParameter(type="bilinear"), (1, 1, 4, 4))[0, 0]
    np.testing.assert_allclose(kernel, np.outer([0.25, 0.75, 0.75, 0.25], [0.25, 0.75, 0.75, 0.25]))
    with pytest.raises(InputError, match="square"):
        fill(CaffeRNG(0), FillerParameter(type="bilinear"), (4, 4))


def test_unknown_filler_lists_the_known() -> None:
    with pytest.raises(InputError, match="known types: bilinear, constant, gaussian"):
        fill(CaffeRNG(0), FillerParameter(type="magic"), (1,))
