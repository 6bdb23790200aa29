"""Caffe's rarer layers beside recordings of genuine Caffe 1.0, both directions; what they refuse.

Tolerance: 1e-5 of the largest value, as for the other layers.
"""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.context import Context, NetOptions, Shard
from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.layers.pooling import Pooling
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter
from i2cnn.util.errors import InputError
from tests.helpers.golden import GOLDEN
from tests.helpers.single_layers import CASES, build, check_case


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST], ids=["train", "recomputed"])
@pytest.mark.parametrize(("archive", "name"), sorted(CASES))
def test_layer(archive: str, name: str, phase: int, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    check_case(archive, name, phase, tmp_path)


# What each refuses ----------------------------------------------------------------------------


def inputs(*shapes: tuple[int, ...]) -> str:
    return "".join(
        f'layer {{ name: "in{i}" type: "Input" top: "x{i}" input_param {{ shape {{ '
        + " ".join(f"dim: {n}" for n in shape)
        + " } } }\n"
        for i, shape in enumerate(shapes)
    )


def op(kind: str, bottoms: int, tops: int = 1, more: str = "") -> str:
    names = [f'bottom: "x{i}"' for i in range(bottoms)] + [f'top: "y{i}"' for i in range(tops)]
    return f'layer {{ name: "op" type: "{kind}" {" ".join(names)} {more} }}\n'


RECURRENT = "recurrent_param { num_output: 2 }"
REFUSED = [
    ("Clip", [(2, 3)], 1, "", "clip_param must give min and max"),
    ("Tile", [(2, 3)], 1, "", "Number of tiles must be specified"),
    ("Tile", [(2, 3)], 1, "tile_param { tiles: 0 }", "Number of tiles must be positive"),
    ("Tile", [(2, 3)], 1, "tile_param { tiles: 2 axis: 2 }", "axis 2 is out of range"),
    ("Crop", [(2, 3)] * 2, 1, "", "axis 2 is out of range"),
    ("Crop", [(1, 1, 4, 4), (4, 4)], 1, "", "has fewer axes than the first"),
    ("Crop", [(1, 1, 4, 4)] * 2, 1, "crop_param { offset: 1 }", "dimension 2 is out-of-bounds"),
    (
        "Crop",
        [(1, 1, 4, 4)] * 2,
        1,
        "crop_param { axis: 1 offset: 0 offset: 0 }",
        "number of offset values specified must be equal .* one, or 3, not 2",
    ),
    ("Filter", [(4, 2), (4, 2)], 1, "", "must be singletons"),
    ("Filter", [(4, 2), (3,)], 1, "", "same 0th dimension as the selector"),
    ("Filter", [(4, 2), (4,)], 2, "", "one top of each bottom but the last"),
    ("BatchReindex", [(4, 2), (3, 1)], 1, "", "must be a vector of indices"),
    ("MultinomialLogisticLoss", [(4, 2), (4, 3)], 1, "", "need 4 labels"),
    ("MultinomialLogisticLoss", [(4, 2), (3,)], 1, "", "differ in their first dimension"),
    ("InfogainLoss", [(4, 2), (4,)], 1, "", "Infogain matrix source must be specified"),
    ("InfogainLoss", [(4, 2), (4,), (2, 3)], 1, "", "H must be 2x2, not "),
    (
        "InfogainLoss",
        [(4, 2), (4,), (2, 2)],
        1,
        "loss_param { normalize: true }",
        'normalize is deprecated. use "normalization"',
    ),
    (
        "InfogainLoss",
        [(4, 2), (4,)],
        1,
        'infogain_loss_param { source: "none.binaryproto" }',
        "none.binaryproto",
    ),
    ("ContrastiveLoss", [(4, 2), (4, 3), (4,)], 1, "", r"must be \(N, C\) of one size"),
    ("ContrastiveLoss", [(4, 2, 2, 1)] * 2 + [(4,)], 1, "", r"must be \(N, C\) of one size"),
    ("ContrastiveLoss", [(4, 2), (4, 2), (3,)], 1, "", "4 pairs need 4 labels"),
    ("SPP", [(1, 1, 8, 8)], 1, "", "pyramid_height must be at least 1"),
    ("SPP", [(1, 8, 8)], 1, "spp_param { pyramid_height: 1 }", r"must be \(N, C, H, W\)"),
    ("SPP", [(1, 1, 8, 3)], 1, "spp_param { pyramid_height: 3 }", "8x3 is too small for 4x4 bins"),
    ("Im2col", [(1, 1, 8, 8)], 1, "", "kernel_size must be given"),
    ("Flatten", [(2, 3, 4)], 1, "flatten_param { axis: 2 end_axis: 0 }", "axis 2 is behind"),
    (
        "Im2col",
        [(1, 1, 8)],
        1,
        "convolution_param { kernel_h: 1 kernel_w: 1 }",
        "kernel_h and kernel_w need two spatial axes, not 1",
    ),
    (
        "Im2col",
        [(1, 1, 8, 8, 8)],
        1,
        "convolution_param { kernel_size: 2 kernel_size: 2 }",
        "kernel_size specified 2 times; 3 spatial dims",
    ),
    ("Im2col", [(1, 1, 4, 4)], 1, "convolution_param { kernel_size: 6 }", "does not fit into"),
    ("HDF5Output", [(4, 2), (3,)], 0, "", "Failed to open HDF5 file ''"),
    ("Convolution", [(1, 2, 3)], 1, "convolution_param { num_output: 2 }", "kernel_size must be"),
    (
        "Convolution",
        [(1, 1, 3, 3, 3)],
        1,
        "convolution_param { num_output: 1 kernel_size: 4 }",
        "does not fit into a 3x3x3 bottom",
    ),
    (
        "Pooling",
        [(1, 1, 4, 4)],
        2,
        "pooling_param { pool: AVE kernel_size: 2 }",
        "only MAX pooling",
    ),
    (
        "LSTMUnit",
        [(1, 2, 3), (1, 2, 12), (2, 1)],
        2,
        "",
        r"\(1, N, D\), \(1, N, 4 D\) and \(1, N\)",
    ),
    ("LSTM", [(2, 3, 4), (2, 3)], 1, "", "num_output must be at least 1"),
    ("LSTM", [(2, 3, 4), (3, 2)], 1, RECURRENT, r"must be \(T, N, D ...\) and \(T, N\)"),
    ("LSTM", [(2, 3), (2, 3)], 1, RECURRENT, r"must be \(T, N, D ...\) and \(T, N\)"),
    ("LSTM", [(2, 3, 4), (2, 3), (2, 4)], 1, RECURRENT, r"the static input must be \(3, ...\)"),
    ("RNN", [(2, 3, 4), (2, 3), (3, 2), (1, 3, 2)], 1, RECURRENT, "RNN takes 2 or 3 bottom blobs"),
    (
        "RNN",
        [(2, 3, 4), (2, 3), (1, 3, 3)],
        2,
        "recurrent_param { num_output: 2 expose_hidden: true }",
        r"a first state must be \(1, 3, 2\)",
    ),
]


@pytest.mark.parametrize(("kind", "shapes", "tops", "more", "message"), REFUSED)
def test_refused(kind, shapes, tops, more, message, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        build(inputs(*shapes) + op(kind, len(shapes), tops, more), tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([0, -1], "Index specified for reindex layer was negative"),
        ([0, 3], "greater than batch size: 3 items have the indices 0 to 2"),
    ],
)
def test_indices_outside_the_batch(index: list[int], message: str, tmp_path: Path) -> None:
    net = build(inputs((3, 2), (2,)) + op("BatchReindex", 2), tmp_path)
    with pytest.raises(InputError, match=message):
        net.forward(x0=np.zeros((3, 2)), x1=np.array(index))


@pytest.mark.parametrize("kind", ["MultinomialLogisticLoss", "InfogainLoss"])
def test_labels_outside_the_classes(kind: str, tmp_path: Path) -> None:
    shapes = [(3, 2), (3,), (2, 2)][: 3 if kind == "InfogainLoss" else 2]
    net = build(inputs(*shapes) + op(kind, len(shapes)), tmp_path)
    net.blobs["x1"].data[...] = [0, 2, 0]
    with pytest.raises(InputError, match=r"label 2 is outside \[0, 2\)"):
        net.forward()


# What recordings do not show ------------------------------------------------------------------


def test_filter_that_keeps_nothing(tmp_path: Path) -> None:
    # Genuine Caffe divides by zero in the backward pass.
    net = build("force_backward: true\n" + inputs((3, 2), (3,)) + op("Filter", 2), tmp_path)
    net.blobs["x0"].diff[...] = 1
    assert net.forward(x0=np.ones((3, 2)), x1=np.zeros(3))["y0"].shape == (0, 2)
    net.backward()
    assert not net.blobs["x0"].diff.any()


def test_stochastic_pyramid_in_test(tmp_path: Path) -> None:
    spp = "spp_param { pyramid_height: 2 pool: STOCHASTIC }"
    net = build(inputs((1, 1, 2, 2)) + op("SPP", 1, more=spp), tmp_path, caffe.TEST)
    y = net.forward(x0=np.array([[[[1, 2], [3, 4]]]]))["y0"]
    np.testing.assert_allclose(y, [[3, 1, 2, 3, 4]], rtol=1e-6)


def test_parameter_adds_gradients_up_and_is_shared(tmp_path: Path) -> None:
    more = "parameter_param { shape { dim: 2 } } param { name: 'w' }"
    net = build(
        inputs((2,))
        + "".join(
            f"layer {{ name: 'p{i}' type: 'Parameter' top: 'y{i}' {more} }}\n" for i in (0, 1)
        )
        + "layer { name: 'act' type: 'ReLU' bottom: 'y1' top: 'y1' }\n"
        + "layer { name: 'loss' type: 'EuclideanLoss' bottom: 'y0' bottom: 'x0' top: 'l' }\n",
        tmp_path,
    )
    weight = net.params["p0"][0]
    weight.data[...] = [3, -4]
    for _ in range(2):
        net.forward()
        net.backward()
    np.testing.assert_array_equal(net.blobs["y0"].data, [3, -4])
    np.testing.assert_array_equal(net.blobs["y1"].data, [3, 0])  # the layer after works in place
    np.testing.assert_array_equal(weight.data, [3, -4])
    np.testing.assert_array_equal(weight.diff, [3, -4])  # two halves: genuine Caffe keeps the last


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_states_go_on_in_a_smaller_batch_and_a_resumed_run(kind: str, tmp_path: Path) -> None:
    more = 'recurrent_param { num_output: 2 weight_filler { type: "xavier" } }'
    net = build(inputs((1, 3, 2), (1, 3)) + op(kind, 2, more=more), tmp_path)
    x, cont = np.random.RandomState(0).randn(1, 3, 2), np.ones((1, 3))
    net.forward(x0=x, x1=cont)
    second = net.forward(x0=x, x1=cont)["y0"].copy()
    net.forward(x0=x, x1=0 * cont)  # begin again
    net.blobs["x0"].reshape(1, 2, 2)
    net.blobs["x1"].reshape(1, 2)
    found = net.forward(x0=x[:, :2], x1=cont[:, :2])["y0"]
    np.testing.assert_allclose(found, second[:, :2], rtol=1e-6)
    other = build(inputs((1, 2, 2), (1, 2)) + op(kind, 2, more=more), tmp_path)
    for mine, theirs in zip(other.params["op"], net.params["op"], strict=True):
        mine.data[...] = theirs.data
    other._core.restore_position(net._core.position())
    again = {"x0": x[:, 1:], "x1": cont[:, 1:]}
    np.testing.assert_array_equal(net.forward(**again)["y0"], other.forward(**again)["y0"])
    net.blobs["x0"].reshape(2, 2, 2)
    net.blobs["x1"].reshape(2, 2)
    with pytest.raises(InputError, match="number of timesteps changed from 1 to 2"):
        net.forward()


def test_the_types_are_genuine_caffes() -> None:
    assert caffe.layer_type_list() == (GOLDEN / "layers" / "types.txt").read_text().split()


def test_stochastic_pooling_draws_in_proportion() -> None:
    # In phase TRAIN it needs a GPU; what it computes is the same anywhere.
    text = 'name: "p" type: "Pooling" pooling_param { pool: STOCHASTIC kernel_size: 3 stride: 2 }'
    options = NetOptions(torch.device("cpu"), CaffeRNG(1))
    layer = Pooling(parse(text, LayerParameter(), "net"), Context("net", False, options))
    layer.setup([(4000, 1, 4, 4)])
    window = torch.tensor([[1.0, 0, 2], [0, 3, 0], [0, 0, 4]])
    x = torch.zeros(4000, 1, 4, 4)
    x[:, :, :3, :3] = window
    x.requires_grad_()
    y = layer._drawn(x)
    assert y.shape == (4000, 1, 2, 2)
    share = [(y[:, 0, 0, 0] == value).float().mean().item() for value in (0, 1, 2, 3, 4)]
    np.testing.assert_allclose(share, [0, 0.1, 0.2, 0.3, 0.4], atol=0.03)
    layer.recomputing = True
    assert torch.equal(layer._drawn(x), y)
    y[:, :, 0, 0].sum().backward()
    np.testing.assert_array_equal((x.grad * x).sum((1, 2, 3)).detach(), y[:, 0, 0, 0].detach())


def test_hdf5_output(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("out.h5").write_bytes(b"an older file")
    layer = op("HDF5Output", 2, 0, 'hdf5_output_param { file_name: "out.h5" }')
    net = build(inputs((3, 2), (3,)) + layer, tmp_path)
    x, labels = np.arange(6, dtype=np.float32).reshape(3, 2), np.array([5, 6, 7], np.float32)
    net.forward(x0=x, x1=labels)
    with h5py.File("out.h5", "r") as file:
        assert sorted(file) == ["data", "label"]
        assert file["data"].dtype == file["label"].dtype == np.float32
        np.testing.assert_array_equal(file["data"][...], x.reshape(3, 2, 1, 1))
        np.testing.assert_array_equal(file["label"][...], labels.reshape(3, 1, 1, 1))
    with pytest.raises(InputError, match=r"out\.h5 has its batch already"):
        net.forward()


def test_hdf5_output_needs_as_many_labels(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    layer = op("HDF5Output", 2, 0, 'hdf5_output_param { file_name: "out.h5" }')
    with pytest.raises(InputError, match="must have the same batch size"):
        build(inputs((3, 2), (4,)) + layer, tmp_path)


def test_hdf5_output_refuses_pipes_and_several_processes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    text = inputs((3, 2), (3,)) + op(
        "HDF5Output", 2, 0, f'hdf5_output_param {{ file_name: "{tmp_path / "pipe"}" }}'
    )
    with pytest.raises(InputError, match="not a regular file"):
        build(text, tmp_path)
    param = parse(text, NetParameter(), "net")
    param.state.phase = caffe.TRAIN
    with pytest.raises(InputError, match="cannot write the batches of several processes"):
        CoreNet(param, NetOptions(torch.device("cpu"), CaffeRNG(1), Shard(0, 2)))
