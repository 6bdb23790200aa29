"""Layers of forks: what a net with them says, and what stays genuine Caffe's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.core.layer import register_dialect
from i2cnn.torchcaffe.dialects import DIALECTS, Layer
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_weights, to_blobproto
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter, V1LayerParameter
from i2cnn.util.errors import InputError
from tests.helpers.dialects import OneLayer

RELU6 = 'type: "ReLU6" top: "y" relu6_param { negative_slope: 0.1 }'
NET = f'input: "x" input_shape {{ dim: 1 dim: 2 }} layer {{ name: "r" bottom: "x" {RELU6} }}'


def test_a_net_says_what_genuine_caffe_refuses(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("net.prototxt").write_text(NET)
    caffe.Net("net.prototxt", caffe.TEST)
    (line,) = (x for x in capsys.readouterr().err.splitlines() if "genuine Caffe" in x)
    assert line.startswith("W")
    said = "genuine Caffe 1.0 refuses this net, for ReLU6 of MobileNetV2's ports"
    assert line.endswith(f"] net.prototxt: {said}")
    assert main(["check", "net.prototxt"]) == 0
    assert capsys.readouterr().out.endswith(f"net.prototxt: no blocker here, but {said}\n")
    Path("net.prototxt").write_text(NET + ' layer { name: "n" type: "None" bottom: "y" top: "z" }')
    assert main(["check", "net.prototxt"]) == 1
    assert capsys.readouterr().out.endswith(f"\nnet.prototxt: {said}\n")


def test_layer_type_list_stays_genuine_caffes() -> None:
    assert not set(caffe.layer_type_list()) & set(DIALECTS)
    with pytest.raises(InputError, match=r"Mine: ReLU is a layer of Caffe 1\.0, which"):
        register_dialect("ReLU")(type("Mine", (Layer,), {}))


@pytest.mark.parametrize("number", [2, 100])
def test_weights_of_a_file_of_a_fork(number: int, folder: Path) -> None:
    """Neither the type, of an enum that forks extend, nor unknown fields keep weights away."""
    kind = b"\x28\x63" if number == 2 else b"\xd2\x0c\x00"  # type 99, or an empty field 202
    layer = (V1LayerParameter if number == 2 else LayerParameter)(name="a")
    layer.blobs.append(to_blobproto(np.ones((1, 2, 1, 1), np.float32)))
    net = NetParameter()
    getattr(net, "layers" if number == 2 else "layer").add().ParseFromString(
        layer.SerializeToString() + kind
    )
    Path("fork.caffemodel").write_bytes(net.SerializeToString())
    assert kind in Path("fork.caffemodel").read_bytes()
    assert read_weights("fork.caffemodel")["a"][0].shape == (1, 2, 1, 1)
    with pytest.raises(InputError, match="give the fork's prototxt, in which they have names"):
        read_net("fork.caffemodel")


def test_relu6() -> None:
    x = np.array([[-2, -0.5, 0.5, 5, 6.5, 8]], np.float32)
    it = OneLayer(RELU6, [x])
    np.testing.assert_allclose(it.forward()[0], [[-0.2, -0.05, 0.5, 5, 6, 6]], rtol=1e-6)
    it.check_gradients()
    plain = OneLayer('type: "ReLU6" top: "y"', [x])
    np.testing.assert_array_equal(plain.forward()[0], [[0, 0, 0.5, 5, 6, 6]])
    np.testing.assert_array_equal(plain.opencv()[0], plain.forward()[0])
