"""Prototxt files: errors that name the place, older formats, the schema itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import fillers_of, parse, read_net, read_solver
from i2cnn.torchcaffe.formats.upgrade import upgrade_net
from i2cnn.torchcaffe.proto import NetParameter, torchcaffe_pb2
from i2cnn.util.errors import InputError

PROTO = Path(torchcaffe_pb2.__file__).parent


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('layer { name: "a" foo: 3 }', r"net:1:19: .*LayerParameter.* no field named \"foo\""),
        (
            "layer {\n convolution_param { kernel_sise: 3 } }",
            r"net:2:22: .*did you mean kernel_size",
        ),
        ("layer {\n pooling_param { pool: MIN } }", "net:2:24: .*no value named MIN"),
        ("name: 3", "net:1:7: .*Expected string"),
    ],
)
def test_errors_name_line_column_and_field(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse(text, NetParameter(), "net")


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "File not found"), (b"", "empty"), (b"\xff\xfe\x00", "not a text file")],
)
def test_unusable_files(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_net(path)
    with pytest.raises(InputError, match="cannot be read"):
        read_net(tmp_path)


def test_a_caffemodel_is_a_net_with_parameters(tmp_path: Path) -> None:
    ip = 'name: "ip" type: "InnerProduct" bottom: "in" top: "ip" '
    text = 'input: "in" input_shape { dim: 1 dim: 3 } layer { %s }'
    own = 'inner_product_param { num_output: 2 weight_filler { type: "xavier" } }'
    net, model = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(text % (ip + own))
    first = caffe.Net(str(net), caffe.TEST)
    first.save(str(model))
    second = caffe.Net(str(model), caffe.TEST)
    assert first.params["ip"][0].data.any()
    for mine, other in zip(second.params["ip"], first.params["ip"], strict=True):
        np.testing.assert_array_equal(mine.data, other.data)
    for blobs, message in (
        ("blobs { shape { dim: 6 } data: [1, 2, 3, 4, 5, 6] }", "1 blobs are given; it has 2"),
        ("blobs { shape { dim: 2 } data: 1 data: 2 }", "is given 2 numbers"),
        ("blobs { shape { dim: 2 } data: 1 }", "holds 1 numbers"),
    ):
        net.write_text(text % (ip + own + blobs))
        with pytest.raises(InputError, match=message):
            caffe.Net(str(net), caffe.TEST)


def test_unknown_fields_of_a_net_in_binary_form_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_bytes(bytes.fromhex("a20606 0a016e c23e00"))  # layer { name: "n", field 1000 }
    with pytest.raises(InputError, match=r"fields that Caffe 1\.0's NetParameter does not have"):
        read_net(path)


def test_v1_layers_become_v2() -> None:
    net = parse(
        """
        input: "data" input_dim: 1 input_dim: 3 input_dim: 8 input_dim: 8
        layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" blobs_lr: 1 blobs_lr: 2
                 weight_decay: 1 weight_decay: 0
                 convolution_param { num_output: 2 kernel_size: 3 } }
        layers { name: "l" type: SOFTMAX_LOSS bottom: "c" bottom: "label" top: "l" }
        """,
        NetParameter(),
        "net",
    )
    upgrade_net(net, "net")
    assert [x.type for x in net.layer] == ["Input", "Convolution", "SoftmaxWithLoss"]
    assert list(net.layer[0].input_param.shape[0].dim) == [1, 3, 8, 8]
    assert [p.lr_mult for p in net.layer[1].param] == [1, 2]
    assert [p.decay_mult for p in net.layer[1].param] == [1, 0]
    assert not net.layers
    assert not net.input


def test_v0_layers_become_v2() -> None:
    net = parse(
        """
        layers { layer { name: "d" type: "data" source: "db" batchsize: 5 cropsize: 7 mirror: true
                         meanfile: "m" scale: 0.5 } top: "data" top: "label" }
        layers { layer { name: "p" type: "padding" pad: 2 } bottom: "data" top: "p" }
        layers { layer { name: "c" type: "conv" num_output: 4 kernelsize: 5 group: 2
                         weight_filler { type: "gaussian" std: 0.1 } } bottom: "p" top: "c" }
        layers { layer { name: "r" type: "relu" } bottom: "c" top: "c" }
        """,
        NetParameter(),
        "net",
    )
    upgrade_net(net, "net")
    data, conv, relu = net.layer
    assert (data.type, conv.type, relu.type) == ("Data", "Convolution", "ReLU")
    assert data.transform_param.crop_size == 7
    assert data.transform_param.mirror
    assert data.transform_param.mean_file == "m"
    assert (data.data_param.source, data.data_param.batch_size) == ("db", 5)
    assert list(conv.bottom) == ["data"]
    assert list(conv.convolution_param.pad) == [2]
    assert conv.convolution_param.weight_filler.std == pytest.approx(0.1)


def test_solver_type_enum_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "solver.prototxt"
    path.write_text("solver_type: ADAM")
    assert read_solver(path).type == "Adam"
    path.write_text('solver_type: ADAM type: "SGD"')
    with pytest.raises(InputError, match="keep 'type'"):
        read_solver(path)


@pytest.mark.skipif(shutil.which("protoc") is None, reason="protoc is not installed")
def test_generated_messages_are_those_of_the_schema(tmp_path: Path) -> None:
    out = tmp_path / "set"
    subprocess.run(
        ["protoc", f"-I{PROTO}", f"--descriptor_set_out={out}", "torchcaffe.proto"], check=True
    )
    expected = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]
    # Both through the same runtime, which writes defaults in its own way.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(expected)
    for name, theirs in pool.FindFileByName("torchcaffe.proto").message_types_by_name.items():
        mine = torchcaffe_pb2.DESCRIPTOR.message_types_by_name[name]
        assert [(f.name, f.number, f.type, f.default_value) for f in mine.fields] == [
            (f.name, f.number, f.type, f.default_value) for f in theirs.fields
        ]
    assert set(torchcaffe_pb2.DESCRIPTOR.message_types_by_name) == {
        m.name for m in expected.message_type
    }


def test_all_fillers_of_a_net_are_found() -> None:
    text = """
    layer { name: "x" dummy_data_param { data_filler { value: 1 } data_filler { value: 2 } } }
    layer { name: "y" convolution_param { num_output: 1 bias_filler { value: 3 } } }
    """
    net = parse(text, NetParameter(), "net.prototxt")
    found = [(owner, field, filler.value) for owner, field, filler in fillers_of(net)]
    dummy, convolution = net.layer[0].dummy_data_param, net.layer[1].convolution_param
    assert found == [
        (dummy, "data_filler", 1),
        (dummy, "data_filler", 2),
        (convolution, "bias_filler", 3),
    ]
