"""A small SSD net as a whole, from its files: trained, exported, and beside OpenCV's importer."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main

CLASSES = 3


def convolution(name: str, bottom: str, outputs: int, stride: int = 1) -> str:
    settings = f"num_output: {outputs} kernel_size: 3 pad: 1 stride: {stride} "
    settings += 'weight_filler { type: "msra" }'
    return layer("Convolution", bottom, name, f"convolution_param {{ {settings} }}")


def relu(name: str) -> str:
    return f'layer {{ name: "{name}_relu" type: "ReLU" bottom: "{name}" top: "{name}" }}\n'


def layer(kind: str, bottoms: str, top: str, settings: str = "") -> str:
    below = " ".join(f'bottom: "{bottom}"' for bottom in bottoms.split())
    return f'layer {{ name: "{top}" type: "{kind}" {below} top: "{top}" {settings} }}\n'


def head(source: str, priors: int, boxes: str) -> str:
    """Locations, scores and prior boxes of one feature map."""
    text = ""
    for what, outputs in (("loc", 4 * priors), ("conf", CLASSES * priors)):
        text += convolution(f"mbox_{what}_{source}", source, outputs)
        text += layer(
            "Permute",
            f"mbox_{what}_{source}",
            f"{what}_{source}_perm",
            "permute_param { order: 0 order: 2 order: 3 order: 1 }",
        )
        text += layer("Flatten", f"{what}_{source}_perm", f"{what}_{source}_flat")
    variances = "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2"
    settings = f"prior_box_param {{ {boxes} flip: true clip: false {variances} }}"
    return text + layer("PriorBox", f"{source} data", f"prior_{source}", settings)


def heads() -> str:
    """Locations, scores and priors of two feature maps of a 48x64 image, the first normalised."""
    text = 'name: "small SSD"\ninput: "data" input_shape { dim: 1 dim: 3 dim: 48 dim: 64 }\n'
    text += convolution("one", "data", 8, stride=4) + relu("one")
    text += layer(
        "Normalize",
        "one",
        "one_norm",
        "norm_param { across_spatial: false channel_shared: false "
        'scale_filler { type: "constant" value: 3 } }',
    )
    text += convolution("two", "one", 8, stride=2) + relu("two")
    text += head("one_norm", 4, "min_size: 8 max_size: 16 aspect_ratio: 2")
    text += head("two", 3, "min_size: 20 aspect_ratio: 3")
    for what, axis in (("loc", 1), ("conf", 1), ("prior", 2)):
        parts = " ".join(
            f"{what}_{name}{'' if axis == 2 else '_flat'}" for name in ("one_norm", "two")
        )
        text += layer("Concat", parts, f"mbox_{what}", f"concat_param {{ axis: {axis} }}")
    return text


def deploy() -> str:
    shape = f"shape {{ dim: 0 dim: -1 dim: {CLASSES} }}"
    text = layer("Reshape", "mbox_conf", "conf_reshape", f"reshape_param {{ {shape} }}")
    text += layer("Softmax", "conf_reshape", "conf_softmax", "softmax_param { axis: 2 }")
    return (
        heads() + text + layer("Flatten", "conf_softmax", "conf_flat", "flatten_param { axis: 1 }")
    )


def detections() -> str:
    settings = (
        f"num_classes: {CLASSES} share_location: true background_label_id: 0 "
        "nms_param { nms_threshold: 0.45 top_k: 100 } code_type: CENTER_SIZE "
        "keep_top_k: 20 confidence_threshold: 0.2"
    )
    settings = f"include {{ phase: TEST }} detection_output_param {{ {settings} }}"
    return layer("DetectionOutput", "mbox_loc conf_flat mbox_prior", "detection_out", settings)


def training() -> str:
    settings = f"multibox_loss_param {{ num_classes: {CLASSES} code_type: CENTER_SIZE }}"
    text = 'input: "truth" input_shape { dim: 1 dim: 1 dim: 2 dim: 8 }\n'
    return (
        text
        + heads()
        + layer("MultiBoxLoss", "mbox_loc mbox_conf mbox_prior truth", "loss", settings)
    )


def test_small_ssd(folder: Path) -> None:
    Path("deploy.prototxt").write_text(deploy() + detections())
    caffe.set_random_seed(1)
    made = caffe.Net("deploy.prototxt", caffe.TEST)
    made.save("ssd.caffemodel")
    net = caffe.Net("deploy.prototxt", "ssd.caffemodel", caffe.TEST)
    theirs = cv2.dnn.readNetFromCaffe("deploy.prototxt", "ssd.caffemodel")
    random = np.random.default_rng(0)
    for _ in range(2):
        image = random.normal(size=(1, 3, 48, 64)).astype(np.float32)
        net.blobs["data"].data[...] = image
        found = net.forward()["detection_out"][0, 0]
        assert found.shape == (20, 7)
        assert set(found[:, 1]) == {1, 2}
        theirs.setInput(image)
        order = np.argsort(-found[:, 2])
        np.testing.assert_allclose(found[order], theirs.forward()[0, 0], atol=2e-5)


def test_a_trained_ssd_finds_its_boxes(folder: Path) -> None:
    Path("train.prototxt").write_text(training())
    Path("deploy.prototxt").write_text(deploy() + detections())
    Path("solver.prototxt").write_text(
        'net: "train.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9 random_seed: 1'
    )
    solver = caffe.SGDSolver("solver.prototxt")
    image = np.zeros((1, 3, 48, 64), np.float32)
    image[0, 0, 8:24, 8:24] = image[0, 1, 20:44, 32:56] = 1
    truth = np.float32(
        [[0, 1, 0, 1 / 8, 1 / 6, 3 / 8, 1 / 2, 0], [0, 2, 0, 1 / 2, 5 / 12, 7 / 8, 11 / 12, 0]]
    )
    solver.net.blobs["data"].data[...] = image
    solver.net.blobs["truth"].data[...] = truth
    solver.step(80)
    assert solver.net.blobs["loss"].data < 0.3
    solver.net.save("trained.caffemodel")
    net = caffe.Net("deploy.prototxt", "trained.caffemodel", caffe.TEST)
    net.blobs["data"].data[...] = image
    found = net.forward()["detection_out"][0, 0]
    np.testing.assert_array_equal(found[:, 1], [1, 2])
    assert found[:, 2].min() > 0.8
    np.testing.assert_allclose(found[:, 3:], truth[:, 3:7], atol=0.02)


def test_all_but_the_detections_is_exported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("deploy.prototxt").write_text(deploy() + detections())
    caffe.Net("deploy.prototxt", caffe.TEST).save("ssd.caffemodel")
    words = ["export", "-model", "deploy.prototxt", "-weights", "ssd.caffemodel", "-torch", "a.pt2"]
    assert main(words) == 1
    assert "DetectionOutput cannot be exported" in capsys.readouterr().err.splitlines()[-1]
    Path("deploy.prototxt").write_text(deploy())
    assert main(words) == 0
