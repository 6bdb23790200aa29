"""Nets that genuine Caffe does not build are refused, and absurd sizes before memory is taken."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe import sizes
from i2cnn.torchcaffe.cli import main
from i2cnn.util import machine
from i2cnn.util.errors import InputError
from tests.helpers.refused_nets import (
    IMAGE,
    RULES,
    SCORES,
    SIZES,
    convolution,
    data,
    dummy,
    layer,
)


def build(text: str) -> caffe.Net:
    Path("net.prototxt").write_text(text)
    return caffe.Net("net.prototxt", caffe.TEST)


@pytest.mark.parametrize("name", [*RULES, *SIZES])
def test_refused_in_one_line(name: str, folder: Path) -> None:
    text, message = {**RULES, **SIZES}[name]
    with pytest.raises(InputError, match=message) as caught:
        build(text)
    assert "\n" not in str(caught.value)
    assert "net.prototxt" in str(caught.value)


@pytest.mark.parametrize("name", SIZES)
def test_no_time_is_printed_for_absurd_sizes(name: str, folder: Path, capfd) -> None:
    Path("net.prototxt").write_text(SIZES[name][0])
    assert main(["time", "-model", "net.prototxt", "-iterations=1"]) == 1
    text = capfd.readouterr().err
    assert text.count("error: ") == 1
    assert "Traceback" not in text
    assert "Average" not in text


def test_the_remedies_are_accepted(folder: Path) -> None:
    scores = SCORES.replace("dim: 8", "dim: 2 dim: 2 dim: 2")
    weights = "loss_weight: 1 loss_weight: 0"
    assert set(build(scores + layer("SoftmaxWithLoss", "x y", "loss prob", weights)).forward()) == {
        "loss",
        "prob",
    }
    same = IMAGE + data(2, 3, 8, 8, top="y") + convolution("kernel_size: 3", "x y", "t u")
    assert build(same).blobs["u"].shape == (2, 4, 6, 6)
    mixed = dummy("num: 1 num: 2 channels: 3 height: 1 width: 1", "x y")
    assert build(mixed).blobs["y"].shape == (2, 3, 1, 1)


@pytest.mark.parametrize(
    "text",
    [
        data(40000, 40000),
        IMAGE + convolution("kernel_size: 3 pad: 5000"),
        IMAGE + convolution("kernel_size: 12000"),
    ],
)
def test_more_than_the_memory_is_refused(text: str, folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 2**30)
    with pytest.raises(InputError, match=r"would take \d+\.\d GB of memory; 1\.1 GB are free"):
        build(text)


def test_views_of_a_blob_take_no_memory(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 2**27)
    text = data(16 << 20) + "".join(
        layer("Flatten", "x", f"t{i}", "flatten_param { axis: 0 }") for i in range(4)
    )
    assert build(text).blobs["t3"].count == 16 << 20


def test_a_blob_takes_only_caffes_shapes() -> None:
    blob = caffe.Blob((2, 3))
    for shape in ((2**31,), (0, 2**31), (-1, 2), (1,) * 33):
        with pytest.raises(InputError, match=r"limit|negative|axes"):
            blob.reshape(*shape)
    blob.reshape(0, 5)
    assert blob.count == 0


def test_free_memory_heeds_a_limit_of_the_process(monkeypatch) -> None:
    free = machine.free_memory()
    assert 2**26 < free < 2**60
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**26, 2**27))
    assert machine.free_memory() == 2**26
