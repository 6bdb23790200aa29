"""What is logged while nets and solvers are built: line by line what genuine Caffe 1.0 does."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import pytest

from i2cnn.network.engine import start_engine
from i2cnn.torchcaffe import build_log
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from tests.helpers.caffe_log import building, without_stamps
from tests.helpers.golden import GOLDEN

NETS = json.loads((GOLDEN / "nets" / "nets.json").read_text())
LOGS = json.loads(gzip.decompress((GOLDEN / "nets" / "logs.json.gz").read_bytes()))


@pytest.fixture(autouse=True)
def _log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")


def build(case: str) -> None:
    name, phase = case.split("/")
    Path("net.prototxt").write_text(NETS[case]["prototxt"])
    staged = name == "stages"
    stages = ["deploy"] if staged else None
    caffe.Net("net.prototxt", getattr(caffe, phase), level=int(staged), stages=stages)


@pytest.mark.parametrize("case", sorted(NETS))
def test_nets(case: str, folder: Path, capfd) -> None:
    build(case)
    found = without_stamps(capfd.readouterr().err).splitlines()
    # For deprecated fields we have a line of our own, with the file's name.
    both = ([x for x in log if not x.startswith("upgrade_proto")] for log in (found, LOGS[case]))
    ours, genuine = both
    assert ours == genuine


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("sgd", "train -solver solver_sgd.prototxt"),
        ("sgd_meanfile", "train -solver solver_sgd_meanfile.prototxt"),
        (
            "sgd_resumed_from_10",
            "train -solver solver_sgd.prototxt -snapshot out/sgd_iter_10.solverstate",
        ),
        ("caffe_test_sgd20", "test -model tiny_train_val.prototxt -weights init.caffemodel"),
    ],
)
def test_commands(log: str, words: str, golden: Path, capfd) -> None:
    for path in (GOLDEN / "snapshots").iterdir():
        shutil.copy(path, "out")
    assert main(words.split()) == 0
    genuine = gzip.decompress((GOLDEN / "cli" / f"{log}.log.gz").read_bytes()).decode()
    assert building(capfd.readouterr().err) == building(genuine)


def test_weights_are_announced_before_the_next_net(golden: Path, capfd) -> None:
    weights = "init.caffemodel,init.caffemodel"
    assert main(["train", "-solver", "solver_sgd.prototxt", "-weights", weights]) == 0
    lines = building(capfd.readouterr().err)
    assert f'weights: "{weights}"' in lines
    done = [i for i, line in enumerate(lines) if line == "Network initialization done."]
    assert [lines[i + 1 : i + 3] for i in done] == [["Finetuning from init.caffemodel"] * 2] * 2


def test_numbers_are_written_as_in_c(folder: Path, capfd) -> None:
    Path("net.prototxt").write_text(
        'layer { name: "1.5" type: "DummyData" top: "x" dummy_data_param { shape { dim: 2 } '
        'data_filler { type: "uniform" value: 104.00698793 min: 0.1 max: 1e8 mean: 5 std: 1e-7 } } '
        "transform_param { mean_value: 116.66876762 scale: 0.00390625 } }"
    )
    caffe.Net("net.prototxt", caffe.TEST)
    lines = [line.strip() for line in capfd.readouterr().err.splitlines()]
    for number in (  # genuine Caffe's
        'name: "1.5"',
        "value: 104.006989",
        "min: 0.1",
        "max: 1e+08",
        "mean: 5",
        "std: 1e-07",
        "mean_value: 116.66877",
        "scale: 0.00390625",
    ):
        assert number in lines


def test_a_net_that_cannot_be_built_shows_how_far_it_came(folder: Path, capfd) -> None:
    Path("net.prototxt").write_text(
        'layer { name: "in" type: "Input" top: "x" '
        "input_param { shape { dim: 2 dim: 1 dim: 2 dim: 2 } } } "
        'layer { name: "far" type: "Convolution" bottom: "x" top: "y" '
        "convolution_param { kernel_size: 3 num_output: 2 } }"
    )
    with pytest.raises(RuntimeError, match="far"):
        caffe.Net("net.prototxt", caffe.TEST)
    lines = capfd.readouterr().err.splitlines()
    assert [line.partition("] ")[2] for line in lines[-6:]] == [
        "Top shape: 2 1 2 2 (8)",
        "Memory required for data: 32",
        "Creating layer far",
        "Creating Layer far",
        "far <- x",
        "far -> y",
    ]


def test_nothing_is_written_out_where_nothing_is_shown(folder: Path, monkeypatch, capfd) -> None:
    monkeypatch.delenv("GLOG_minloglevel")
    start_engine("torch", "cpu")  # as our own commands do
    monkeypatch.setattr(build_log, "to_text", None)
    build("shared/TRAIN")
    assert not capfd.readouterr().err
