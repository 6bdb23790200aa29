"""Upgrades of old nets and solvers against genuine Caffe's own (tests/golden/upgrade)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf import text_format

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver
from i2cnn.torchcaffe.formats.storage import read_weights, to_blobproto
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter, ParamSpec, V1LayerParameter
from i2cnn.util.errors import InputError

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("name", ["v0", "v0_inputs", "v1", "v1_inputs", "v2"])
def test_old_nets_become_what_genuine_caffe_makes_of_them(name, binary, tmp_path):
    upgraded = (GOLDEN / "upgrade" / f"{name}.upgraded.prototxt").read_text()
    expected = text_format.Parse(upgraded, NetParameter())
    path = GOLDEN / "upgrade" / f"{name}.prototxt"
    if binary:
        net = text_format.Parse(path.read_text(), NetParameter())
        path = tmp_path / "net.prototxt"
        path.write_bytes(net.SerializeToString())
    assert text_format.MessageToString(read_net(path)) == text_format.MessageToString(expected)


def test_every_v1_type_is_covered_by_the_golden_net():
    net = text_format.Parse((GOLDEN / "upgrade" / "v1.prototxt").read_text(), NetParameter())
    names = {V1LayerParameter.LayerType.Name(layer.type) for layer in net.layers}
    assert names == set(V1LayerParameter.LayerType.keys()) - {"NONE"}


def test_fields_that_caffe_ignores_are_pointed_out(capfd):
    read_net(GOLDEN / "upgrade" / "v2.prototxt")
    assert "'d': scale, mean_file, crop_size, mirror in data_param is ignored" in (
        capfd.readouterr().err
    )


@pytest.mark.parametrize(
    ("number", "name"),
    list(enumerate(["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])),
)
def test_solver_types_by_enum(tmp_path, number, name):
    path = tmp_path / "solver.prototxt"
    path.write_text(f'net: "n.prototxt" solver_type: {number}')
    solver = read_solver(path)
    assert solver.type == name
    assert not solver.HasField("solver_type")


def test_nets_inside_a_solver_are_upgraded(tmp_path):
    path = tmp_path / "solver.prototxt"
    layer = 'layers { name: "r" type: RELU bottom: "x" top: "x" }'
    path.write_text(f"net_param {{ {layer} }} test_net_param {{ {layer} }}")
    solver = read_solver(path)
    assert [x.type for x in solver.net_param.layer] == ["ReLU"]
    assert [x.type for x in solver.test_net_param[0].layer] == ["ReLU"]


def old_model(net: NetParameter, depth: int) -> NetParameter:
    """The net in the format of 2014: V1 layers (or V0 in V1), blobs of four dimensions."""
    old = NetParameter(name=net.name)
    for layer in net.layer:
        if layer.type not in ("Convolution", "InnerProduct"):
            continue
        new = old.layers.add()
        if depth == 0:
            new.layer.type = "conv" if layer.type == "Convolution" else "innerproduct"
            new.layer.name = layer.name
        else:
            new.type = new.CONVOLUTION if layer.type == "Convolution" else new.INNER_PRODUCT
            new.name = layer.name
        for blob in layer.blobs:
            copy = (new.layer if depth == 0 else new).blobs.add(data=blob.data)
            shape = [1] * (4 - len(blob.shape.dim)) + list(blob.shape.dim)
            copy.num, copy.channels, copy.height, copy.width = shape
    return old


@pytest.mark.parametrize("depth", [0, 1])
def test_old_caffemodels_give_the_same_weights(tmp_path, depth):
    net = NetParameter.FromString((GOLDEN / "init.caffemodel").read_bytes())
    path = tmp_path / "old.caffemodel"
    path.write_bytes(old_model(net, depth).SerializeToString())
    expected = read_weights(GOLDEN / "init.caffemodel")
    weights = read_weights(path)
    assert list(weights) == list(expected) == ["conv1", "conv2", "fc1", "fc2"]
    for name, blobs in expected.items():
        for old, new in zip(weights[name], blobs, strict=True):
            assert old.ndim == 4
            np.testing.assert_array_equal(old.reshape(new.shape), new)


@pytest.mark.parametrize("depth", [0, 1])
def test_nets_load_old_caffemodels(depth, golden):
    """Biases are (1, 1, 1, n) there and inner products (1, 1, out, in)."""
    net = NetParameter.FromString(Path("init.caffemodel").read_bytes())
    Path("old.caffemodel").write_bytes(old_model(net, depth).SerializeToString())
    outputs = []
    for name in ("init.caffemodel", "old.caffemodel"):
        caffe.set_random_seed(99)
        loaded = caffe.Net("tiny_train_val.prototxt", caffe.TEST, weights=name)
        loaded.forward()
        outputs.append(loaded.blobs["fc2"].data.copy())
    assert np.abs(outputs[0]).max() > 0
    np.testing.assert_array_equal(*outputs)


def test_a_single_number_of_old_versions_has_four_axes(tmp_path) -> None:
    text = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }'
    text += 'layer { name: "p" type: "PReLU" bottom: "x" top: "y" prelu_param { channel_shared: '
    (tmp_path / "net.prototxt").write_text(text + "true } }")
    old = NetParameter()
    old.layer.add(name="p").blobs.add(num=1, channels=1, height=1, width=1, data=[3])
    (tmp_path / "old.caffemodel").write_bytes(old.SerializeToString())
    path = str(tmp_path / "old.caffemodel")
    net = caffe.Net(str(tmp_path / "net.prototxt"), caffe.TEST, weights=path)
    assert net.params["p"][0].data.tolist() == 3


def test_weights_of_old_versions_name_inputs_without_their_shape(tmp_path) -> None:
    net = NetParameter(input=["data"])
    net.layer.add(name="fc").blobs.append(to_blobproto(np.ones((2, 3), np.float32)))
    path = tmp_path / "old.caffemodel"
    path.write_bytes(net.SerializeToString())
    assert read_weights(path)["fc"][0].shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layer { name: "a" } layers { name: "b" type: RELU }', "both 'layer' and the older"),
        ('layers { name: "b" }', "layer 'b' has no type"),
        ('layers { layer { name: "b" type: "magic" } }', "'b' has unknown type 'magic'"),
        (
            'layers { layer { name: "p" type: "padding" pad: 2 } bottom: "a" top: "p" }'
            'layers { layer { name: "r" type: "relu" } bottom: "p" top: "r" }',
            "layer 'r' follows a padding layer",
        ),
        ('input: "data" layer { name: "a" }', "give four input_dim"),
        ('input: "a" input: "b" input_shape { dim: 1 }', "one input_shape for each"),
    ],
)
def test_what_cannot_be_upgraded_is_an_input_error(tmp_path, text, message):
    path = tmp_path / "net.prototxt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_net(path)
    assert str(path) in str(caught.value)


def test_v0_fields_without_a_meaning_are_left_out_as_in_caffe(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("GLOG_minloglevel", "0")
    path = tmp_path / "net.prototxt"
    path.write_text('layers { layer { name: "b" type: "relu" num_output: 3 } }')
    assert read_net(path).layer[0] == LayerParameter(name="b", type="ReLU")
    assert "'b': Unknown parameter num_output for layer type relu" in capfd.readouterr().err


def test_v1_share_modes_alone_make_params(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('layers { name: "b" type: CONVOLUTION blob_share_mode: PERMISSIVE }')
    (spec,) = read_net(path).layer[0].param
    assert spec.share_mode == ParamSpec.PERMISSIVE


def test_two_solver_types_are_an_input_error(tmp_path):
    path = tmp_path / "solver.prototxt"
    path.write_text('net: "n" type: "SGD" solver_type: ADAM')
    with pytest.raises(InputError, match="both 'type' and the older 'solver_type'"):
        read_solver(path)
