"""Reading and writing prototxt: what is wrong is named by file, line, column and field."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.errors import InputError
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter
from i2cnn.torchcaffe.prototext import parse, read_net, read_solver, to_text, write_prototxt

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b'layer {\n  name: "a"\n  convolution_param { num_outputs: 3 }\n}\n',
            r':3:23: Message type "ConvolutionParameter" has no field named "num_outputs"; '
            r"did you mean num_output\?",
        ),
        (b"layer { pooling_param { kernel: 3 } }", r":1:25: .*kernel_size"),
        (b"layer { pooling_param { pool: MAXX } }", r":1:31: .*PoolMethod.*MAXX"),
        (b"layer { convolution_param { num_output: -3 } }", r":1:\d+: .*out of range: -3"),
        (b"\nname: x", r":2:7: .*Expected string but found: 'x'"),
        (b'layer { name: "a"\n', r':\d:\d+: Expected "}"'),
        (b'name: "a"\nname: "b"\n', r':2:7: .*should not have multiple "name"'),
        (b'name: "a" }', r":1:11: "),
        (b"base_lr: 0.1", r':1:1: .*no field named "base_lr"; this looks like a solver file'),
        (b"layer { clip_param { min: 0 } }", r"required.*layer\[0\].clip_param.max"),
        (b"", "the file is empty"),
        (b"# only words\n", "the file is empty"),
        (b'\n\x05AlexN"\x00\x01', "not a text file"),
    ],
)
def test_bad_nets(tmp_path, content, message):
    path = tmp_path / "net.prototxt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_net(path)
    assert str(caught.value).startswith(f"{path}:")


def test_a_net_where_a_solver_is_expected():
    with pytest.raises(InputError, match="looks like a net file"):
        read_solver(GOLDEN / "tiny_train_val.prototxt")


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match=r"File not found: .*nowhere\.prototxt"):
        read_net(tmp_path / "nowhere.prototxt")
    with pytest.raises(InputError, match="cannot be read"):
        read_net(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "latin-1"])
def test_comments_in_any_encoding_and_windows_line_ends(tmp_path, encoding):
    path = tmp_path / "net.prototxt"
    comment = "Größe" if encoding == "latin-1" else "表情"
    path.write_bytes(f'# {comment}\r\nname: "a"\r\nlayer {{ type: "ReLU" }}\r\n'.encode(encoding))
    net = read_net(path)
    assert (net.name, net.layer[0].type) == ("a", "ReLU")


def test_separators_that_caffe_reads_too():
    net = parse('layer{name:"a",type:"R""eLU";bottom:["x","y"]}', NetParameter(), "text")
    assert (net.layer[0].type, list(net.layer[0].bottom)) == ("ReLU", ["x", "y"])


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.prototxt")), ids=lambda p: p.name)
def test_written_files_read_back_equal(tmp_path, path):
    read = read_solver if path.name.startswith("solver") else read_net
    message = read(path)
    copy = tmp_path / "copy.prototxt"
    write_prototxt(copy, message, "first line\nsecond line")
    assert copy.read_text().startswith("# first line\n# second line\n")
    assert read(copy) == message
    assert list(tmp_path.iterdir()) == [copy]


def test_floats_are_written_as_short_as_caffe_reads_them():
    assert "weight_decay: 0.0005\n" in to_text(SolverParameter(weight_decay=0.0005))
