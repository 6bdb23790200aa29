"""Fillers and random numbers against genuine Caffe (tests/golden/fillers, init.caffemodel)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.proto import FillerParameter, NetParameter
from i2cnn.util.errors import InputError

GOLDEN = Path(__file__).parents[2] / "golden"
CASES = json.loads((GOLDEN / "fillers" / "fillers.json").read_text())
ARRAYS = np.load(GOLDEN / "fillers" / "fillers.npz", allow_pickle=False)


def parse(text: str) -> FillerParameter:
    return text_format.Parse(text, FillerParameter())


@pytest.mark.parametrize("name", CASES)
def test_filler_repeats_genuine_caffe_bit_for_bit(name):
    case = CASES[name]
    rng = CaffeRNG(case["seed"])
    values = fill(rng, parse(case["filler"]), tuple(case["shape"]))
    assert values.dtype == np.float32
    if name in ARRAYS:
        np.testing.assert_array_equal(values, ARRAYS[name])
    assert hashlib.sha256(values.tobytes()).hexdigest() == case["sha256"]
    # Just as many draws were consumed: the next filler starts at the right place.
    np.testing.assert_array_equal(rng.uniform(4, 0, 1), ARRAYS[f"{name}/next"])


@pytest.mark.parametrize("name", [name for name in ARRAYS if name.startswith("dropout")])
def test_dropout_mask_is_genuine_caffes(name):
    _, ratio, seed, count = name.split("/")
    keep = 1.0 - float(np.float32(ratio))
    mask = CaffeRNG(int(seed)).bernoulli(int(count), keep)
    expected = np.unpackbits(ARRAYS[name])[: int(count)].astype(bool)
    np.testing.assert_array_equal(mask, expected)


def test_initial_weights_of_a_net_follow_from_its_seed():
    """init.caffemodel: seed 7, one draw for the data layer's thread, then the parameters."""
    reference = NetParameter.FromString((GOLDEN / "init.caffemodel").read_bytes())
    blobs = {layer.name: layer.blobs for layer in reference.layer}
    rng = CaffeRNG(7)
    rng.draw(1)
    compared = 0
    for layer in read_net(GOLDEN / "tiny_train_val.prototxt").layer:
        for kind in ("convolution_param", "inner_product_param"):
            if layer.HasField(kind):
                param = getattr(layer, kind)
                fillers = (param.weight_filler, param.bias_filler)
                for filler, blob in zip(fillers, blobs[layer.name], strict=True):
                    values = fill(rng, filler, tuple(blob.shape.dim))
                    np.testing.assert_array_equal(values.ravel(), np.array(blob.data, np.float32))
                    compared += 1
    assert compared == 8


def test_uniform_includes_its_upper_end_and_draws_again_beyond_it():
    # Draws of seed 0 scaled to a range of one unit in the last place hit both ends only.
    high = float(np.nextafter(np.float32(1), np.float32(2)))
    values = CaffeRNG(0).uniform(1000, 1.0, high)
    assert set(values.tolist()) == {1.0, high}


def test_gaussian_in_parts_is_gaussian_in_one():
    whole = CaffeRNG(3).gaussian(5000, 0, 1)
    rng = CaffeRNG(3)
    parts = np.concatenate([rng.gaussian(n, 0, 1) for n in (*[1] * 500, 2, 498, 4000)])
    np.testing.assert_array_equal(whole, parts)


def test_state_can_be_restored():
    rng = CaffeRNG(5)
    rng.gaussian(777, 0, 1)
    state = rng.state()
    first = rng.draw(700)
    rng.restore(*state)
    np.testing.assert_array_equal(rng.draw(700), first)


def test_without_a_seed_runs_differ():
    assert not np.array_equal(CaffeRNG(None).draw(8), CaffeRNG(-1).draw(8))


def test_scalar_parameters_keep_their_shape():
    assert fill(CaffeRNG(1), parse("value: 2"), ()).shape == ()


@pytest.mark.parametrize(
    ("filler", "shape", "message"),
    [
        ("type: 'orthogonal'", (2, 2), "unknown filler type 'orthogonal'.*xavier"),
        ("type: 'uniform' min: 1 max: 0", (2, 2), "cannot draw from min 1 to max 0"),
        ("type: 'uniform' min: nan", (2, 2), "cannot draw from min nan to max 1"),
        ("type: 'uniform' max: inf", (2, 2), "cannot draw from min 0 to max inf"),
        ("type: 'uniform' min: -3e38 max: 3e38", (2, 2), r"cannot draw from min -3e\+38 to max 3e"),
        ("type: 'gaussian' std: 0", (2, 2), "std above 0"),
        ("type: 'gaussian' sparse: 9", (2, 2), "sparse 9"),
        ("type: 'gaussian' sparse: 1", (), "at least one dimension"),
        ("type: 'bilinear'", (1, 1, 3, 4), "square 4-d kernel"),
        ("type: 'xavier'", (), "at least one dimension"),
        ('type: "xavier"', (3, 0), "has nothing to fill"),
    ],
)
def test_what_caffe_refuses_is_an_input_error(filler, shape, message):
    with pytest.raises(InputError, match=message):
        fill(CaffeRNG(1), parse(filler), shape)
