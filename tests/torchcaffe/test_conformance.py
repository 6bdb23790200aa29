"""Beside a genuine Caffe: set I2CNN_CAFFE to its `caffe` program (`make conformance` does)."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.network.profiles import (
    Schedule,
    TrainingSetup,
    ValidationPass,
    patch_size,
    write_training_files,
)
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.torchcaffe import lenet
from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.formats.prototext import read_net, read_solver, write_prototxt
from i2cnn.torchcaffe.formats.storage import read_mean, read_weights
from i2cnn.torchcaffe.proto import SolverParameter, caffe_pb2
from i2cnn.torchcaffe.solvers.resume import resume_file
from i2cnn.util.errors import InputError
from i2cnn.util.images import write_image
from tests.helpers.caffe_log import building
from tests.helpers.caffe_tools import assert_same, recorder
from tests.helpers.databases import decode, options_of, records, write_faces
from tests.helpers.faces import some_faces
from tests.helpers.refused_nets import RULES, SIZES

CAFFE = os.environ.get("I2CNN_CAFFE")
pytestmark = pytest.mark.skipif(
    not CAFFE, reason="no genuine Caffe: set I2CNN_CAFFE, or run `make conformance`"
)


def run_caffe(*arguments: str, tool: str = "caffe") -> str:
    assert CAFFE
    process = subprocess.run(
        [CAFFE, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        # The script of tools/get_caffe.sh starts this tool, `caffe` if none is named.
        env={**os.environ, "GLOG_minloglevel": "0", "CAFFE_TOOL": tool},
    )
    assert process.returncode == 0, process.stderr[-2000:]
    return process.stderr


def has_tool(name: str) -> bool:
    """Whether Caffe's other tools can be started: a bare `caffe` program has none."""
    text = subprocess.run(
        [str(CAFFE), "--help"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "CAFFE_TOOL": name},
    )
    return name in text.stdout + text.stderr


def losses(text: str) -> list[float]:
    return [float(x) for x in re.findall(r"Iteration \d+ \(.*\), loss = ([\d.e+-]+)", text)]


def prepare(folder: Path, encoding: str, profile: str, iterations: int) -> None:
    faces = some_faces(4)
    for name, mean in (("train_lmdb", folder / "mean.binaryproto"), ("validation_lmdb", None)):
        write_database(
            faces,
            [0, 1, 2, 3],
            embedded_root(),
            folder / name,
            options_of(encoding=encoding, size=patch_size(profile)),
            mean_file=mean,
        )
    (folder / "snapshots").mkdir()
    schedule = Schedule(max_iter=iterations, validate_every=iterations, patience=0, batch_size=16)
    write_training_files(
        folder,
        TrainingSetup(profile, classes=7, schedule=schedule, seed=3),
        ValidationPass(batch_size=60, batches=4),
        encoded=encoding != "raw",
    )
    # With dropout the first iteration is the same too, but rounding is blown up after some more.
    net = read_net(folder / "train_val.prototxt")
    for layer in net.layer:
        if layer.type == "Dropout":
            layer.dropout_param.dropout_ratio = 0
    write_prototxt(folder / "train_val.prototxt", net)
    solver = read_solver(folder / "solver.prototxt")
    solver.display = 1
    if profile != "paper":
        # Without dropout Adam's first steps overshoot and blow rounding up; plain SGD does not.
        solver.type, solver.base_lr = "SGD", 0.0002
    write_prototxt(folder / "solver.prototxt", solver)


@pytest.mark.parametrize("profile", ["quick", "better"])
@pytest.mark.parametrize("encoding", ["raw", "png"])
def test_genuine_caffe_trains_our_files_from_our_databases(
    encoding: str, profile: str, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, encoding, profile, 6)
    theirs = losses(run_caffe("train", "-solver", "solver.prototxt"))
    weights = read_weights("snapshots/net_iter_6.caffemodel")
    solver = caffe.get_solver("solver.prototxt")
    ours = []
    for _ in range(6):
        solver.step(1)
        ours.append(solver._core.smoothed_loss)
    # The log has six digits; crops, mirrors and first weights come from the same seed.
    np.testing.assert_allclose(ours, theirs[:6], rtol=2e-4)
    for name, blobs in weights.items():
        for mine, stored in zip(solver.net.params[name], blobs, strict=True):
            # Biases of Scale are tiny after six steps: sums over many pixels that nearly cancel.
            tolerance = 2e-3 * np.abs(stored).max() + 5e-6
            np.testing.assert_allclose(mine.data, stored, rtol=0, atol=tolerance)


@pytest.mark.parametrize("kind", ["BINARYPROTO", "HDF5"])
def test_either_goes_on_from_the_others_snapshot(kind: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "png", "quick", 6)
    param = read_solver("solver.prototxt")
    param.snapshot_format = SolverParameter.SnapshotFormat.Value(kind)
    param.snapshot = 3
    write_prototxt(tmp_path / "solver.prototxt", param)
    suffix = ".h5" if kind == "HDF5" else ""
    train = ("train", "-solver", "solver.prototxt", "-snapshot")

    # Ours, continued there. It restarts at the first record; so does ours without its .resume.npz.
    solver = caffe.get_solver("solver.prototxt")
    solver.step(3)
    ours = f"snapshots/net_iter_3.solverstate{suffix}"
    resume_file(ours).unlink()
    theirs = losses(run_caffe(*train, ours))
    assert Path(f"snapshots/net_iter_6.solverstate{suffix}").is_file()
    assert losses_from(ours) == pytest.approx(theirs[:3], rel=2e-4)

    # Theirs, continued by ours.
    for path in Path("snapshots").iterdir():
        path.unlink()
    run_caffe(*train[:-1])
    theirs = losses(run_caffe(*train, ours))
    assert losses_from(ours) == pytest.approx(theirs[:3], rel=2e-4)


def losses_from(state: str) -> list[float]:
    solver = caffe.get_solver("solver.prototxt")
    solver.restore(state)
    found = []
    for _ in range(3):
        solver.step(1)
        found.append(solver._core.smoothed_loss)
    return found


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("encoding", ["raw", "png", "jpeg"])
def test_genuine_tool_takes_the_mean_of_our_databases(
    encoding: str, color: bool, tmp_path: Path
) -> None:
    if not has_tool("compute_image_mean"):
        pytest.skip("this Caffe has no compute_image_mean")
    db, ours, theirs = (str(tmp_path / name) for name in ("db", "ours", "theirs"))
    write_faces(Path(db), number=3, encoding=encoding, color=color, mean_file=Path(ours))
    run_caffe("--backend=lmdb", db, theirs, tool="compute_image_mean")
    found, genuine = read_mean(Path(ours)), read_mean(Path(theirs))
    # A gray file has one plane for Caffe's tool, and three in our mean, as the network reads it.
    assert len(genuine) == (1 if encoding != "raw" and not color else 3)
    # Ours is taken before JPEG's losses; else only the order of float32 sums differs.
    tolerance = 2 if encoding == "jpeg" else 1e-3
    assert np.abs(found - genuine).max() <= tolerance


def test_genuine_tool_writes_the_same_raw_records(tmp_path: Path) -> None:
    if not has_tool("convert_imageset"):
        pytest.skip("this Caffe has no convert_imageset")
    write_faces(tmp_path / "ours", number=2, encoding="raw")
    lines, expected = [], []
    for key, value in records(tmp_path / "ours"):
        image, datum = decode(value)
        write_image(tmp_path / "images" / f"{key.decode()}.png", image)
        lines.append(f"{key.decode()}.png {datum.label}\n")
        expected.append((datum.channels, datum.height, datum.width, datum.label, datum.data))
    (tmp_path / "list.txt").write_text("".join(lines))
    folder, names, out = f"{tmp_path / 'images'}/", str(tmp_path / "list.txt"), tmp_path / "theirs"
    run_caffe("--backend=lmdb", folder, names, str(out), tool="convert_imageset")
    found = [decode(value)[1] for _, value in records(out)]
    assert [(d.channels, d.height, d.width, d.label, d.data) for d in found] == expected


def test_a_leveldb_of_the_genuine_tool(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("plyvel")
    if not has_tool("convert_imageset"):
        pytest.skip("this Caffe has no convert_imageset")
    monkeypatch.chdir(tmp_path)
    rng = np.random.RandomState(0)
    pictures = rng.randint(0, 256, (5, 6, 7, 3)).astype(np.uint8)
    for i, picture in enumerate(pictures):
        write_image(tmp_path / f"{i}.png", picture)
    Path("list.txt").write_text("".join(f"{i}.png {i * 3}\n" for i in range(5)))
    run_caffe("--backend=leveldb", f"{tmp_path}/", "list.txt", "db", tool="convert_imageset")
    Path("net.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "x" top: "n" '
        'data_param { source: "db" batch_size: 5 } }'
    )
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.forward()
    np.testing.assert_array_equal(net.blobs["x"].data, pictures.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(net.blobs["n"].data, np.arange(5) * 3)


def test_hdf5_output_is_what_genuine_caffe_writes(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    fillers = " ".join(f"data_filler {{ value: {value} }}" for value in (3, 2))
    Path("net.prototxt").write_text(
        'layer { name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param { '
        f"{fillers} shape {{ dim: 3 dim: 2 }} shape {{ dim: 3 }} }} }}\n"
        'layer { name: "s" type: "Scale" bottom: "x" top: "x" }\n'
        'layer { name: "o" type: "HDF5Output" bottom: "x" bottom: "y" '
        'hdf5_output_param { file_name: "out.h5" } }\n'
    )

    def written() -> dict[str, tuple[np.dtype, list]]:
        with h5py.File("out.h5", "r") as file:
            return {name: (data.dtype, data[...].tolist()) for name, data in file.items()}

    net = caffe.Net("net.prototxt", caffe.TEST)
    net.save("weights.caffemodel")
    net.forward()
    ours = written()
    files = ("-model", "net.prototxt", "-weights", "weights.caffemodel")
    run_caffe("test", *files, "-iterations", "1")
    assert ours == written()


@pytest.mark.slow
def test_genuine_caffe_runs_the_paper_profile(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    prepare(tmp_path, "png", "paper", 2)
    theirs = losses(run_caffe("train", "-solver", "solver.prototxt"))
    solver = caffe.get_solver("solver.prototxt")
    solver.step(1)
    assert solver._core.smoothed_loss == pytest.approx(theirs[0], rel=2e-4)


@pytest.mark.parametrize(
    "profile", [pytest.param("paper", marks=pytest.mark.slow), "quick", "better"]
)
def test_building_is_logged_line_by_line(profile: str, tmp_path: Path, monkeypatch, capfd) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLOG_minloglevel", "0")
    prepare(tmp_path, "png", profile, 1)
    net, solver = read_net("train_val.prototxt"), read_solver("solver.prototxt")
    for layer in net.layer:
        if layer.type == "Data":
            layer.data_param.batch_size = 2
    write_prototxt(tmp_path / "train_val.prototxt", net)
    solver.lr_policy, solver.max_iter, solver.test_iter[:] = "fixed", 0, [1]
    write_prototxt(tmp_path / "solver.prototxt", solver)
    for words in (
        ["train", "-solver", "solver.prototxt"],
        ["time", "-model", "deploy.prototxt", "-iterations", "1"],
        ["time", "-model", lenet.MODEL, "-iterations", "1", "-phase", "TEST"],
    ):
        theirs = building(run_caffe(*words))
        assert main(words) == 0
        assert building(capfd.readouterr().err) == theirs


WINDOWS = """
name: "windows"
layer {{ name: "data" type: "HDF5Data" top: "data"
        hdf5_data_param {{ source: "list.txt" batch_size: 1 }} }}
layer {{ name: "top" type: "{type}" bottom: "data" top: "top"
        {param} {{ kernel_size: {kernel} stride: {stride} pad: {pad} {rest} }} }}
"""
CONVOLUTION = 'num_output: 1 weight_filler { type: "constant" value: 1 }'


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 2), (2, 5)])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [(2, 2, 0), (3, 2, 0), (5, 4, 0), (5, 3, 1)])
@pytest.mark.parametrize(
    ("type_name", "param", "rest"),
    [
        ("Pooling", "pooling_param", "pool: MAX"),
        ("Pooling", "pooling_param", "pool: AVE"),
        ("Convolution", "convolution_param", CONVOLUTION),
    ],
)
def test_windows_larger_than_their_bottom(
    type_name: str,
    param: str,
    rest: str,
    kernel: int,
    stride: int,
    pad: int,
    height: int,
    width: int,
    tmp_path: Path,
    monkeypatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with h5py.File("data.h5", "w") as file:
        values = np.arange(1, height * width + 1, dtype=np.float32)
        file["data"] = values.reshape(1, 1, height, width)
    Path("list.txt").write_text("data.h5\n")
    Path("net.prototxt").write_text(
        WINDOWS.format(
            type=type_name, param=param, kernel=kernel, stride=stride, pad=pad, rest=rest
        )
    )
    if kernel - 2 * pad - min(height, width) >= stride:
        # Genuine Caffe makes an empty blob or a negative shape of it.
        with pytest.raises(InputError, match="does not fit"):
            caffe.Net("net.prototxt", caffe.TEST)
        return
    net = caffe.Net("net.prototxt", caffe.TEST)
    net.save("w.caffemodel")
    arguments = ["-model", "net.prototxt", "-weights", "w.caffemodel", "-iterations", "1"]
    theirs = re.findall(r"Batch 0, top = (\S+)", run_caffe("test", *arguments))
    np.testing.assert_allclose(net.forward()["top"].ravel(), [float(x) for x in theirs], rtol=1e-5)


@pytest.mark.parametrize(
    # Genuine Caffe takes that pad for -1.
    "name",
    [name for name in (*RULES, *SIZES) if name != "a pad above INT_MAX"],
)
def test_nets_that_genuine_caffe_does_not_build(name: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.prototxt").write_text({**RULES, **SIZES}[name][0])
    arguments = ("time", "-model", "net.prototxt", "-iterations", "1")
    process = subprocess.run([str(CAFFE), *arguments], capture_output=True, check=False)
    assert process.returncode != 0


def test_caffes_other_programs_write_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_tool("convert_imageset"):
        pytest.skip("this Caffe has no other programs")
    record = recorder()
    found = {}
    for whose in ("ours", "theirs"):
        folder = tmp_path / whose
        record.write_inputs(folder, caffe_pb2)
        monkeypatch.chdir(folder)
        for command in record.COMMANDS:
            name, *words = command.split()
            if whose == "theirs":
                run_caffe(*words, tool=name)
            else:
                assert main([name, *words]) == 0, command
        found[whose] = record.summary(folder, caffe_pb2)
    assert_same(found["ours"], found["theirs"])
