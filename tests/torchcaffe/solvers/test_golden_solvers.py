"""Whole trainings of genuine Caffe, repeated from their seed alone.

Tolerance: losses 2e-6, arrays 1e-5 of the largest value. The recorded numbers are float32 sums in
another order; genuine Caffe with another BLAS kernel differs by 3e-7 and 8e-7.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.runtime import runtime
from tests.helpers.caffe_log import running
from tests.helpers.golden import GOLDEN, arrays_of, assert_close

ITERATIONS = 20
LOGS = sorted(path.name.removesuffix(".log.gz") for path in (GOLDEN / "cli").glob("*.log.gz"))
LOGS = [name for name in LOGS if name not in ("caffe_test_sgd20", "sgd_resumed_from_10")]


def param(net: caffe.Net, key: str) -> caffe.Blob:
    layer, index = key.split("/")[-1].rsplit(".", 1)
    return net.params[layer][int(index)]


def solver_file(name: str) -> str:
    plain = Path(f"solver_{name}.prototxt")
    return str(plain if plain.exists() else f"solver_sgd_{name}.prototxt")


def log_text(name: str) -> str:
    with gzip.open(GOLDEN / "cli" / f"{name}.log.gz", "rt") as file:
        return file.read()


def log_losses(name: str) -> list[float]:
    text = log_text(name)
    pairs = re.findall(r"Iteration (\d+) \(.*\), loss = ([\d.e+-]+)", text)
    return [float(loss) for _, loss in pairs]


def log_accuracies(name: str) -> list[float]:
    text = log_text(name)
    return [float(a) for a in re.findall(r"Test net output #\d+: accuracy = ([\d.]+)", text)]


@pytest.mark.parametrize("run", ["sgd", "sgd_iter2", "sgd_meanfile"])
def test_weights_gradients_history_and_blobs(run: str, golden: Path) -> None:
    with np.load(GOLDEN / f"{run}.npz") as file:
        stored = dict(file)
    solver = caffe.get_solver(f"solver_{run}.prototxt")
    seen = 0

    def compare(prefix: str, values) -> None:
        nonlocal seen
        for key in (k for k in stored if k.startswith(prefix + "/")):
            ours = np.asarray(values(key)).reshape(stored[key].shape)
            assert_close(ours, stored[key])
            seen += 1

    compare("w000", lambda key: param(solver.net, key).data)
    last = max(int(k[1:4]) for k in stored if re.match(r"w\d", k))
    for iteration in range(1, last + 1):
        if iteration in (1, 2, 6):
            core = solver._core
            core.net.clear_param_diffs()
            position, rng = core.net.position(), runtime.rng.state()
            for _ in range(core.param.iter_size):
                core.net.forward()
                core.net.backward()
            compare(f"grad{iteration:03d}", lambda key: param(solver.net, key).diff)
            if iteration == 1:
                compare("blob001", lambda key: solver.net.blobs[key.split("/")[1]].data)
                compare("blobdiff001", lambda key: solver.net.blobs[key.split("/")[1]].diff)
            core.net.restore_position(position)
            runtime.rng.restore(*rng)
        solver.step(1)
        compare(f"w{iteration:03d}", lambda key: param(solver.net, key).data)
        compare(f"hist{iteration:03d}", lambda key: param(solver.net, key).diff)
    assert seen >= 40


@pytest.mark.parametrize(
    "name",
    sorted({k.split("/")[0] for k in np.load(GOLDEN / "solvers_final.npz")}),
)
def test_every_recorded_solver(name: str, golden: Path) -> None:
    stored = arrays_of("solvers_final.npz", name)
    solver = caffe.get_solver(solver_file(name))
    losses = []
    for _ in range(ITERATIONS):
        solver.step(1)
        losses.append(solver._core.smoothed_loss)
    np.testing.assert_allclose(losses, stored["loss"], rtol=0, atol=2e-6)
    for key in (k for k in stored if k.startswith("w020/")):
        assert_close(param(solver.net, key).data, stored[key])


@pytest.mark.parametrize("name", LOGS)
def test_log_lines_are_those_of_caffe_train(name: str, golden: Path, capfd, monkeypatch) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    solver = caffe.get_solver(solver_file(name))
    solver.solve()
    text = capfd.readouterr().err
    assert re.search(r"^I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ solver\.cpp:239\] ", text, re.M)
    # The program logs its end too.
    assert [*running(text), "caffe.cpp:250] Optimization Done."] == running(log_text(name))
    losses = [float(x) for x in re.findall(r"Iteration \d+ \(.*\), loss = ([\d.e+-]+)", text)]
    accuracies = [float(x) for x in re.findall(r"#\d+: accuracy = ([\d.]+)", text)]
    rates = [float(x) for x in re.findall(r"Iteration \d+, lr = ([\d.e+-]+)", text)]
    assert rates == [
        float(x) for x in re.findall(r"Iteration \d+, lr = ([\d.e+-]+)", log_text(name))
    ]
    # The log has six digits: rounding apart can show as one unit of the last.
    np.testing.assert_allclose(losses, log_losses(name), rtol=0, atol=1.2e-5)
    np.testing.assert_allclose(accuracies, log_accuracies(name), rtol=0, atol=1e-6)


def test_golden_snapshot_resumes_to_the_golden_end(golden: Path) -> None:
    for suffix in ("caffemodel", "solverstate"):
        source = GOLDEN / "snapshots" / f"sgd_iter_10.{suffix}"
        Path(f"out/{source.name}").write_bytes(source.read_bytes())
    solver = caffe.get_solver("solver_sgd.prototxt")
    solver.restore("out/sgd_iter_10.solverstate")
    assert solver.iter == 10
    solver.step(10)
    with np.load(GOLDEN / "sgd.npz") as file:
        for key in (k for k in file if k.startswith("w020/")):
            assert_close(param(solver.net, key).data, file[key])


@pytest.mark.parametrize("suffix", ["", ".h5"])
def test_snapshots_hold_what_genuine_caffe_writes(suffix: str, golden: Path) -> None:
    from i2cnn.torchcaffe.formats.storage import read_state, read_weights

    name = "sgd_h5" if suffix else "sgd"
    solver = caffe.get_solver(f"solver_{name}.prototxt")
    solver.step(20)
    ours, theirs = (folder / f"{name}_iter_20" for folder in (Path("out"), GOLDEN / "snapshots"))
    state, golden_state = (read_state(f"{p}.solverstate{suffix}") for p in (ours, theirs))
    assert state.iteration == golden_state.iteration == 20
    assert state.current_step == golden_state.current_step
    assert state.learned_net == golden_state.learned_net
    for a, b in zip(state.history, golden_state.history, strict=True):
        assert a.shape == b.shape
        assert_close(a, b)
    weights, golden_weights = (read_weights(f"{p}.caffemodel{suffix}") for p in (ours, theirs))
    assert list(weights) == list(golden_weights)
    for layer, blobs in golden_weights.items():
        for a, b in zip(weights[layer], blobs, strict=True):
            assert_close(a, b)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_resume_repeats_the_run_bit_for_bit(precision: str, golden: Path) -> None:
    caffe.set_precision(precision)
    text = Path("tiny_train_val.prototxt").read_text()
    text = text.replace("transform_param {", "transform_param { crop_size: 21 mirror: true ", 1)
    text = text.replace('layer { name: "relu3"', DROPOUT + 'layer { name: "relu3"')
    text = text.replace("{ scale: 0.0078125 mean", "{ crop_size: 21 scale: 0.0078125 mean")
    Path("tiny_train_val.prototxt").write_text(text.replace("batch_size: 8", "batch_size: 7"))
    whole = caffe.get_solver("solver_sgd.prototxt")
    whole.step(20)
    resumed = caffe.get_solver("solver_sgd.prototxt")
    resumed.restore("out/sgd_iter_10.solverstate")
    resumed.step(10)
    for layer, blobs in whole.net.params.items():
        for a, b in zip(blobs, resumed.net.params[layer], strict=True):
            np.testing.assert_array_equal(a.data, b.data)


@pytest.mark.parametrize("name", ["sgd_h5", "adam", "adadelta"])
def test_every_kind_of_state_resumes_bit_for_bit(
    name: str, golden: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    text = Path(solver_file(name)).read_text()
    Path("solver.prototxt").write_text(text.replace("snapshot: 20", "snapshot: 10"))
    whole = caffe.get_solver("solver.prototxt")
    whole.step(20)
    state = next(Path("out").glob("*_iter_10.solverstate*"))
    resumed = caffe.get_solver("solver.prototxt")
    resumed.restore(str(state))
    # Genuine Caffe says so of binary states only.
    assert ("SGDSolver: restoring history" in capsys.readouterr().err) == (name != "sgd_h5")
    resumed.step(10)
    for layer, blobs in whole.net.params.items():
        for a, b in zip(blobs, resumed.net.params[layer], strict=True):
            np.testing.assert_array_equal(a.data, b.data)


DROPOUT = 'layer { name: "drop" type: "Dropout" bottom: "fc1" top: "fc1" }\n'
