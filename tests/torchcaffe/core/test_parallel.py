"""Several processes that train one net: by gloo on the CPU, started by torchrun or as -gpu does."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main, parse_flags, train_together
from i2cnn.torchcaffe.core.parallel import Group
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.formats.storage import read_state, read_weights
from i2cnn.torchcaffe.proto import Datum
from i2cnn.torchcaffe.solvers.resume import read_position, resume_file
from i2cnn.util.errors import InputError
from tests.helpers.caffe_files import change_solver, write_lmdb
from tests.helpers.golden import assert_close, copy_golden

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TRAIN = ["-m", "i2cnn.torchcaffe", "train"]
#: What `-gpu 0,1` does, on the CPU.
LAUNCHER = str(Path(__file__).parents[2] / "programs" / "train_on_two.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "GLOG_minloglevel": "0"}
PATIENCE = 120  # seconds until a run that hangs fails its test


@pytest.fixture
def group() -> Iterator[Group]:
    """A group whose rank and size a test may set: no process is started."""
    runtime.group = mine = Group()
    yield mine
    runtime.group = Group()


def assert_all_close(ours: dict, theirs: dict, tolerance: float) -> None:
    assert list(ours) == list(theirs)
    for name, blobs in theirs.items():
        for a, b in zip(ours[name], blobs, strict=True):
            assert_close(a, b, tolerance)


@pytest.fixture(scope="module")
def run_of_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Folder and log of a training by two processes."""
    folder = tmp_path_factory.mktemp("two") / "golden"
    copy_golden(folder)
    run = subprocess.run(
        [*TORCHRUN, *TRAIN, "-solver", "solver_sgd.prototxt"],
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )
    return folder, run.stderr


@pytest.fixture
def trained_by_two(
    run_of_two: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A working folder with a copy of what two processes wrote."""
    folder = tmp_path / "golden"
    shutil.copytree(run_of_two[0], folder)
    monkeypatch.chdir(folder)
    return folder


RESUME = ["-solver", "solver_sgd.prototxt", "-snapshot", "out/sgd_iter_10.solverstate"]


def test_two_processes_are_one_with_iter_size_2(trained_by_two: Path) -> None:
    change_solver("solver_sgd.prototxt", "one.prototxt", iter_size=2, snapshot_prefix='"out/one"')
    assert main(["train", "-solver", "one.prototxt"]) == 0
    # The same 16 records per iteration. The mean of two means is summed in a different order from
    # the halved sum, so weights differ by float32 rounding: 1.4e-7 of the largest one was seen.
    for step in (10, 20):
        two, one = (read_weights(f"out/{name}_iter_{step}.caffemodel") for name in ("sgd", "one"))
        assert_all_close(two, one, 2e-6)
    states = [read_state(f"out/{name}_iter_20.solverstate") for name in ("sgd", "one")]
    assert_all_close({"h": states[0].history}, {"h": states[1].history}, 1e-5)


def test_only_the_root_logs(run_of_two: tuple[Path, str]) -> None:
    log = run_of_two[1]
    assert log.count("Testing net (#0)") == 5  # at 0, 5, 10, 15 and at the end
    assert log.count("Optimization Done.") == 2  # the solver's and the command's


def test_a_run_resumed_by_two_processes_repeats_itself(trained_by_two: Path, monkeypatch) -> None:
    whole = Path("out/sgd_iter_20.caffemodel").read_bytes()
    Path("out/sgd_iter_20.caffemodel").unlink()
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert train_together(parse_flags(RESUME), 2) == 0
    assert Path("out/sgd_iter_20.caffemodel").read_bytes() == whole


def test_a_run_of_two_processes_is_not_resumed_by_one(trained_by_two: Path, capsys) -> None:
    assert main(["train", *RESUME]) == 1
    assert "written by 2 process(es)" in capsys.readouterr().err


def test_without_positions_one_process_resumes_a_run_of_two(trained_by_two: Path) -> None:
    resume_file("out/sgd_iter_10.solverstate").unlink()
    assert main(["train", *RESUME]) == 0


def test_another_number_of_processes_is_told_how_to_resume(golden: Path, group: Group) -> None:
    solver = caffe.get_solver("solver_sgd.prototxt")
    solver.snapshot()
    group.rank, group.size = 1, 2
    with pytest.raises(InputError, match=r"sgd_iter_0.resume.npz: written by 1 .* here are 2.*as"):
        read_position(resume_file("out/sgd_iter_0.solverstate"), group)


def start(launched: bool) -> tuple[subprocess.Popen, int, list[int]]:
    """Start two processes that train on and on; also returns the root's id and the others'."""
    change_solver("solver_sgd.prototxt", "long.prototxt", max_iter=1000000, snapshot=0)
    process = subprocess.Popen(
        [sys.executable, LAUNCHER, "long.prototxt"]
        if launched
        else [*TORCHRUN, *TRAIN, "-solver", "long.prototxt"],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "Iteration 5 (" in line:
            root = int(line.split()[2])
            break
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return process, root, [int(child) for child in children if int(child) != root]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("launched", [True, False], ids=["to_launcher", "to_second_process"])
def test_signals_reach_all_processes(launched: bool, golden: Path) -> None:
    process, _, others = start(launched)
    target = process.pid if launched else others[0]
    os.kill(target, signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    while not list(Path("out").glob("*.solverstate")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(target, signal.SIGINT)
    _, text = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert text.count("Optimization stopped early.") == 1
    states = sorted(Path("out").glob("*.solverstate"))
    assert len(states) == 2  # one of each signal
    with np.load(resume_file(str(states[-1]))) as file:
        places = [int(file[f"{rank}train/data/index"]) for rank in ("", "rank1/")]
    assert places[1] == places[0] + 1  # all stopped after the same iteration


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_a_killed_process_ends_the_run(golden: Path) -> None:
    process, root, others = start(launched=True)
    os.kill(others[-1], signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode != 0
    with pytest.raises(ProcessLookupError):
        os.kill(root, 0)


def test_an_error_of_one_process_ends_all_with_its_message(golden: Path, capfd) -> None:
    shutil.copytree("data_lmdb", "bad_lmdb")
    env = lmdb.open("bad_lmdb", map_size=1 << 24)
    with env.begin(write=True) as txn:
        txn.put(b"%08d" % 33, b"\xff\xff")  # odd records are the second process's
    env.close()
    text = Path("tiny_train_val.prototxt").read_text()
    Path("tiny_train_val.prototxt").write_text(text.replace("data_lmdb", "bad_lmdb", 1))
    flags = parse_flags(["-solver", "solver_sgd.prototxt"])
    assert train_together(flags, 2) == 1
    errors = [x for x in capfd.readouterr().err.splitlines() if "error: " in x]
    assert len(errors) <= 2
    assert any("record 00000033 of bad_lmdb is not a Datum" in x for x in errors)
    assert not list(Path("out").glob("*_iter_20.*"))


# What a process reads -----------------------------------------------------------------------------


def test_an_error_before_a_snapshot_ends_all(golden: Path, group: Group, monkeypatch) -> None:
    """A loss that became NaN in one process alone, which notices it last."""
    solver = caffe.get_solver("solver_sgd.prototxt")._core
    met: list[str] = []
    monkeypatch.setattr(group, "agree", lambda request: met.append("agree") or request)
    monkeypatch.setattr(group, "gather", lambda value: met.append("gather") or [value])
    solver.snapshot()
    # Where the one that failed calls `agree` to tell the others, these call it, too.
    assert met == ["agree", "gather"]


def test_a_process_that_knows_no_other_positions_resumes_as_in_caffe(
    golden: Path, group: Group
) -> None:
    """Caffe's train.py, whose processes an NCCL connects, stops and goes on."""
    group.size = 2
    solver = caffe.get_solver("solver_sgd.prototxt")
    solver.step(1)
    solver.snapshot()
    solver.restore("out/sgd_iter_1.solverstate")
    assert solver.iter == 1


def read_by(rank: int, size: int, group: Group, text: str, phase: int, batches: int) -> list[int]:
    group.rank, group.size = rank, size
    Path("net.prototxt").write_text(text)
    net = caffe.Net("net.prototxt", phase)
    labels: list[float] = []
    for _ in range(batches):
        net.forward()
        labels += net.blobs["label"].data.tolist()
    return [int(x) for x in labels]


def make_lmdb(number: int) -> str:
    datums = [Datum(channels=1, height=1, width=1, data=b"x", label=i) for i in range(number)]
    write_lmdb("db", datums)
    return (
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        'data_param { source: "db" batch_size: 4 backend: LMDB } }'
    )


def make_hdf5(number: int) -> str:
    half = (number + 1) // 2
    for name, rows in (("a.h5", range(half)), ("b.h5", range(half, number))):
        with h5py.File(name, "w") as file:
            file["data"] = np.zeros((len(rows), 1), np.float32)
            file["label"] = np.array(rows, np.float32)
    Path("files.txt").write_text("a.h5\nb.h5\n")
    return (
        'layer { name: "data" type: "HDF5Data" top: "data" top: "label" '
        'hdf5_data_param { source: "files.txt" batch_size: 4 } }'
    )


@pytest.mark.parametrize("make", [make_lmdb, make_hdf5])
@pytest.mark.parametrize(("number", "size"), [(11, 3), (10, 2), (2, 3)])
def test_processes_share_out_the_records(
    make, number: int, size: int, group: Group, tmp_path: Path, monkeypatch
) -> None:
    # Genuine Caffe counts on over the end of the data and keeps what is its rank modulo the number.
    monkeypatch.chdir(tmp_path)
    text = make(number)
    for rank in range(size):
        expected = [(rank + i * size) % number for i in range(12)]
        assert read_by(rank, size, group, text, caffe.TRAIN, 3) == expected
        assert read_by(rank, size, group, text, caffe.TEST, 3) == [i % number for i in range(12)]


def test_each_process_has_random_numbers_of_its_own(golden: Path, group: Group) -> None:
    # Genuine Caffe seeds each with random_seed + rank.
    solver = caffe.get_solver("solver_sgd.prototxt")
    change_solver("solver_sgd.prototxt", "solver.prototxt", random_seed=8)
    group.rank = 1
    second = caffe.get_solver("solver_sgd.prototxt").net.params["fc1"][0].data
    group.rank = 0
    seeded = caffe.get_solver("solver.prototxt").net.params["fc1"][0].data
    np.testing.assert_array_equal(second, seeded)
    assert np.abs(second - solver.net.params["fc1"][0].data).max() > 0
