"""SSD's MultiBoxLoss beside plain loops."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.util.errors import InputError
from tests.helpers.dialects import OneLayer
from tests.helpers.multibox import MultiBox

BOXES, CLASSES = 30, 4


def bottoms(seed: int, shared: bool = True, classes: int = CLASSES) -> list[np.ndarray]:
    """Locations, scores, priors and true boxes of three images, the last one without any."""
    random = np.random.default_rng(seed)
    low = random.uniform(-0.1, 0.8, size=(BOXES, 2))
    boxes = np.hstack([low, low + random.uniform(0.1, 0.4, size=(BOXES, 2))])
    prior = np.stack([boxes.reshape(-1), np.tile([0.1, 0.2, 0.3, 0.4], BOXES)])[None]
    loc = random.normal(size=(3, BOXES * 4 * (1 if shared else classes)))
    rows = []
    for image, number in ((0, 3), (1, 2)):
        for box in random.permutation(BOXES)[:number]:
            true = boxes[box] + random.uniform(-0.04, 0.04, size=4)
            rows.append([image, random.integers(1, classes), 0, *true, len(rows) % 2])
    rows.append([-1] * 8)
    scores = random.normal(size=(3, BOXES * classes))
    return [np.float32(a) for a in (loc, scores, prior, [[rows]])]


CASES = {
    "": {},
    "code_type: CENTER_SIZE neg_pos_ratio: 1.5 loc_weight: 2": {
        "code": "CENTER_SIZE",
        "ratio": 1.5,
        "loc_weight": 2,
    },
    "code_type: CORNER_SIZE overlap_threshold: 0.3 neg_overlap: 0.1": {
        "code": "CORNER_SIZE",
        "threshold": 0.3,
        "neg_overlap": 0.1,
    },
    "match_type: BIPARTITE overlap_threshold: 0.1 loc_loss_type: L2 use_difficult_gt: false": {
        "match": "BIPARTITE",
        "threshold": 0.1,
        "l2": True,
        "difficult": False,
    },
    "encode_variance_in_target: true conf_loss_type: LOGISTIC": {
        "in_target": True,
        "logistic": True,
    },
    "ignore_cross_boundary_bbox: true": {"inside": True},
    "bp_inside: true": {"bp_inside": True},
    "use_prior_for_matching: false bp_inside: true": {"by_prior": False, "bp_inside": True},
    "mining_type: NONE code_type: CENTER_SIZE": {"mining": "NONE", "code": "CENTER_SIZE"},
    "mining_type: NONE conf_loss_type: LOGISTIC": {"mining": "NONE", "logistic": True},
    "mining_type: NONE share_location: false": {"mining": "NONE", "shared": False},
    "mining_type: NONE share_location: false use_prior_for_matching: false": {
        "mining": "NONE",
        "shared": False,
        "by_prior": False,
    },
    "mining_type: HARD_EXAMPLE sample_size: 9": {"mining": "HARD_EXAMPLE", "samples": 9},
    "nms_param { nms_threshold: 0.3 top_k: 12 }": {"nms": (0.3, 12, False)},
    "mining_type: HARD_EXAMPLE sample_size: 9 use_prior_for_nms: true "
    "nms_param { nms_threshold: 0.2 top_k: 20 }": {
        "mining": "HARD_EXAMPLE",
        "samples": 9,
        "nms": (0.2, 20, True),
    },
}


def layer(text: str, classes: int = CLASSES, more: str = "") -> str:
    settings = f"multibox_loss_param {{ num_classes: {classes} {text} }}"
    return f'type: "MultiBoxLoss" top: "y" {more} {settings}'


@pytest.mark.parametrize("text", CASES)
def test_loss_and_gradients(text: str) -> None:
    options = CASES[text]
    arrays = bottoms(3, options.get("shared", True))
    it = OneLayer(layer(text), arrays)
    assert it.forward()[0] == pytest.approx(MultiBox(CLASSES, **options).loss(arrays), rel=1e-5)
    if not options.get("in_target"):
        it.check_gradients(tolerance=3e-3)


def test_agnostic_boxes() -> None:
    arrays = bottoms(4, classes=2)
    arrays[3][0, 0, :-1, 1] = 7
    it = OneLayer(layer("map_object_to_agnostic: true", 2), arrays)
    assert it.forward()[0] == pytest.approx(MultiBox(2, agnostic=True).loss(arrays), rel=1e-5)


@pytest.mark.parametrize("mode", ["FULL", "BATCH_SIZE", "NONE"])
def test_normalization(mode: str) -> None:
    arrays = bottoms(5)
    it = OneLayer(layer("", more=f"loss_param {{ normalization: {mode} }}"), arrays)
    expected = MultiBox(CLASSES, normalization=mode).loss(arrays)
    assert it.forward()[0] == pytest.approx(expected, rel=1e-5)


def test_variances_in_the_target_are_left_out_of_the_gradient() -> None:
    """As the fork leaves them out, which divides by them in the loss."""
    arrays = bottoms(6)
    arrays[1][:] = 0
    found = {}
    for variance in (0.5, 1):
        arrays[2][0, 1] = variance
        it = OneLayer(layer("encode_variance_in_target: true loc_loss_type: L2"), arrays)
        it.forward()
        it.net.backward()
        found[variance] = it.blobs[0].diff.copy()
    assert found[1].any()
    np.testing.assert_allclose(found[0.5], 2 * found[1], rtol=1e-5)


def test_without_true_boxes_the_loss_is_0() -> None:
    arrays = bottoms(7)
    arrays[3] = arrays[3][:, :, -1:]
    it = OneLayer(layer(""), arrays)
    assert it.forward()[0] == 0
    it.net.backward()
    assert not it.blobs[0].diff.any()
    assert not it.blobs[1].diff.any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("background_label_id: 4", "background_label_id should be"),
        ("do_neg_mining: false", "contradicts mining_type"),
        ("share_location: false", "only support negative mining if share_location"),
        ("map_object_to_agnostic: true", "num_classes: 2"),
        ("mining_type: HARD_EXAMPLE sample_size: 0", "sample_size"),
        ("conf_loss_type: LOGISTIC background_label_id: 1", "LOGISTIC needs"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"net: layer 'it': .*{message}"):
        OneLayer(layer(text), bottoms(0))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (1, 0, "Found background label"),
        (1, 4, r"outside \[0, 4\)"),
        (5, -1, "a true box has no width"),
    ],
)
def test_wrong_truth_is_refused(column: int, value: float, message: str) -> None:
    arrays = bottoms(0)
    arrays[3][0, 0, 1, column] = value
    with pytest.raises(InputError, match=f"net: layer 'it': .*{message}"):
        OneLayer(layer("code_type: CENTER_SIZE"), arrays).forward()
