"""`i2cnn caffe`: flags, log lines, signals, exit codes."""

from __future__ import annotations

import errno
import gzip
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.formats.storage import read_weights
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.torchcaffe.solvers.solver import CoreSolver
from tests.helpers.caffe_files import change_solver
from tests.helpers.golden import GOLDEN


@pytest.fixture(autouse=True)
def _log_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")


@pytest.mark.parametrize("spelling", [["-solver", "S"], ["--solver=S"], ["-solver=S"]])
def test_train_in_every_spelling(spelling: list[str], golden: Path, capfd) -> None:
    change_solver("solver_sgd.prototxt", "S", max_iter=2)
    assert main(["train", *spelling]) == 0
    assert "Optimization Done." in capfd.readouterr().err
    assert Path("out/sgd_iter_2.caffemodel").exists()


def test_scores_are_those_of_caffe_test(golden: Path, capfd) -> None:
    weights = str(GOLDEN / "snapshots" / "sgd_iter_20.caffemodel")
    with gzip.open(GOLDEN / "cli" / "caffe_test_sgd20.log.gz", "rt") as file:
        stored = file.read()

    found = re.findall(r"Running for (\d+) iterations", stored)
    arguments = ["-model", "tiny_train_val.prototxt", "-weights", weights]
    assert main(["test", *arguments, "-iterations", found[0]]) == 0
    text = capfd.readouterr().err
    places = re.compile(r"\S+\] (?:Use CPU|Running for|Loss:)")
    assert places.findall(text) == places.findall(stored)
    ours = re.findall(r"Batch (\d+), (\w+) = ([\d.]+)", text)
    theirs = re.findall(r"Batch (\d+), (\w+) = ([\d.]+)", stored)
    assert [x[:2] for x in ours] == [x[:2] for x in theirs]
    np.testing.assert_allclose(
        [float(x[2]) for x in ours], [float(x[2]) for x in theirs], rtol=1e-5
    )


def test_time_prints_each_layer(golden: Path, capfd) -> None:
    assert main(["time", "-model=tiny_train_val.prototxt", "-iterations=2"]) == 0
    text = capfd.readouterr().err
    assert re.search(r"conv1\tforward: [\d.]+ ms", text)
    assert re.search(r"fc2\tbackward: [\d.]+ ms", text)
    assert "Average Forward-Backward" in text


@pytest.mark.parametrize(
    ("number", "flag", "snapshots", "last"),
    [
        (signal.SIGINT, "-sigint_effect=stop", 1, 4),
        (signal.SIGINT, "-sigint_effect=snapshot", 2, 8),
        (signal.SIGINT, "-sigint_effect=none", 1, 8),
        (signal.SIGHUP, "-sighup_effect=stop", 1, 4),
        (signal.SIGHUP, "-sighup_effect=snapshot", 2, 8),
        (signal.SIGHUP, "-sighup_effect=none", 1, 8),
    ],
)
def test_effects_of_signals(
    number: int, flag: str, snapshots: int, last: int, golden: Path, monkeypatch, capfd
) -> None:
    change_solver("solver_sgd.prototxt", "S", max_iter=8, snapshot=0)
    update = CoreSolver.apply_update

    def signalled(self: CoreSolver) -> None:
        update(self)
        if self.iter == 3:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(CoreSolver, "apply_update", signalled)
    assert main(["train", "-solver", "S", flag]) == 0
    assert ("Optimization stopped early." in capfd.readouterr().err) == (last == 4)
    states = sorted(Path("out").glob("*.solverstate"))
    assert len(states) == snapshots
    assert states[-1].name == f"sgd_iter_{last}.solverstate"


def test_a_stop_interrupts_a_test(golden: Path, monkeypatch, capfd) -> None:
    change_solver("solver_sgd.prototxt", "S", test_iter=1000000)
    forward = CoreNet.forward

    def signalled(self: CoreNet, *arguments: int) -> float:
        if not self.context.train:
            os.kill(os.getpid(), signal.SIGINT)
        return forward(self, *arguments)

    monkeypatch.setattr(CoreNet, "forward", signalled)
    assert main(["train", "-solver", "S"]) == 0
    text = capfd.readouterr().err
    assert "solver.cpp:396] Test interrupted." in text
    assert "solver.cpp:311] Optimization stopped early." in text


def test_several_weights_are_loaded_one_after_the_other(golden: Path) -> None:
    net = NetParameter.FromString(Path("init.caffemodel").read_bytes())
    layer = next(x for x in net.layer if x.name == "fc2")
    layer.blobs[1].data[:] = [5.0] * 7
    Path("second.caffemodel").write_bytes(NetParameter(layer=[layer]).SerializeToString())
    change_solver("solver_sgd.prototxt", "S", max_iter=0, snapshot=0, random_seed=8)
    weights = "init.caffemodel,second.caffemodel"
    assert main(["train", "-solver", "S", "-weights", weights]) == 0
    final = read_weights("out/sgd_iter_0.caffemodel")
    np.testing.assert_array_equal(final["fc2"][1], np.full(7, 5, np.float32))
    np.testing.assert_array_equal(final["fc1"][0], read_weights("init.caffemodel")["fc1"][0])


EXTRA = """
layer { name: "extra" type: "InnerProduct" bottom: "fc2" top: "extra"
        include { min_level: 2 stage: "deep" not_stage: "shallow" }
        inner_product_param { num_output: 2 } }
layer { name: "quiet" type: "Silence" bottom: "extra"
        include { min_level: 2 stage: "deep" not_stage: "shallow" } }
"""


@pytest.mark.parametrize(
    ("flags", "there"),
    [
        (["-level", "2", "-stage", "deep"], True),
        (["-level=3", "-stage=other,deep"], True),
        (["-level", "1", "-stage", "deep"], False),
        (["-level", "-1", "-stage", "deep"], False),
        (["-level", "2"], False),
        (["-level", "2", "-stage", "deep,shallow"], False),
    ],
)
def test_levels_and_stages(flags: list[str], there: bool, golden: Path, capfd) -> None:
    net = Path("tiny_train_val.prototxt")
    net.write_text(net.read_text() + EXTRA)
    change_solver("solver_sgd.prototxt", "S", max_iter=1)
    assert main(["train", "-solver", "S", *flags]) == 0
    assert ("extra" in read_weights("out/sgd_iter_1.caffemodel")) == there
    capfd.readouterr()
    assert main(["time", "-model", str(net), "-iterations=1", *flags]) == 0
    assert bool(re.search(r"extra\tforward", capfd.readouterr().err)) == there


def test_test_nets_have_states_of_their_own(golden: Path) -> None:
    net = Path("tiny_train_val.prototxt")
    net.write_text(net.read_text() + EXTRA)
    text = Path("solver_sgd.prototxt").read_text()
    Path("S").write_text(
        text + 'test_iter: 2\ntest_state { stage: "deep" level: 2 }\ntest_state { stage: "deep" }\n'
    )
    solver = caffe.get_solver("S")
    assert ["extra" in test.layer_dict for test in solver.test_nets] == [True, False]
    assert "extra" not in solver.net.layer_dict


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_end_a_run_take_a_snapshot(number: int, golden: Path) -> None:
    process = start_training()
    process.send_signal(number)
    _, text = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Optimization stopped early." in text
    assert list(Path("out").glob("sgd_iter_*.solverstate"))


def test_a_hangup_takes_a_snapshot_and_trains_on(golden: Path) -> None:
    process = start_training()
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 60
    while not list(Path("out").glob("sgd_iter_*.solverstate")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.poll() is None
    process.kill()
    process.communicate()


def start_training() -> subprocess.Popen[str]:
    """A process that trains on and on and has done some iterations."""
    change_solver("solver_sgd.prototxt", "solver.prototxt", max_iter=100000, snapshot=0)
    process = subprocess.Popen(
        [sys.executable, "-m", "i2cnn.torchcaffe", "train", "-solver", "solver.prototxt"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Iteration 5 (" in line:
            break
    return process


def test_help_goes_to_standard_output(capsys) -> None:
    assert main(["--help"]) == 0
    assert capsys.readouterr().out.startswith("usage: i2cnn caffe <command> <args>")


def test_without_a_command_the_usage_goes_to_standard_error(capsys) -> None:
    assert main([]) == 0
    assert capsys.readouterr().err.startswith("usage: i2cnn caffe <command> <args>")


def test_weights_without_a_common_layer_are_pointed_out(golden: Path, capfd) -> None:
    net = Path("tiny_train_val.prototxt")
    Path("other.prototxt").write_text(re.sub(r'name: "(conv|fc)', r'name: "my_\1', net.read_text()))
    arguments = ["-weights", "init.caffemodel", "-iterations", "1"]
    assert main(["test", "-model", "other.prototxt", *arguments]) == 0
    text = capfd.readouterr().err
    ignored = re.findall(r"^I.* net\.cpp:746\] Ignoring source layer (\w+)$", text, re.M)
    assert ignored == ["conv1", "conv2", "fc1", "fc2"]
    assert re.search(r"^W.*init\.caffemodel: has no layer with parameters in common", text, re.M)

    assert main(["test", "-model", str(net), *arguments]) == 0
    text = capfd.readouterr().err
    assert "Ignoring" not in text
    assert "in common" not in text


def test_flags_are_taken_instead_of_the_solvers_weights(golden: Path, capfd) -> None:
    settings = {"weights": '"gone.caffemodel"', "test_iter": 1, "max_iter": 1}
    change_solver("solver_sgd.prototxt", "weighted.prototxt", **settings)
    train = ["train", "-solver", "weighted.prototxt"]
    assert main(train) == 1
    assert "File not found: gone.caffemodel" in capfd.readouterr().err
    assert main([*train, "-weights", "init.caffemodel"]) == 0
    assert main([*train, "-snapshot", "out/sgd_iter_1.solverstate"]) == 0


def test_a_log_file_in_glogs_naming(golden: Path, capfd) -> None:
    Path("logs").mkdir()
    arguments = ["test", "-model", "tiny_train_val.prototxt", "-weights", "init.caffemodel"]
    assert main([*arguments, "-iterations=1", "--log_dir=logs"]) == 0
    lines = capfd.readouterr().err.splitlines()
    (path,) = Path("logs").glob("caffe.*.log.INFO.*")
    stored = Path("logs/caffe.INFO").read_text().splitlines()
    assert path.read_text().splitlines() == stored
    assert stored[0].startswith("Log file created at: ")
    assert stored[3:] == lines
    assert lines[-1].startswith("I")


def test_a_user_without_a_name_may_log_into_a_file(folder: Path, monkeypatch) -> None:
    def nobody() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setenv("GLOG_log_dir", str(folder))
    try:
        log.warning("x.cpp", "a line")
    finally:
        log.reset_options()
    (path,) = folder.glob("caffe.*.invalid-user.log.INFO.*")
    assert path.read_text().endswith("x.cpp] a line\n")


def test_a_closed_terminal_does_not_end_a_training(golden: Path, monkeypatch) -> None:
    class Closed(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Closed())
    assert main(["train", "-solver", "solver_sgd.prototxt"]) == 0
    assert Path("out/sgd_iter_20.caffemodel").exists()


@pytest.mark.parametrize(
    ("flags", "shown", "written"),
    [
        (["-log_dir=logs", "-noalsologtostderr"], "", "IW"),
        (["-log_dir=logs", "-alsologtostderr=false", "-stderrthreshold=1"], "W", "IW"),
        (["-log_dir=logs", "-logtostderr"], "IW", ""),
        (["-minloglevel", "1"], "W", ""),
        (["-minloglevel=2"], "", ""),
        (["-v", "3"], "IW", ""),
    ],
)
def test_glogs_flags_say_what_is_logged_where(
    flags: list[str], shown: str, written: str, golden: Path, capfd
) -> None:
    Path("logs").mkdir()
    text = Path("tiny_train_val.prototxt").read_text()
    Path("other.prototxt").write_text(re.sub(r'name: "(conv|fc)', r'name: "my_\1', text))
    arguments = ["test", "-model", "other.prototxt", "-weights", "init.caffemodel"]
    assert main([*arguments, "-iterations=1", *flags]) == 0
    assert levels(capfd.readouterr().err) == set(shown)
    files = list(Path("logs").glob("caffe.*.log.*"))
    assert levels("".join(path.read_text() for path in files)) == set(written)


def levels(text: str) -> set[str]:
    return set(re.findall(r"^([A-Z])\d{4} ", text, re.MULTILINE))


def test_glogs_environment_counts_too(golden: Path, monkeypatch, capfd) -> None:
    arguments = ["time", "-model=tiny_train_val.prototxt", "-iterations=1"]
    for value, lines in (("1", False), ("nonsense", True)):
        monkeypatch.setenv("GLOG_minloglevel", value)
        assert main(arguments) == 0
        assert bool(capfd.readouterr().err) == lines


def test_version_is_that_of_caffe(capsys) -> None:
    for flag in ("-version", "--version"):
        assert main([flag]) == 0
        assert capsys.readouterr().out.startswith("caffe version 1.0.0 ")


def test_debug_info_shows_magnitudes_as_caffe_does(golden: Path, capfd) -> None:
    change_solver("solver_sgd.prototxt", "S", max_iter=2, display=2, debug_info="true", test_iter=1)
    assert main(["train", "-solver", "S"]) == 0
    lines = [
        line.partition("] ")[2]
        for line in capfd.readouterr().err.splitlines()
        if "ward] " in line and "Layer data" not in line
    ]
    # Recorded from genuine Caffe: the test net's pass, then the first iteration's.
    assert lines[2] == "    [Forward] Layer conv1, top blob conv1 data: 0.27429"
    assert lines[3] == "    [Forward] Layer conv1, param blob 0 data: 0.0782852"
    backward = [line for line in lines if "[Backward]" in line]
    assert backward[:2] == [
        "    [Backward] Layer loss, bottom blob fc2 diff: 0.0306163",
        "    [Backward] Layer fc2, bottom blob fc1 diff: 0.00935256",
    ]
    assert backward[-1] == (
        "    [Backward] All net params (data, diff): L1 norm = (291.372, 16.3233); "
        "L2 norm = (6.34613, 0.503345)"
    )
    assert len(backward) == 20  # only iterations that are displayed, and only in training
