"""`i2cnn caffe export`: nets leave as ONNX and as torch.export's programs, verified."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import export
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.formats.storage import write_mean

#: Layers that are exported in a way of their own, and the odd sizes of Caffe's others.
NET = """name: "mixed"
layer { name: "data" type: "Input" top: "data" top: "word"
        input_param { shape { dim: 2 dim: 6 dim: 11 dim: 11 } shape { dim: 2 } } }
layer { name: "near" type: "Pooling" bottom: "data" top: "near"
        pooling_param { pool: AVE kernel_size: 3 pad: 1 } }
layer { name: "conv" type: "Convolution" bottom: "near" top: "conv" convolution_param {
        num_output: 8 kernel_size: 3 stride: 2 pad: 1 group: 2 weight_filler { type: "xavier" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "scaled" scale_param { bias_term: true } }
layer { name: "prelu" type: "PReLU" bottom: "scaled" top: "scaled" }
layer { name: "lrn" type: "LRN" bottom: "scaled" top: "lrn" lrn_param { local_size: 3 alpha: 0.5 } }
layer { name: "within" type: "LRN" bottom: "lrn" top: "within"
        lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL } }
layer { name: "max" type: "Pooling" bottom: "within" top: "max" top: "mask"
        pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "unpool" type: "Upsample" bottom: "max" bottom: "mask" top: "unpooled"
        upsample_param { upsample_h: 6 upsample_w: 6 } }
layer { name: "interp" type: "Interp" bottom: "unpooled" top: "interp"
        interp_param { height: 4 width: 4 } }
layer { name: "ave" type: "Pooling" bottom: "within" top: "ave"
        pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "interp" bottom: "ave" top: "sum"
        eltwise_param { coeff: 1 coeff: -0.5 } }
layer { name: "drop" type: "Dropout" bottom: "sum" top: "sum" }
layer { name: "up" type: "Deconvolution" bottom: "sum" top: "up" convolution_param {
        num_output: 4 kernel_size: 4 stride: 2 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "mvn" type: "MVN" bottom: "up" top: "mvn" }
layer { name: "slice" type: "Slice" bottom: "mvn" top: "a" top: "b" }
layer { name: "concat" type: "Concat" bottom: "b" bottom: "a" top: "ba" }
layer { name: "fc" type: "InnerProduct" bottom: "ba" top: "fc"
        inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "embed" type: "Embed" bottom: "word" top: "embed"
        embed_param { input_dim: 3 num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "both" type: "Eltwise" bottom: "fc" bottom: "embed" top: "both" }
layer { name: "prob" type: "Softmax" bottom: "both" top: "prob" }
"""
FILES = ["-model", "net.prototxt", "-weights", "w.caffemodel"]


@pytest.fixture
def mixed(folder: Path) -> Path:
    """A working folder with the net and random weights and statistics."""
    Path("net.prototxt").write_text(NET)
    caffe.set_random_seed(3)
    net = caffe.Net("net.prototxt", caffe.TEST)
    rng = np.random.default_rng(1)
    for blob, values in zip(net.params["norm"], (rng.random(8), rng.random(8), 2), strict=True):
        blob.data[...] = values
    net.save("w.caffemodel")
    return folder


def expected(data: np.ndarray, word: np.ndarray) -> np.ndarray:
    net = caffe.Net("net.prototxt", caffe.TEST, weights="w.caffemodel")
    net.blobs["data"].data[...], net.blobs["word"].data[...] = data, word
    return net.forward()["prob"]


def test_a_net_leaves_for_torch(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["-mean", "104,117,123", "-scale", "0.5", "-channel_order", "RGB"]
    assert main(["export", *FILES, "-torch", "out.pt2", *flags]) == 0
    assert capsys.readouterr().out.startswith("out.pt2: verified, differs by ")
    note = {export.NOTE: ""}
    module = torch.export.load("out.pt2", extra_files=note).module()
    assert json.loads(note[export.NOTE]) == {
        "channel_order": "RGB",
        "scale": 0.5,
        "mean": [104, 117, 123],
    }
    data = np.random.default_rng(5).random((2, 6, 11, 11), np.float32)
    word = np.array([2, 0], np.float32)
    (found,) = module(torch.from_numpy(data), torch.from_numpy(word))
    np.testing.assert_allclose(found.numpy(), expected(data, word), atol=2e-6)


def test_a_net_leaves_as_onnx(mixed: Path) -> None:
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    mean = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    write_mean("mean.binaryproto", mean)
    words = ["-onnx", "out.onnx", "-mean", "mean.binaryproto"]
    assert main(["export", *FILES, *words]) == 0
    session = runtime.InferenceSession("out.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == ["data", "word"]
    note = json.loads(session.get_modelmeta().custom_metadata_map[export.NOTE])
    noted = np.frombuffer(base64.b64decode(note["mean_float32"]), "<f4")
    np.testing.assert_array_equal(noted.reshape(note["mean_shape"]), mean)
    data = np.random.default_rng(5).random((2, 6, 11, 11), np.float32)
    word = np.array([2, 0], np.float32)
    (found,) = session.run(["prob"], {"data": data, "word": word})
    np.testing.assert_allclose(found, expected(data, word), atol=2e-6)


def test_a_file_that_differs_is_not_kept(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(export._PLAIN, "LRN", lambda layer, bottoms: [bottoms[0] * 1.01])
    assert main(["export", *FILES, "-torch", "out.pt2"]) == 1
    assert "out.pt2: not written; its output 'prob' differs from" in capsys.readouterr().err
    assert not list(mixed.glob("*.pt2"))


def test_onnx_needs_its_packages(
    mixed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", *FILES, "-onnx", "out.onnx"]) == 1
    assert "-onnx needs the package onnx: pip install 'i2cnn[export]'" in capsys.readouterr().err


DATA = 'layer { name: "data" type: "DummyData" top: "data" '
DATA += "dummy_data_param { shape { dim: 2 } } }\n"
SELECTOR = 'layer { name: "s" type: "Input" top: "s" input_param { shape { dim: 2 } } }\n'
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 } } }\n'


@pytest.mark.parametrize(
    ("net", "words", "message"),
    [
        (DATA, [], "net.prototxt: has no Input layer"),
        (INPUT + DATA.replace('"data"', '"more"'), [], "DummyData cannot be exported; give a dep"),
        (
            INPUT + 'layer { name: "n" type: "BatchNorm" bottom: "data" top: "n" '
            "batch_norm_param { use_global_stats: false } }",
            [],
            "use_global_stats: false cannot be exported",
        ),
        (
            INPUT
            + SELECTOR
            + 'layer { name: "l" type: "BatchReindex" bottom: "data" bottom: "s" top: "l" }',
            [],
            "net.prototxt: cannot be exported (",
        ),
        (INPUT, ["-scale", "x"], "flags -mean and -scale: could not convert string to float: 'x'"),
    ],
)
def test_what_is_not_exported(
    net: str,
    words: list[str],
    message: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("net.prototxt").write_text(net)
    Path("any.prototxt").write_text(INPUT)
    caffe.Net("any.prototxt", caffe.TEST).save("w.caffemodel")
    assert main(["export", *FILES, "-torch", "out.pt2", *words]) == 1
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_export_shows_its_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "-model", "net.prototxt"]) == 1
    assert capsys.readouterr().err.startswith("usage: i2cnn caffe export -model")
