"""SSD's layers beside plain loops and OpenCV's importer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from i2cnn.util.errors import InputError
from tests.helpers.detection import detections, normalize, prior_box
from tests.helpers.dialects import OneLayer
from tests.helpers.golden import assert_close

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
IMAGE = np.zeros((1, 3, 60, 80), np.float32)


@pytest.mark.parametrize(
    ("order", "axes"), [([0, 2, 3, 1], [0, 2, 3, 1]), ([3, 1], [3, 1, 0, 2]), ([], [0, 1, 2, 3])]
)
def test_permute(order: list[int], axes: list[int]) -> None:
    text = " ".join(f"order: {axis}" for axis in order)
    it = OneLayer(f'type: "Permute" top: "y" permute_param {{ {text} }}', [X])
    (y,) = it.forward()
    np.testing.assert_array_equal(y, X.transpose(axes))
    it.check_gradients()
    if len(order) == 4:
        np.testing.assert_array_equal(it.opencv()[0], y)


@pytest.mark.parametrize("across", [True, False])
@pytest.mark.parametrize("scale", [1.5, [2.0, 0.5, -1.0]], ids=["shared", "by channel"])
def test_normalize(across: bool, scale: float | list[float]) -> None:
    text = f"across_spatial: {str(across).lower()}"
    text += f" channel_shared: {str(isinstance(scale, float)).lower()}"
    layer = f'type: "Normalize" top: "y" norm_param {{ {text} }}'
    it = OneLayer(layer, [X], [np.float32(scale)])
    dy = np.random.default_rng(1).normal(size=X.shape).astype(np.float32)
    y, dx, dscale = normalize(X, np.float32(scale), across, dy)
    assert_close(it.forward()[0], y)
    it.tops[0].diff[...] = dy
    it.net.clear_param_diffs()
    it.net.backward()
    # With scales by channel the fork's gradient is not quite that of its top.
    assert_close(it.blobs[0].diff, dx)
    assert_close(it.layer.blobs[0].diff, np.asarray(dscale))
    if isinstance(scale, float):
        it.check_gradients()
    elif not across:
        assert_close(it.opencv()[0], y)


def test_normalize_starts_with_its_filler() -> None:
    text = 'norm_param { channel_shared: false scale_filler { type: "constant" value: 20 } }'
    blob = OneLayer(f'type: "Normalize" top: "y" {text}', [X]).layer.blobs[0]
    np.testing.assert_array_equal(blob.data, [20, 20, 20])


ROOT = math.sqrt(2)


@pytest.mark.parametrize(
    ("text", "shapes", "options"),
    [
        ("min_size: 12", [(12, 12)], {}),
        (
            # Fractions of sizes are dropped; ratios that are there already are left out.
            "min_size: 12.7 max_size: 27.2 aspect_ratio: 2 aspect_ratio: 0.5 aspect_ratio: 1",
            [(12, 12), (18, 18), (12 * ROOT, 12 / ROOT), (12 / ROOT, 12 * ROOT)],
            {"opencv": False},
        ),
        (
            "min_size: 8 min_size: 9 max_size: 18 max_size: 16 aspect_ratio: 2 flip: false "
            "step: 16 offset: 0.25",
            [(8, 8), (12, 12), (8 * ROOT, 8 / ROOT), (9, 9), (12, 12), (9 * ROOT, 9 / ROOT)],
            {"step": (16, 16), "offset": 0.25},
        ),
        (
            "min_size: 12 step_h: 10 step_w: 20 img_h: 100 img_w: 50",
            [(12, 12)],
            {"step": (10, 20), "image": (100, 50), "opencv": False},
        ),
        ("min_size: 12 img_size: 40", [(12, 12)], {"image": (40, 40), "opencv": False}),
    ],
)
@pytest.mark.parametrize(
    "more", ["clip: true variance: 0.3", "clip: false variance: 0.1 variance: 0.2 " * 1]
)
def test_prior_box(text: str, shapes: list, options: dict, more: str) -> None:
    if "clip: false" in more:
        more += "variance: 0.3 variance: 0.4"
    layer = f'type: "PriorBox" top: "y" prior_box_param {{ {text} {more} }}'
    it = OneLayer(layer, [X[:1], IMAGE])
    (y,) = it.forward()
    image = options.get("image", (60, 80))
    step = options.get("step", (image[0] / 4, image[1] / 5))
    boxes = prior_box((4, 5), image, step, shapes, options.get("offset", 0.5))
    variances = [0.3] * 4
    if "clip: true" in more:
        boxes = boxes.clip(0, 1)
    else:
        variances = [0.1, 0.2, 0.3, 0.4]
    assert y.shape == (1, 2, 20 * len(shapes) * 4)
    np.testing.assert_allclose(y[0, 0], boxes, atol=2e-7)
    np.testing.assert_allclose(y[0, 1].reshape(-1, 4), [variances] * (20 * len(shapes)))
    if options.get("opencv", True):
        np.testing.assert_allclose(it.opencv()[0], y, atol=2e-7)


def predictions(seed: int, locations: int = 1) -> list[np.ndarray]:
    """Locations, scores and priors of two images, 40 boxes and four classes."""
    random = np.random.default_rng(seed)
    low = random.uniform(0, 0.8, size=(40, 2))
    boxes = np.hstack([low, low + random.uniform(0.05, 0.35, size=(40, 2))])
    prior = np.stack([boxes.reshape(-1), np.tile([0.1, 0.1, 0.2, 0.2], 40)])[None]
    loc = random.normal(scale=0.5, size=(2, 40 * 4 * locations))
    return [np.float32(a) for a in (loc, random.uniform(size=(2, 40 * 4)), prior)]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("code", ["CORNER", "CENTER_SIZE", "CORNER_SIZE"])
@pytest.mark.parametrize(
    ("text", "options"),
    [
        (
            "keep_top_k: 15 confidence_threshold: 0.3 nms_param { nms_threshold: 0.45 top_k: 10 }",
            {"keep": 15, "least": 0.3, "threshold": 0.45, "top_k": 10},
        ),
        ("variance_encoded_in_target: true background_label_id: 2", {"encoded": True}),
        ("nms_param { nms_threshold: 0.7 eta: 0.8 }", {"threshold": 0.7, "eta": 0.8}),
        ("background_label_id: -1 keep_top_k: 30", {"background": -1, "keep": 30}),
    ],
)
def test_detection_output(shared: bool, code: str, text: str, options: dict) -> None:
    bottoms = predictions(len(text), 1 if shared else 4)
    if options.get("encoded"):
        options = options | {"background": 2}
    settings = f"num_classes: 4 share_location: {str(shared).lower()} code_type: {code} {text}"
    layer = f'type: "DetectionOutput" top: "y" detection_output_param {{ {settings} }}'
    it = OneLayer(layer, bottoms)
    (y,) = it.forward()
    expected = detections(*bottoms, 4, shared=shared, code=code, **options)
    assert len(expected) > 20
    assert y.shape == (1, 1, len(expected), 7)
    np.testing.assert_allclose(y[0, 0], expected, atol=1e-6)
    assert it.net.blobs["y"].shape == y.shape
    it.net.reshape()
    assert it.net.blobs["y"].shape == (1, 1, 1, 7)


@pytest.mark.parametrize("code", ["CORNER", "CENTER_SIZE"])
@pytest.mark.parametrize("shared", [True, False])
def test_detections_of_opencv(shared: bool, code: str) -> None:
    """OpenCV sorts them by score alone, and takes eta as 1."""
    settings = "num_classes: 4 background_label_id: 0 keep_top_k: 12 confidence_threshold: 0.2 "
    settings += f"nms_param {{ nms_threshold: 0.4 top_k: 20 }} code_type: {code} "
    settings += f"share_location: {str(shared).lower()}"
    layer = f'type: "DetectionOutput" top: "y" detection_output_param {{ {settings} }}'
    it = OneLayer(layer, predictions(5, 1 if shared else 4))
    ours, theirs = it.forward()[0][0, 0], it.opencv()[0].reshape(-1, 7)
    order = np.lexsort((-ours[:, 2], ours[:, 0]))
    np.testing.assert_allclose(ours[order], theirs, atol=1e-6)


@pytest.mark.parametrize(
    ("classes", "settings"), [(4, "confidence_threshold: 1"), (1, "background_label_id: 0")]
)
def test_without_detections_each_image_has_one_row(classes: int, settings: str) -> None:
    settings = f"num_classes: {classes} {settings}"
    layer = f'type: "DetectionOutput" top: "y" detection_output_param {{ {settings} }}'
    loc, scores, priors = predictions(0)
    scores = scores[:, : scores.shape[1] * classes // 4]
    (y,) = OneLayer(layer, [loc, scores, priors]).forward()
    np.testing.assert_array_equal(y, [[[[0, *[-1] * 6], [1, *[-1] * 6]]]])


def test_what_is_not_done_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    settings = 'num_classes: 4 save_output_param { output_directory: "results" }'
    layer = f'type: "DetectionOutput" top: "y" detection_output_param {{ {settings} }}'
    OneLayer(layer, predictions(0))
    assert "layer 'it': no files are written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("layer", "bottoms", "message"),
    [
        ('"Permute" permute_param { order: 4 }', [X], "order 4 is out of range"),
        ('"Permute" permute_param { order: 1 order: 1 }', [X], "duplicate orders"),
        ('"Normalize"', [X[0, 0, 0]], "two to four axes"),
        ('"PriorBox"', [X, IMAGE], "must provide min_size"),
        ('"PriorBox" prior_box_param { min_size: nan }', [X, IMAGE], "must be finite numbers"),
        ('"PriorBox" prior_box_param { min_size: 0.5 }', [X, IMAGE], "at least 1"),
        ('"PriorBox" prior_box_param { min_size: 9 max_size: 9 }', [X, IMAGE], "max_size must"),
        (
            '"PriorBox" prior_box_param { min_size: 9 step: 1 step_h: 1 }',
            [X, IMAGE],
            "not both",
        ),
        ('"PriorBox" prior_box_param { min_size: 9 img_h: 1 }', [X, IMAGE], "larger than 0"),
        (
            '"PriorBox" prior_box_param { min_size: 9 variance: 1 variance: 2 }',
            [X, IMAGE],
            "one variance or four",
        ),
        ('"DetectionOutput"', predictions(0), "Must specify num_classes"),
        (
            '"DetectionOutput" detection_output_param { num_classes: 4000000000 }',
            [np.zeros((1, 0)), np.zeros((1, 0)), np.zeros((1, 2, 0))],
            r"priors \(1, 2, 4 \* boxes\), not \(1, 2, 0\)",
        ),
        (
            '"DetectionOutput" detection_output_param { num_classes: 5 }',
            predictions(0),
            r"number of confidence predictions: 40 priors need \(N, 200\)",
        ),
        (
            '"DetectionOutput" detection_output_param { num_classes: 4 nms_param { eta: 0 } }',
            predictions(0),
            "eta must be above 0",
        ),
    ],
)
def test_refusals(layer: str, bottoms: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=f"net: layer 'it': .*{message}"):
        OneLayer(f'top: "y" type: {layer}', bottoms)


def test_a_prior_without_width_is_refused() -> None:
    loc, conf, prior = predictions(0)
    prior[0, 0, 2] = prior[0, 0, 0]
    settings = "num_classes: 4 code_type: CENTER_SIZE"
    layer = f'type: "DetectionOutput" top: "y" detection_output_param {{ {settings} }}'
    with pytest.raises(InputError, match="a prior box has no width"):
        OneLayer(layer, [loc, conf, prior]).forward()
