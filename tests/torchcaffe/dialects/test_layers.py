"""Layers of forks beside their definitions in NumPy, and OpenCV's importer where it has them."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.util.errors import InputError
from tests.helpers.dialects import OneLayer

RANDOM = np.random.default_rng(5)


def numbers(*shape: int) -> np.ndarray:
    """Random numbers of a shape, float32."""
    return RANDOM.normal(size=shape).astype(np.float32)


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


# Channels


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1, 1)])
def test_axpy(shape: tuple[int, ...]) -> None:
    a, x, y = numbers(*shape), numbers(2, 3, 2, 2), numbers(2, 3, 2, 2)
    it = OneLayer('type: "Axpy" top: "y"', [a, x, y])
    close(it.forward()[0], np.einsum("nc,nchw->nchw", a.reshape(2, 3), x) + y)
    it.check_gradients()


def test_shuffle_channel() -> None:
    x = numbers(2, 6, 2, 3)
    it = OneLayer('type: "ShuffleChannel" top: "y" shuffle_channel_param { group: 2 }', [x])
    close(it.forward()[0], x[:, [0, 3, 1, 4, 2, 5]])
    close(it.opencv()[0], it.forward()[0])
    it.check_gradients()


def reorg(x: np.ndarray, s: int, reverse: bool) -> np.ndarray:
    """Darknet's loop: one index of the flat bottom for each of the top, or the other way round."""
    n, c, h, w = x.shape
    narrow = c // (s * s)
    top = np.empty_like(x).reshape(n, -1)
    for i, k, row, column in itertools.product(*map(range, x.shape)):
        place = (k * h + row) * w + column
        offset = k // narrow
        wide_row, wide_column = row * s + offset // s, column * s + offset % s
        other = (k % narrow * h * s + wide_row) * w * s + wide_column
        if reverse:
            top[i, other] = x.reshape(n, -1)[i, place]
        else:
            top[i, place] = x.reshape(n, -1)[i, other]
    if reverse:
        return top.reshape(n, narrow, h * s, w * s)
    return top.reshape(n, c * s * s, h // s, w // s)


@pytest.mark.parametrize("reverse", [False, True])
def test_reorg(reverse: bool) -> None:
    x = numbers(2, 8, 4, 6)
    settings = f"reorg_param {{ stride: 2 reverse: {str(reverse).lower()} }}"
    it = OneLayer(f'type: "Reorg" top: "y" {settings}', [x])
    close(it.forward()[0], reorg(x, 2, reverse))
    it.check_gradients()


def test_reorg_is_that_of_darknet() -> None:
    x = numbers(1, 8, 4, 6)
    cfg = b"[net]\nwidth=6\nheight=4\nchannels=8\n[reorg]\nstride=2\n"
    net = cv2.dnn.readNetFromDarknet(np.frombuffer(cfg, np.uint8))
    net.setInput(x)
    it = OneLayer('type: "Reorg" top: "y" reorg_param { stride: 2 }', [x])
    close(it.forward()[0], net.forward())


# Convolution


def depthwise(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """Kernels of 3x3, a stride of 2 and a pad of 1."""
    n, c, h, w = x.shape
    x = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    top = np.empty((n, c, (h + 1) // 2, (w + 1) // 2), np.float32)
    for k, i, j in itertools.product(*map(range, top.shape[1:])):
        window = x[:, k, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        top[:, k, i, j] = (window * weight[k, 0]).sum((1, 2)) + bias[k]
    return top


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("ConvolutionDepthwise", ""),
        ("ConvolutionDepthwise", "num_output: 3 group: 3"),
        ("DepthwiseConvolution", "num_output: 3 group: 3"),
    ],
)
def test_depthwise_convolution(name: str, settings: str) -> None:
    x, params = numbers(2, 3, 5, 6), [numbers(3, 1, 3, 3), numbers(3)]
    settings = f"convolution_param {{ kernel_size: 3 stride: 2 pad: 1 {settings} }}"
    it = OneLayer(f'type: "{name}" top: "y" {settings}', [x], params, caffe.TRAIN)
    close(it.forward()[0], depthwise(x, *params))
    it.check_gradients()
    if name == "ConvolutionDepthwise" and "group" in settings:
        close(it.opencv()[0], it.forward()[0])


# Pooling


@pytest.mark.parametrize("mode", ["true", "false"])
def test_ceil_mode_of_pooling(mode: str) -> None:
    x = numbers(1, 2, 6, 6)
    settings = f"pooling_param {{ kernel_size: 3 stride: 2 ceil_mode: {mode} }}"
    it = OneLayer(f'type: "Pooling" top: "y" {settings}', [x])
    sizes = range(3 if mode == "true" else 2)
    windows = [[x[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3] for j in sizes] for i in sizes]
    expected = np.stack([np.stack([a.max((2, 3)) for a in row], -1) for row in windows], -2)
    close(it.forward()[0], expected)
    close(it.opencv()[0], expected)


# Batch normalisation


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and biased variance per channel, (1, C, 1, 1)."""
    return x.mean((0, 2, 3), keepdims=True), x.var((0, 2, 3), keepdims=True)


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_bn_of_segnet_learns_in_both_phases(phase: int) -> None:
    x, params = 2 * numbers(3, 2, 4, 3) + 1, [numbers(1, 2, 1, 1), numbers(1, 2, 1, 1)]
    names = 'type: "BN" top: "y" top: "mean" top: "variance"'
    it = OneLayer(names + " bn_param { bn_mode: LEARN }", [x], params, phase)
    mean, variance = statistics(x)
    top, *others = it.forward()
    close(top, (x - mean) / np.sqrt(variance) * params[0] + params[1])
    close(others[0], mean)
    close(others[1], variance)
    single = OneLayer('type: "BN" top: "y" bn_param { bn_mode: LEARN }', [x], params, phase)
    single.check_gradients()


def test_bn_of_segnet_infers_with_folded_statistics() -> None:
    x, params = numbers(2, 2, 3, 3), [numbers(1, 2, 1, 1), numbers(1, 2, 1, 1)]
    settings = "bn_param { bn_mode: INFERENCE scale_filler { type: 'constant' value: 1 } }"
    it = OneLayer(f'type: "BN" top: "y" {settings}', [x], params)
    close(it.forward()[0], x * params[0] + params[1])
    it.check_gradients()
    # Without weights the fillers are what is there.
    close(OneLayer(f'type: "BN" top: "y" {settings}', [x]).forward()[0], x)


def test_bn_of_pspnet_gathers_statistics() -> None:
    x = 2 * numbers(3, 2, 4, 3) + 1
    params = [*numbers(2, 1, 2), numbers(1, 2), np.abs(numbers(1, 2))]
    settings = "bn_param { momentum: 0.8 eps: 1e-3 }"
    it = OneLayer(f'type: "BN" top: "y" {settings}', [x], params, caffe.TRAIN)
    slope, bias, old_mean, old_variance = (p.reshape(1, 2, 1, 1) for p in params)
    mean, variance = statistics(x)
    close(it.forward()[0], (x - mean) / np.sqrt(variance + 1e-3) * slope + bias)
    close(it.layer.blobs[2].data, (0.8 * old_mean + 0.2 * mean).reshape(1, 2))
    close(it.layer.blobs[3].data, (0.8 * old_variance + 0.2 * variance).reshape(1, 2))
    it.check_gradients()
    assert [entry.lr_mult for entry in it.net.learnable] == [1, 1, 0, 0]


@pytest.mark.parametrize(("frozen", "phase"), [("", caffe.TEST), ("frozen: true", caffe.TRAIN)])
def test_bn_of_pspnet_uses_statistics(frozen: str, phase: int) -> None:
    x, params = numbers(3, 2, 4, 3), [*numbers(2, 1, 2), numbers(1, 2), np.abs(numbers(1, 2))]
    it = OneLayer(f'type: "BN" top: "y" bn_param {{ eps: 1e-3 {frozen} }}', [x], params, phase)
    slope, bias, mean, variance = (p.reshape(1, 2, 1, 1) for p in params)
    close(it.forward()[0], (x - mean) / np.sqrt(variance + 1e-3) * slope + bias)
    close(it.layer.blobs[3].data, params[3])
    it.check_gradients()
    learned = [entry.lr_mult for entry in it.net.learnable]
    assert learned == ([0, 0, 0, 0] if frozen else [1, 1, 0, 0])


# Losses


def test_segnet_weighs_classes() -> None:
    scores, labels = numbers(2, 3, 2, 2), np.float32([[[0, 1], [2, 9]], [[1, 1], [9, 0]]])
    text = "loss_param { ignore_label: 9 weight_by_label_freqs: true "
    weights = np.float32([0.5, 2, 3])
    text += " ".join(f"class_weighting: {weight}" for weight in weights) + " }"
    it = OneLayer(f'type: "SoftmaxWithLoss" top: "loss" {text}', [scores, labels])
    log = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    losses = [
        -weights[int(label)] * log[n, int(label), i, j]
        for (n, i, j), label in np.ndenumerate(labels)
        if label != 9
    ]
    close(it.forward()[0], np.float32(sum(losses) / len(losses)))
    it.check_gradients()


def test_segnet_drops_in_phase_test() -> None:
    settings = "dropout_param { dropout_ratio: 0.25 sample_weights_test: true }"
    it = OneLayer(f'type: "Dropout" top: "y" {settings}', [np.ones((40, 50))])
    first, second = it.forward()[0], it.forward()[0]
    assert set(np.unique(first)) == {0, np.float32(4 / 3)}
    assert 0.2 < (first == 0).mean() < 0.3
    assert (first != second).any()


# Sizes


def test_upsample_of_segnet_undoes_max_pooling() -> None:
    x = numbers(2, 2, 5, 7)
    names = 'type: "Pooling" top: "y" top: "mask" pooling_param'
    y, mask = OneLayer(f"{names} {{ kernel_size: 2 stride: 2 }}", [x]).forward()
    expected = np.zeros_like(x)
    for n, c, i, j in itertools.product(*map(range, y.shape)):
        expected[n, c].reshape(-1)[int(mask[n, c, i, j])] = y[n, c, i, j]
    sized = "upsample_param { scale: 2 upsample_h: 5 upsample_w: 7 }"
    for settings in (sized, "upsample_param { pad_out_h: true pad_out_w: true }"):
        it = OneLayer(f'type: "Upsample" top: "z" {settings}', [y, mask])
        close(it.forward()[0], expected)
    assert (expected != 0).sum() == y.size
    it.check_gradients()
    settings = "upsample_param { upsample_h: 4 upsample_w: 4 }"
    small = OneLayer(f'type: "Upsample" top: "z" {settings}', [y, mask])
    with pytest.raises(InputError, match="beyond the top's 4x4; give the size"):
        small.forward()


def test_upsample_of_segnet_by_other_scales() -> None:
    y, mask = np.float32([[[[3, 4]]]]), np.float32([[[[5, 11]]]])
    settings = "upsample_param { scale_h: 3 scale_w: 2 }"
    top = OneLayer(f'type: "Upsample" top: "z" {settings}', [y, mask]).forward()[0]
    close(top, np.float32([[[[0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 4]]]]))


def test_upsample_of_yolo_repeats() -> None:
    x = numbers(1, 2, 2, 3)
    it = OneLayer('type: "Upsample" top: "y" upsample_param { scale: 2 }', [x])
    close(it.forward()[0], np.kron(x, np.ones((2, 2), np.float32)))
    it.check_gradients()


def interpolate(x: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bilinear between corners that stay."""
    rows = np.linspace(0, x.shape[2] - 1, height) if height > 1 else np.zeros(1)
    columns = np.linspace(0, x.shape[3] - 1, width) if width > 1 else np.zeros(1)
    top = np.empty((*x.shape[:2], height, width), np.float32)
    for i, j in itertools.product(range(height), range(width)):
        a, b = int(rows[i]), int(columns[j])
        c, d = min(a + 1, x.shape[2] - 1), min(b + 1, x.shape[3] - 1)
        u, v = rows[i] - a, columns[j] - b
        upper = (1 - v) * x[:, :, a, b] + v * x[:, :, a, d]
        lower = (1 - v) * x[:, :, c, b] + v * x[:, :, c, d]
        top[:, :, i, j] = (1 - u) * upper + u * lower
    return top


@pytest.mark.parametrize(
    ("settings", "cut", "size"),
    [
        ("height: 7 width: 4", (0, 0), (7, 4)),
        ("height: 1 width: 9", (0, 0), (1, 9)),
        ("zoom_factor: 2", (0, 0), (9, 11)),
        ("shrink_factor: 2", (0, 0), (3, 3)),
        ("shrink_factor: 2 zoom_factor: 3", (0, 0), (7, 7)),
        ("zoom_factor: 2 pad_beg: -1 pad_end: -2", (1, 2), (3, 5)),
    ],
)
def test_interp(settings: str, cut: tuple[int, int], size: tuple[int, int]) -> None:
    x = numbers(2, 2, 5, 6)
    it = OneLayer(f'type: "Interp" top: "y" interp_param {{ {settings} }}', [x])
    inner = x[:, :, cut[0] : 5 - cut[1], cut[0] : 6 - cut[1]]
    close(it.forward()[0], interpolate(inner, *size))
    it.check_gradients()
    if cut == (0, 0) and "shrink" not in settings:
        close(it.opencv()[0], it.forward()[0])


def test_interp_to_the_size_of_another_blob() -> None:
    x, other = numbers(2, 2, 3, 4), numbers(2, 1, 5, 2)
    it = OneLayer('type: "Interp" top: "y"', [x, other])
    close(it.forward()[0], interpolate(x, 5, 2))
    assert it.net.nodes[-1].bottom_needs == [True, False]


# Refusals

IMAGE, FLAT = (1, 8, 4, 6), (2, 3)


@pytest.mark.parametrize(
    ("layer", "shapes", "message"),
    [
        ('"Axpy"', [(1, 3), IMAGE, IMAGE], "bottoms must be .N, C., or"),
        ('"Axpy"', [IMAGE], "takes 3 bottom blobs, not 1"),
        ('"ShuffleChannel" shuffle_channel_param { group: 3 }', [IMAGE], "group 3 must divide"),
        ('"Reorg"', [IMAGE], "must give a stride"),
        ('"Reorg" reorg_param { stride: 3 }', [IMAGE], "C a multiple of 9"),
        ('"Reorg" reorg_param { stride: 2 }', [(1, 4, 3, 4)], "multiples of 2"),
        (
            '"ConvolutionDepthwise" convolution_param { kernel_size: 1 num_output: 4 }',
            [IMAGE],
            "num_output must be the number of channels, 8",
        ),
        (
            '"ConvolutionDepthwise" convolution_param { kernel_size: 1 group: 2 }',
            [IMAGE],
            "group must be the number of channels, 8",
        ),
        ('"ConvolutionDepthwise"', [FLAT], "the bottom must be .N, C, H, W."),
        (
            '"Pooling" pooling_param { kernel_size: 2 ceil_mode: false round_mode: CEIL }',
            [IMAGE],
            "ceil_mode contradicts round_mode",
        ),
        (
            '"SoftmaxWithLoss" loss_param { weight_by_label_freqs: true class_weighting: 1 }',
            [FLAT, (2,)],
            "class_weighting for each of 3 classes, not for 1",
        ),
        (
            '"SigmoidCrossEntropyLoss" loss_param { weight_by_label_freqs: true }',
            [FLAT, FLAT],
            "only SoftmaxWithLoss has",
        ),
        ('"BN"', [IMAGE], "which differ"),
        ('"BN" bn_param { bn_mode: LEARN eps: 1 }', [IMAGE], "which differ"),
        ('"BN" top: "m" bn_param { eps: 1 }', [IMAGE], "only SegNet"),
        ('"BN" bn_param { eps: 1 }', [FLAT], "the bottom must be .N, C, H, W."),
        ('"Upsample"', [IMAGE], "must give scale"),
        ('"Upsample" upsample_param { scale: 0 }', [IMAGE], "at least 1"),
        ('"Upsample"', [IMAGE, (1, 8, 4, 5)], "of one shape"),
        ('"Upsample" upsample_param { upsample_h: 9 }', [IMAGE, IMAGE], "give both upsample_h"),
        ('"Upsample" upsample_param { scale_h: 2 }', [IMAGE, IMAGE], "both scale_h and scale_w"),
        (
            '"Upsample" upsample_param { scale: 3 pad_out_h: true }',
            [IMAGE, IMAGE],
            "need a scale of 2",
        ),
        ('"Interp"', [IMAGE], "give either height and width"),
        ('"Interp" interp_param { height: 3 }', [IMAGE], "give both height and width"),
        ('"Interp" interp_param { zoom_factor: 0 }', [IMAGE], "at least 1"),
        ('"Interp" interp_param { zoom_factor: 2 pad_beg: 1 }', [IMAGE], "they only cut"),
        ('"Interp" interp_param { zoom_factor: 2 pad_end: -4 }', [IMAGE], "leave nothing"),
        ('"Interp" interp_param { zoom_factor: 2 }', [FLAT], "must be .N, C, H, W."),
    ],
)
def test_what_makes_no_sense_is_refused(layer: str, shapes: list, message: str) -> None:
    with pytest.raises(InputError, match=f"^net: layer 'it': .*{message}"):
        OneLayer(f'top: "y" type: {layer}', [np.zeros(shape) for shape in shapes])
