"""Corners where random nets once ran otherwise than in genuine Caffe.

Numbers that are not worked out in the test are genuine Caffe 1.0's.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.solvers.plateau import Plateau
from i2cnn.util.errors import InputError

IP = (
    'layer { name: "i" type: "InnerProduct" bottom: "x" top: "w" '
    "inner_product_param { num_output: 3 } }\n"
)
FORCE = "force_backward: true\n"


def floats(values: object) -> np.ndarray:
    return np.asarray(values, np.float32)


def source(name: str, *shape: int) -> str:
    dims = " ".join(f"dim: {dim}" for dim in shape)
    shape_text = f"input_param {{ shape {{ {dims} }} }}"
    return f'layer {{ name: "{name}" type: "Input" top: "{name}" {shape_text} }}\n'


def layer(kind: str, bottoms: str = "x", top: str = "y", more: str = "") -> str:
    reads = " ".join(f'bottom: "{name}"' for name in bottoms.split())
    writes = " ".join(f'top: "{name}"' for name in top.split())
    return f'layer {{ name: "{top}" type: "{kind}" {reads} {writes} {more} }}\n'


@pytest.fixture
def build(tmp_path: Path):
    def make(text: str, phase: int = caffe.TRAIN) -> caffe.Net:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        caffe.set_random_seed(1)
        return caffe.Net(str(path), phase)

    return make


def backward(net: caffe.Net, top: str, diff: object = 1) -> np.ndarray:
    """Diff of x for that diff of a top."""
    net.blobs[top].diff[...] = diff
    net.backward()
    return net.blobs["x"].diff


# Pooling and convolution ------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["MAX", "AVE"])
def test_pooling_outside_the_image_is_refused(build, method: str) -> None:
    text = f"pooling_param {{ pool: {method} kernel_size: 1 stride: 2"
    with pytest.raises(InputError, match=r"'y': the last window .* give round_mode: FLOOR"):
        build(source("x", 1, 1, 4, 4) + layer("Pooling", more=text + " }"))
    net = build(source("x", 1, 1, 4, 4) + layer("Pooling", more=text + " round_mode: FLOOR }"))
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    np.testing.assert_array_equal(net.forward(x=x)["y"], x[:, :, ::2, ::2])


@pytest.mark.parametrize(
    ("method", "pad", "rows"),
    [("MAX", 1, [1, 2]), ("MAX", 2, [0, 2, 2]), ("AVE", 1, [1 / 3, 1]), ("AVE", 2, [0, 1, 2 / 3])],
)
def test_one_padded_axis_clips_both(build, method: str, pad: int, rows: Sequence[float]) -> None:
    # Six rows and a stride of 2: a fourth row of windows would begin behind the image.
    settings = f"pool: {method} kernel_h: 1 kernel_w: 3 stride: 2 pad_h: 0 pad_w: {pad}"
    text = source("x", 1, 1, 6, 3) + layer("Pooling", more=f"pooling_param {{ {settings} }}")
    net = build(text + layer("InnerProduct", "y", "z", "inner_product_param { num_output: 2 }"))
    net.forward(x=np.tile(np.arange(3, dtype=np.float32), (1, 1, 6, 1)))
    np.testing.assert_allclose(net.blobs["y"].data[0, 0], np.tile(rows, (3, 1)), rtol=1e-6)


@pytest.mark.parametrize("kind", ["Convolution", "Deconvolution"])
@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("axis: 4", "axis 4 is out of range"),
        ("axis: 2 stride_h: 1 stride_w: 1", "stride_h and stride_w need two spatial axes, not 1"),
        ("dilation: 1 dilation: 2 dilation: 1", "dilation specified 3 times; 2 spatial dims"),
        ("stride: 1 stride: 2 stride: 1", "stride specified 3 times; 2 spatial dims"),
        ("pad: 1 pad: 2 pad: 1", "pad specified 3 times; 2 spatial dims"),
        ("kernel_size: 2 kernel_size: 2", "kernel_size specified 3 times; 2 spatial dims"),
    ],
)
def test_settings_that_do_not_fit_the_axes_are_refused(
    build, kind, setting: str, message: str
) -> None:
    more = f"convolution_param {{ num_output: 2 kernel_size: 2 {setting} }}"
    with pytest.raises(InputError, match=message):
        build(source("x", 2, 3, 4, 4) + layer(kind, more=more))


# Which layers run backward ----------------------------------------------------------------------


def test_force_backward_overrides_propagate_down(build) -> None:
    net = build(FORCE + source("x", 3) + layer("ReLU", more="propagate_down: false"))
    net.forward(x=floats([-1, 2, 3]))
    np.testing.assert_array_equal(backward(net, "y", [4, 5, 6]), [0, 5, 6])


def test_propagate_down_alone_starts_no_backward_pass(build) -> None:
    net = build(
        source("x", 3)
        + layer("TanH", more="propagate_down: true")
        + layer("Reduction", "y", "l", "loss_weight: 1")
    )
    net.forward(x=floats([-1, 2, 3]))
    net.backward()
    assert not net.blobs["y"].diff.any()
    assert not net.blobs["x"].diff.any()


@pytest.mark.parametrize("reader", ["Silence", "Power"])
def test_a_loss_read_by_what_reaches_no_loss_trains_nothing(build, reader: str) -> None:
    text = source("x", 2, 3) + source("n", 2) + IP + layer("SoftmaxWithLoss", "w n", "l")
    tops = "" if reader == "Silence" else "q"
    for more, trains in (("", True), (layer(reader, "l", tops), False)):
        net = build(text + more)
        net.forward(x=np.ones((2, 3), np.float32), n=floats([0, 1]))
        net.backward()
        assert bool(net.params["i"][1].diff.any()) is trains


def test_a_weighted_top_that_is_read_takes_all_the_weights_of_its_layer(build) -> None:
    weights = "loss_weight: 1 loss_weight: 2 loss_weight: 3"
    net = build(
        source("x", 2, 3)
        + IP
        + layer("Slice", "w", "a b c", f"{weights} slice_param {{ axis: 1 }}")
        + layer("Power", "c", "q")
    )
    net.forward(x=np.ones((2, 3), np.float32))
    net.backward()
    np.testing.assert_array_equal(net.blobs["w"].diff, [[0, 0, 3], [0, 0, 3]])
    assert {k: v for k, v in net.blob_loss_weights.items() if v} == {"c_a b c_2_split_0": 3}


def test_a_weighted_loss_that_is_read_counts_once_more(build) -> None:
    text = source("x", 2, 3) + source("n", 2) + IP
    net = build(
        text + layer("SoftmaxWithLoss", "w n", "l", "loss_weight: 2") + layer("Power", "l", "q")
    )
    assert {k: v for k, v in net.blob_loss_weights.items() if v} == {"l": 1, "l_l_0_split_0": 2}
    net.forward(x=np.ones((2, 3), np.float32), n=floats([0, 0]))
    net.backward()
    np.testing.assert_array_equal(net.blobs["l"].diff, 2)


# Single layers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_batch_norm_gathers_in_forward_passes_only(build, phase: int) -> None:
    more = "batch_norm_param { use_global_stats: false }"
    net = build(FORCE + source("x", 2, 3) + layer("BatchNorm", more=more), phase)
    net.forward(x=floats([[1, 2, 3], [3, 6, 5]]))
    for _ in range(2):
        backward(net, "y")
    mean, variance, number = (blob.data for blob in net.params["y"])
    np.testing.assert_allclose(mean, [2, 4, 4])
    np.testing.assert_allclose(variance, [2, 8, 2])
    assert number == 1


def test_lrn_takes_other_channels(build) -> None:
    more = "lrn_param { local_size: 3 beta: 0.5 }"
    net = build(source("x", 2, 3, 4, 4) + layer("LRN", more=more))
    x = np.random.RandomState(0).randn(2, 5, 4, 4).astype(np.float32)
    net.blobs["x"].reshape(*x.shape)
    y = net.forward(x=x)["y"].copy()
    fresh = build(source("x", *x.shape) + layer("LRN", more=more))
    np.testing.assert_allclose(y, fresh.forward(x=x)["y"], rtol=1e-6)


@pytest.mark.parametrize("kind", ["BatchNorm", "PReLU"])
def test_channels_may_not_change(build, kind: str) -> None:
    net = build(source("x", 2, 3, 4) + layer(kind))
    net.blobs["x"].reshape(2, 5, 4)
    with pytest.raises(InputError, match=r"the bottom has 5 channels, the .* 3"):
        net.forward()


@pytest.mark.parametrize("kind", ["Scale", "Bias"])
def test_scales_of_another_size_are_not_spread_over_the_bottom(build, kind: str) -> None:
    net = build(source("x", 2, 3) + layer(kind, more=f"{kind.lower()}_param {{ axis: 0 }}"))
    net.blobs["x"].reshape(1, 3)
    with pytest.raises(InputError, match=r"\(2,\) does not fit \(1, 3\) at axis 0"):
        net.forward()


@pytest.mark.parametrize(("kind", "top"), [("Scale", [0, 3, 6]), ("Bias", [3, 4, 5])])
def test_a_single_factor_or_bias_fits_any_bottom(build, kind: str, top: list[float]) -> None:
    net = build(FORCE + source("x", 3) + source("n") + layer(kind, "x n"))
    np.testing.assert_array_equal(net.forward(x=floats([0, 1, 2]), n=floats(3))["y"], top)
    backward(net, "y")
    assert net.blobs["n"].diff == (3 if kind == "Bias" else 0 + 1 + 2)


@pytest.mark.parametrize("kind", ["Scale", "Bias", "InnerProduct"])
def test_an_axis_from_the_back_is_counted_in_each_shape(build, kind: str) -> None:
    settings = {"InnerProduct": "inner_product_param { num_output: 2"}.get(kind, "")
    more = f"{settings or f'{kind.lower()}_param {{'} axis: -1 }}"
    net = build(source("x", 2, 3, 4) + layer(kind, more=more))
    net.blobs["x"].reshape(5, 4)
    assert net.forward()["y"].shape == (5, 2 if settings else 4)


def test_batch_norm_of_one_number_per_channel_is_zero(build) -> None:
    more = "batch_norm_param { use_global_stats: false }"
    net = build(FORCE + source("x", 1, 3) + layer("BatchNorm", more=more))
    np.testing.assert_array_equal(net.forward(x=floats([[1, 2, 3]]))["y"], [[0, 0, 0]])
    mean, variance, number = (blob.data for blob in net.params["y"])
    np.testing.assert_array_equal(mean, [1, 2, 3])
    np.testing.assert_array_equal(variance, [0, 0, 0])
    assert number == 1


def test_dropout_keeps_its_mask_for_a_second_backward_pass(build) -> None:
    net = build(FORCE + source("x", 1000) + layer("Dropout"))
    kept = net.forward(x=np.ones(1000, np.float32))["y"].copy()
    for _ in range(2):
        np.testing.assert_array_equal(backward(net, "y"), kept)


@pytest.mark.parametrize("kind", ["BatchNorm", "ELU", "PReLU", "Scale", "Sigmoid", "Softmax"])
@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_a_second_backward_pass_sees_what_an_in_place_layer_overwrote(
    build, kind: str, phase: int
) -> None:
    more = {
        "BatchNorm": "batch_norm_param { use_global_stats: false }",
        "Scale": "scale_param { filler { value: 3 } }",
    }.get(kind, "")
    below = layer("Power", more="power_param { scale: 2 }")
    net = build(FORCE + source("x", 3, 4) + below + layer(kind, "y", "y", more), phase)
    values = np.random.RandomState(0).randn(2, 3, 4).astype(np.float32)
    net.forward(x=values[0])
    found = []
    for _ in range(2):
        net.clear_param_diffs()
        found.append([backward(net, "y", values[1]).copy()])
        found[-1] += [blob.diff.copy() for blobs in net.params.values() for blob in blobs]
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(second, first)


def test_hinge_loss_has_no_gradient_at_its_corner(build) -> None:
    net = build(FORCE + source("x", 2, 2) + source("n", 2) + layer("HingeLoss", "x n"))
    net.forward(x=floats([[1, -1], [0.5, -1]]), n=np.zeros(2, np.float32))
    net.backward()
    np.testing.assert_array_equal(net.blobs["x"].diff, [[0, 0], [-0.5, 0]])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 3, 4)])
def test_mvn_makes_four_axes(build, shape: tuple[int, ...]) -> None:
    net = build(FORCE + source("x", *shape) + layer("MVN"))
    y = net.forward(x=np.random.RandomState(0).randn(*shape).astype(np.float32))["y"]
    assert y.shape == (*shape, 1, 1, 1)[:4]
    assert backward(net, "y").shape == shape


def test_missing_axes_are_1(build) -> None:
    net = build(source("x", 3) + source("n", 3) + layer("HingeLoss", "x n"))
    hinge = net.forward(x=floats([-2, 0.5, 2]), n=np.zeros(3, np.float32))["y"]
    np.testing.assert_allclose(hinge, (3 + 0.5 + 0) / 3, rtol=1e-6)
    net = build(source("x", 3) + layer("ArgMax"), caffe.TEST)
    np.testing.assert_array_equal(net.forward(x=floats([5, 6, 7]))["y"], np.zeros((3, 1, 1)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (source("x", 3) + layer("PReLU"), "at least two axes"),
        (source("x", 1, 2, 3, 4, 5) + layer("MVN"), "at most four axes"),
        (source("x", 2) + layer("Concat", more="concat_param { concat_dim: 1 }"), "axis 1 is out"),
        (source("x", 2) + layer("Slice", more="slice_param { slice_dim: 1 }"), "axis 1 is out"),
        (source("x", 2) + layer("Scale", more="scale_param { axis: 0 num_axes: 2 }"), "2 axes fr"),
        (source("x", 2, 6) + source("n", 3, 6) + layer("EuclideanLoss", "x n"), "first dimension"),
        (
            source("x", 2, 2)
            + layer("Reduction", top="s", more="reduction_param { axis: 0 }")
            + layer("ArgMax", "s"),
            "axis 0 is out of range",
        ),
    ],
)
def test_axes_that_are_not_there_are_refused(build, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(text)


@pytest.mark.parametrize("kind", ["BatchNorm", "Scale"])
@pytest.mark.parametrize("shape", [(1, 4, 3, 2), (2, 4, 1, 3), (2, 4, 3, 2), (2, 4, 3, 1)])
def test_gradients_may_be_in_any_order_in_memory(build, kind: str, shape: tuple[int, ...]) -> None:
    # PyTorch takes strides for those of another order where an axis has one entry.
    more = "batch_norm_param { use_global_stats: false }" if kind == "BatchNorm" else ""
    one = build(FORCE + source("x", *shape) + layer(kind, "x", "y", more)).layers[-1]
    generator = torch.Generator().manual_seed(0)
    x, gradient = (torch.randn(shape, generator=generator) for _ in range(2))
    found = []
    for order in itertools.permutations(range(4)):
        for of_x, of_gradient in ((range(4), order), (order, range(4))):
            bottom, top = in_order(x, of_x), in_order(gradient, of_gradient)
            one.forward([bottom], [True], graph=True)
            for blob in one.blobs:
                blob.clear_grad()
            below = one.backward([bottom], [top], [True])[0]
            found.append([below.numpy().copy(), *(blob.diff.copy() for blob in one.blobs)])
    for arrays in found:
        for array, expected in zip(arrays, found[0], strict=True):
            np.testing.assert_allclose(array, expected, rtol=1e-3, atol=1e-5)


def in_order(values: torch.Tensor, order: Sequence[int]) -> torch.Tensor:
    """The same numbers with their axes in this order in memory."""
    return values.permute(*order).contiguous().permute(*np.argsort(order))


@pytest.mark.parametrize(
    ("kind", "bottoms", "top"),
    [
        ("Reduction", "x", (0,)),
        ("MVN", "x", (0, 3, 1, 1)),
        ("ArgMax", "x", (0, 1, 1)),
        ("HingeLoss", "x n", ()),
        ("MultinomialLogisticLoss", "x n", ()),
        ("ContrastiveLoss", "x z n", ()),
    ],
)
def test_a_batch_may_have_no_items(build, kind: str, bottoms: str, top: tuple[int, ...]) -> None:
    more = "reduction_param { axis: 1 }" if kind == "Reduction" else ""
    sources = source("x", 0, 3) + source("z", 0, 3) + source("n", 0)
    net = build(FORCE + sources + layer(kind, bottoms, more=more))
    assert net.forward()["y"].shape == top
    net.backward()


def test_a_test_without_items_tells_nothing_of_the_loss(build) -> None:
    net = build(source("x", 0, 3) + source("n", 0) + layer("SoftmaxWithLoss", "x n"))
    plateau = Plateau()
    plateau.record(net._core, {"y": np.zeros(())})
    assert plateau.losses == []


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_recurrent_parameters_have_gradients_where_lr_mult_is_0(build, kind: str) -> None:
    settings = 'recurrent_param { num_output: 2 weight_filler { type: "xavier" } }'
    gradients = []
    for learned in (1, 0):
        more = f"param {{ }} param {{ lr_mult: {learned} }} loss_weight: 1 {settings}"
        caffe.set_random_seed(1)
        net = build(source("x", 3, 2, 4) + source("c", 3, 2) + layer(kind, "x c", "y", more))
        net.forward(x=np.random.RandomState(0).randn(3, 2, 4), c=np.ones((3, 2)))
        net.backward()
        gradients.append([blob.diff for blob in net.params["y"]])
    assert all(diff.any() for diff in gradients[0])
    for mine, other in zip(*gradients, strict=True):
        np.testing.assert_array_equal(mine, other)
