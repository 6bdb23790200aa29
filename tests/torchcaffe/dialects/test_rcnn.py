"""Layers of R-CNN's forks beside plain loops and OpenCV's importer."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.torchcaffe.dialects import rcnn
from i2cnn.util.errors import InputError
from tests.helpers.detection import psroi_pooling, roi_pooling, smooth_l1
from tests.helpers.dialects import OneLayer
from tests.helpers.golden import assert_close

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(2, 8, 9, 11)).astype(np.float32)
#: Whole, partly outside, swapped, outside, of one pixel; then any.
ROIS = [
    [0, 0, 0, 87, 71],
    [1, -8, -8, 20, 30],
    [1, 30, 20, 10, 10],
    [0, 200, 200, 220, 220],
    [1, 36, 36, 36, 36],
]
ROIS = np.float32([*ROIS, *np.c_[RANDOM.integers(0, 2, 9), RANDOM.uniform(0, 80, (9, 4))]])
ROI = 'type: "ROIPooling" top: "y" roi_pooling_param { pooled_h: 3 pooled_w: 2 '
ROI += "spatial_scale: 0.125 }"
PSROI = 'type: "PSROIPooling" top: "y" psroi_pooling_param { output_dim: 2 group_size: 2 '
PSROI += "spatial_scale: 0.125 }"


@pytest.mark.parametrize("at_once", [2**23, 100], ids=["", "in parts"])
def test_roi_pooling(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rcnn, "_AT_ONCE", at_once)
    it = OneLayer(ROI, [X, ROIS])
    (y,) = it.forward()
    np.testing.assert_array_equal(y, roi_pooling(X, ROIS, 3, 2, 0.125))
    np.testing.assert_array_equal(it.opencv()[0], y)


def test_psroi_pooling() -> None:
    it = OneLayer(PSROI, [X, ROIS])
    (y,) = it.forward()
    assert_close(y, psroi_pooling(X, ROIS, 2, 2, 0.125))
    assert_close(it.opencv()[0], y)


@pytest.mark.parametrize("layer", [ROI, PSROI], ids=["ROIPooling", "PSROIPooling"])
def test_gradients_of_regions(layer: str) -> None:
    # Numbers that are far apart, so that no step of a difference changes which is the largest.
    x = RANDOM.permutation(X.size).reshape(X.shape).astype(np.float32)
    OneLayer(layer, [x, ROIS]).check_gradients(step=0.25)


def test_equal_numbers_give_their_gradient_to_the_first() -> None:
    it = OneLayer(ROI, [np.ones_like(X), ROIS[:1]])
    it.forward()
    it.tops[0].diff[...] = 1
    it.net.backward()
    first = np.zeros((9, 11))
    first[np.ix_([0, 3, 6], [0, 6])] = 1
    np.testing.assert_array_equal(it.blobs[0].diff[0, 0], first)
    assert not it.blobs[0].diff[1].any()


@pytest.mark.parametrize("layer", [ROI, PSROI], ids=["ROIPooling", "PSROIPooling"])
def test_no_region(layer: str) -> None:
    it = OneLayer(layer, [X, ROIS[:0]])
    assert it.forward()[0].shape[0] == 0
    it.net.backward()
    assert not it.blobs[0].diff.any()


@pytest.mark.parametrize(("bottoms", "sigma"), [(2, 1), (2, 3), (4, 1), (4, 3), (3, 1)])
def test_smooth_l1_loss(bottoms: int, sigma: float) -> None:
    arrays = [np.float32(RANDOM.normal(scale=2, size=(3, 4, 2, 1))) for _ in range(2)]
    arrays += [np.float32(RANDOM.uniform(0.2, 2, size=(3, 4, 2, 1))) for _ in range(bottoms - 2)]
    a, b, inside, outside = (*arrays, *[np.ones_like(arrays[0])] * 2)[:4]
    d = inside * (a - b)
    expected = sum(w * smooth_l1(x, sigma) for w, x in zip(outside.flat, d.flat, strict=True)) / 3
    layer = f'type: "SmoothL1Loss" top: "y" smooth_l1_loss_param {{ sigma: {sigma} }}'
    it = OneLayer(layer, arrays)
    assert it.forward()[0] == pytest.approx(expected, rel=1e-5)
    if bottoms != 3:
        it.check_gradients()
        return
    # SSD's leaves the weights out of the gradient.
    it.tops[0].diff[...] = 1
    it.net.backward()
    assert_close(it.blobs[0].diff, d.clip(-1, 1) / 3)
    np.testing.assert_array_equal(it.blobs[1].diff, -it.blobs[0].diff)


@pytest.mark.parametrize(
    ("layer", "bottoms", "message"),
    [
        ('"ROIPooling"', [X, ROIS], "pooled_h and pooled_w"),
        (f"{ROI[6:]}", [X, ROIS[:, 1:]], r"regions \(R, 5\)"),
        (f"{PSROI[6:]}", [X[:, :7], ROIS], "need 8 channels, not 7"),
        ('"SmoothL1Loss" top: "y"', [X, X[:, :1]], "one size"),
        ('"SmoothL1Loss" top: "y" smooth_l1_loss_param { sigma: 0 }', [X, X], "sigma"),
    ],
)
def test_refusals(layer: str, bottoms: list[np.ndarray], message: str) -> None:
    top = "" if "top:" in layer else 'top: "y" '
    with pytest.raises(InputError, match=f"net: layer 'it': .*{message}"):
        OneLayer(f"{top}type: {layer}", bottoms)


@pytest.mark.parametrize("image", [-1, 2])
def test_a_region_of_no_image_is_named(image: int) -> None:
    rois = ROIS.copy()
    rois[3, 0] = image
    with pytest.raises(InputError, match=f"region 3 is of image {image}; the batch has 2 images"):
        OneLayer(ROI, [X, rois]).forward()
