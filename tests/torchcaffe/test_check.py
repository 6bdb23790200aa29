"""`i2cnn caffe check` names all that keeps a net from running, and what a pass takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.check import check
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.forks import FORKS
from i2cnn.torchcaffe.layers import REGISTRY
from i2cnn.util.errors import InputError
from tests.helpers.golden import load_program

INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 '
INPUT += "dim: 8 dim: 8 } } }\n"
BROKEN = """name: "broken"
layer { name: "db" type: "Data" top: "data" top: "label" transform_param { crop_size: 8 }
        data_param { source: "gone" batch_size: 2 backend: LMDB } include { phase: TRAIN } }
layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } }
        include { phase: TEST } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 4 kernel_size: 3 colour: "red" # a { comment
        weight_filler { type: "xaver" } } }
layer { name: "perm" type: "Correlation" bottom: "conv" top: "perm"
        correlation_param { pad: 0 order: [1, 2] note: "}" } }
layer { name: "after" type: "ReLU" bottom: "perm" top: "after" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param { pool: MEDIAN kernel_size: 9 } }
layer { name: "relu" type: "Relu" bottom: "conv" top: "conv2" }
layer { name: "mine" type: "Python" bottom: "conv" top: "mine"
        python_param { module: "no_such_module_here" layer: "Mine" } }
layer { name: "ip" type: "InnerProduct" bottom: "nowhere" top: "data"
        inner_product_param { num_output: 3 } }
layer { name: "sum" type: "Eltwise" bottom: "after" bottom: "conv" top: "conv" }
"""


def test_all_blockers_are_named_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.prototxt").write_text(BROKEN)
    assert main(["check", "a.prototxt"]) == 1
    table, blockers = capsys.readouterr().out.splitlines()[:3], check("a.prototxt").blockers
    assert table[1].split()[-2:] == [str(len(blockers)), "a.prototxt"]
    for problem, phases in {
        'a.prototxt:7:58: Message type "ConvolutionParameter" has no field named "colour"': 0,
        "of Correlation, a layer of FlowNet (lmb-freiburg), not of Caffe 1.0": 0,
        'Enum type "PoolingParameter.PoolMethod" has no value named MEDIAN': 0,
        "layer 'db': no LMDB at gone": 1,
        "layer 'conv': unknown filler type 'xaver'": 2,
        "layer 'perm': Unknown layer type: Correlation, a layer of FlowNet (lmb-freiburg), not": 2,
        "layer 'pool': ": 2,  # the kernel is larger than its bottom
        "layer 'relu': Unknown layer type: Relu; did you mean ReLU?": 2,
        "layer 'mine': no Python module 'no_such_module_here' was found": 2,
        "layer 'ip': Unknown bottom blob 'nowhere'": 2,
        "layer 'ip': Top blob 'data' produced by multiple sources": 2,
        "layer 'sum': Top blob 'conv' produced by multiple sources": 2,
    }.items():
        assert [len(found) for text, found in blockers.items() if problem in text] == [phases]
    assert len(blockers) == 12


def test_sizes_of_a_net_that_runs(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    Path("small.prototxt").write_text(load_program("dropin").NET)
    assert main(["check", "small.prototxt"]) == 0
    shown = capsys.readouterr()
    assert not shown.err
    report = check("small.prototxt")
    net = caffe.Net("small.prototxt", caffe.TRAIN)
    sizes = report.sizes["TRAIN"]
    assert sizes.layers == len(net.layers)
    assert sizes.parameters == sum(b.count for blobs in net.params.values() for b in blobs)
    assert sizes.blobs == sum(blob.count for blob in net.blobs.values())
    # 3 images: 5 x 3 x 3 x 3 weights at 6 x 6 places, and 6 x 45 weights.
    assert sizes.multiplications == 3 * (135 * 36 + 270)
    assert " TEST       6        416   9.69 kB         15.4 k " in shown.out


def test_a_sparse_filler_is_no_blocker_and_axes_may_be_counted_from_the_back(folder: Path) -> None:
    Path("a.prototxt").write_text(
        INPUT + 'layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" '
        "convolution_param { num_output: 4 kernel_size: 3 axis: -3 } }\n"
        'layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { '
        'axis: -2 num_output: 20 weight_filler { type: "gaussian" std: 1 sparse: 15 } } }'
    )
    report = check("a.prototxt")
    assert not report.blockers
    # 4 x 3 x 3 x 3 weights at 6 x 6 places of 2 images, and 20 x 36 weights for 2 x 4 of them.
    assert report.sizes["TEST"].multiplications == 2 * 108 * 36 + 8 * 720


def test_what_lies_between_layers_is_found(folder: Path) -> None:
    loss = 'layer { name: "l" type: "Reduction" bottom: "data" top: "l" loss_weight: 1 '
    Path("a.prototxt").write_text(INPUT + loss + "loss_weight: 2 }")
    (problem,) = check("a.prototxt").blockers
    assert "loss_weight must be given for no top or for each" in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('net: "a.prototxt" base_lr: 1', "is a solver file; check the net that it names"),
        ('name: "n"', "has no layers"),
        ("layer {", 'a.prototxt:1:7: Expected "}".'),
        (None, "File not found: a.prototxt"),
    ],
)
def test_files_that_hold_no_net(text: str | None, problem: str, folder: Path) -> None:
    if text is not None:
        Path("a.prototxt").write_text(text)
    assert next(iter(check("a.prototxt").blockers)) == problem


def test_no_file_shows_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 1
    assert capsys.readouterr().err.startswith("usage: i2cnn caffe check")


def test_an_unknown_layer_tells_its_fork(folder: Path) -> None:
    text = INPUT + 'layer { name: "a" type: "CenterLoss" bottom: "data" top: "a" }'
    Path("a.prototxt").write_text(text)
    with pytest.raises(InputError, match=r"CenterLoss, a layer of caffe-face \(ydwen\), not of"):
        caffe.Net("a.prototxt", caffe.TEST)


def test_layers_of_forks_are_not_caffes_own() -> None:
    assert [t for types in FORKS.values() for t in types.split() if t in REGISTRY] == []


def test_what_a_net_would_write_is_left_as_it_is(folder: Path) -> None:
    output = 'layer { name: "out" type: "HDF5Output" bottom: "data" bottom: "data" '
    for name, message in (
        ("kept.h5", ""),
        ("gone/x.h5", "its folder is missing"),
        ("", "give a file"),
    ):
        net, kept = Path("net.prototxt"), Path("kept.h5")
        kept.write_bytes(b"of an earlier run")
        net.write_text(INPUT + output + f'hdf5_output_param {{ file_name: "{name}" }} }}')
        blockers = " ".join(check(str(net)).blockers)
        assert kept.read_bytes() == b"of an earlier run"
        assert message in blockers if message else not blockers
