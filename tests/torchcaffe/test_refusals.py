"""Wherever genuine Caffe aborts, and where it wrongly goes on: status 1 and one clear line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from i2cnn.torchcaffe.cli import main

TRAIN = ["train", "-solver", "solver_sgd.prototxt"]
NET = "tiny_train_val.prototxt"
without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")


def change(file: str, old: str, new: str) -> Callable[[], None]:
    def edit() -> None:
        text = Path(file).read_text()
        assert old in text
        Path(file).write_text(text.replace(old, new))

    return edit


def solver(old: str, new: str) -> Callable[[], None]:
    return change("solver_sgd.prototxt", old, new)


def nothing() -> None:
    pass


@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (nothing, ["train", "-solver", "gone.prototxt"], r"File not found: gone\.prototxt"),
        (solver(NET, "gone.prototxt"), TRAIN, r"File not found: gone\.prototxt"),
        (nothing, [*TRAIN, "-snapshot", "gone.solverstate"], r"not found: gone\.solverstate"),
        (nothing, [*TRAIN, "-snapshot", "gone.solverstate.h5"], r"not found: gone\.solverstate"),
        (nothing, [*TRAIN, "-weights", "gone.caffemodel"], r"not found: gone\.caffemodel"),
        (nothing, [*TRAIN, "-weights", "gone.caffemodel.h5"], r"not found: gone\.caffemodel"),
        (
            solver("base_lr", "base_rl"),
            TRAIN,
            r'solver_sgd\.prototxt:\d+:1: .*no field named "base_rl".*did you mean base_lr',
        ),
        (
            change(NET, "kernel_size: 5", "kernel_size: five"),
            TRAIN,
            r"tiny_train_val\.prototxt:\d+:\d+: .*integer",
        ),
        (change(NET, '"data_lmdb"', '"gone"'), TRAIN, r"layer 'data': no LMDB at gone"),
        (solver('"out/sgd"', '"gone/sgd"'), TRAIN, r"snapshots go to gone .*not a writable folder"),
        (
            change(NET, "transform_param {", "transform_param { crop_size: 25"),
            TRAIN,
            r"'data'.*crop_size 25 is larger than the 24x24 image",
        ),
        (solver('lr_policy: "step"', ""), TRAIN, r"lr_policy is missing"),
        (solver("net:", "# net:"), TRAIN, r"must specify a train net using exactly one of"),
        (solver("test_iter:", "test_iter: 3 test_net: 'x' test_iter:"), TRAIN, r"not found: x"),
        (
            solver("test_iter:", "test_state { } test_state { } test_iter:"),
            TRAIN,
            r"test_state must",
        ),
        (
            change(NET, "num_output: 7", "num_output: 0"),
            TRAIN,
            r"num_output must be at least 1",
        ),
        (change(NET, "kernel_size: 5", "kernel_size: 0"), TRAIN, r"kernel_size must be given"),
        (
            change(NET, "kernel_size: 5", "kernel_size: 5 stride: 0"),
            TRAIN,
            r"stride must be at least 1",
        ),
        (
            change(NET, "kernel_size: 5", "kernel_size: 5 axis: 4"),
            TRAIN,
            "axis 4 is out of range",
        ),
        (
            change(NET, "kernel_size: 5", "kernel_size: 5 group: 5"),
            TRAIN,
            r"are not multiples of group 5",
        ),
        (nothing, [*TRAIN, "-snapshot", "a", "-weights", "b"], r"but not both"),
        (nothing, ["fly"], r"Unknown command: fly"),
        (nothing, ["train"], r"Need a solver definition"),
        (nothing, ["test", "-weights", "init.caffemodel"], r"Need a model definition"),
        (nothing, ["test", "-model", NET], r"Need model weights"),
        (nothing, ["time"], r"Need a model definition"),
        (nothing, ["time", "-model", NET, "-phase", "FLY"], r'phase must be "TRAIN" or "TEST"'),
        (nothing, ["train", "-sovler", "x"], r"unknown command line flag '-sovler'"),
        (nothing, ["train", "-solver"], r"'-solver' is missing its argument"),
        (nothing, ["test", "-iterations", "many"], r"'many' is not a number"),
        (nothing, [*TRAIN, "-level", "high"], r"'high' is not a number"),
        (nothing, [*TRAIN, "-sigint_effect", "die"], r"'die' is not one of stop, snapshot, none"),
        (nothing, [*TRAIN, "-gpu", "one"], r"'one' is neither device numbers"),
        (nothing, [*TRAIN, "-gpu", "\N{SUPERSCRIPT TWO}"], r"is neither device numbers"),
        (nothing, [*TRAIN, "-gpu", "1,1"], r"names a device twice"),
        (nothing, [*TRAIN, "-precision", "fp8"], r"'fp8'; choose one of float32, tf32, bf16"),
        # What genuine Caffe goes on with:
        (
            change(NET, "num_output: 7", "num_output: 3"),
            TRAIN,
            r"label \d is outside \[0, 3\).*record 0000",
        ),
        (solver("base_lr: 0.02", "base_lr: 1e30"), TRAIN, r"loss became (nan|inf).*Lower base_lr"),
    ],
)
def test_refused(
    prepare: Callable[[], None], arguments: list[str], message: str, golden: Path, capfd
) -> None:
    prepare()
    assert main(arguments) == 1
    one_line(capfd.readouterr().err, message)


@without_cuda
@pytest.mark.parametrize(
    ("prepare", "arguments", "message"),
    [
        (solver("mode: CPU", "mode: GPU"), TRAIN, r"sees no CUDA device; use solver_mode: CPU"),
        (nothing, [*TRAIN, "-gpu", "0"], r"flag -gpu: PyTorch sees no CUDA device; omit the flag"),
        (nothing, [*TRAIN, "-gpu", "0,1"], r"flag -gpu: PyTorch sees no CUDA device"),
        (nothing, [*TRAIN, "-gpu", "all"], r"sees no CUDA device; omit the flag to use the CPU"),
        (nothing, ["device_query"], r"sees no CUDA device; nets run on the CPU"),
        (nothing, [*TRAIN, "-precision=tf32"], r"tf32 needs a CUDA device; on the CPU"),
        (nothing, ["time", "-model", NET, "-precision=tf32"], r"tf32 needs a CUDA device"),
    ],
)
def test_refused_without_a_cuda_device(
    prepare: Callable[[], None], arguments: list[str], message: str, golden: Path, capfd
) -> None:
    prepare()
    assert main(arguments) == 1
    one_line(capfd.readouterr().err, message)


def one_line(text: str, message: str) -> None:
    assert "Traceback" not in text
    lines = [line for line in text.splitlines() if line.startswith("i2cnn caffe: error: ")]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
