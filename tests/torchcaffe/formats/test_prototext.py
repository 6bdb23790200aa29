"""Prototxt files: errors that name the place, files in binary form, fillers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.formats.prototext import fillers_of, parse, read_net
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.util.errors import InputError


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
