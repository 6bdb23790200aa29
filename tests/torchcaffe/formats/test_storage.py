"""Caffe's binary files: byte for byte as genuine Caffe writes them; bad ones are refused."""

from __future__ import annotations

import errno
from pathlib import Path

import h5py
import numpy as np
import pytest

from i2cnn.torchcaffe.formats import storage
from i2cnn.torchcaffe.formats.storage import (
    State,
    array_from,
    read_layers,
    read_mean,
    read_state,
    read_weights,
    to_blobproto,
    write_mean,
    write_state,
    write_weights,
    write_weights_hdf5,
)
from i2cnn.torchcaffe.proto import BlobProto, NetParameter
from i2cnn.util.errors import InputError

GOLDEN = Path(__file__).parents[2] / "golden"
SNAPSHOTS = GOLDEN / "snapshots"


@pytest.mark.parametrize("path", sorted(SNAPSHOTS.glob("*.solverstate")), ids=lambda p: p.name)
def test_solver_states_are_written_byte_for_byte_as_caffe_does(tmp_path, path):
    state = read_state(path)
    assert state.learned_net.endswith(".caffemodel")
    assert state.iteration in (10, 20)
    copy = tmp_path / path.name
    write_state(copy, state, hdf5=False)
    assert copy.read_bytes() == path.read_bytes()
    assert list(tmp_path.iterdir()) == [copy]


@pytest.mark.parametrize("path", sorted(SNAPSHOTS.glob("*.caffemodel")), ids=lambda p: p.name)
def test_models_are_written_byte_for_byte_as_caffe_does(tmp_path, path):
    net = NetParameter.FromString(path.read_bytes())
    arrays = read_weights(path)
    for layer in net.layer:
        for i, blob in enumerate(layer.blobs):
            layer.blobs[i].CopyFrom(to_blobproto(arrays[layer.name][i]))
            assert array_from(blob).shape == tuple(blob.shape.dim)
    copy = tmp_path / path.name
    write_weights(copy, net)
    assert copy.read_bytes() == path.read_bytes()


def test_weights_of_a_golden_run():
    expected = np.load(GOLDEN / "sgd.npz", allow_pickle=False)
    weights = read_weights(SNAPSHOTS / "sgd_iter_20.caffemodel")
    compared = 0
    for name, blobs in weights.items():
        for i, blob in enumerate(blobs):
            # The trace and the snapshot were recorded with different BLAS kernels.
            reference = expected[f"w020/{name}.{i}"]
            np.testing.assert_allclose(blob, reference, rtol=0, atol=1e-5 * abs(reference).max())
            compared += 1
    assert compared == 8


def layout(path: Path) -> dict[str, tuple]:
    """Names, types and shapes in an HDF5 file; groups without contents left out."""
    found: dict[str, tuple] = {}

    def visit(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype, item.shape)

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def test_hdf5_snapshots_have_caffes_layout(tmp_path):
    for name in ("sgd_h5_iter_20.solverstate.h5", "sgd_h5_iter_20.caffemodel.h5"):
        path, copy = SNAPSHOTS / name, tmp_path / name
        if "solverstate" in name:
            write_state(copy, read_state(path), hdf5=True)
        else:
            write_weights_hdf5(copy, {name: arrays for name, arrays, _ in read_layers(path)})
        assert layout(copy) == layout(path)
        with h5py.File(copy) as mine, h5py.File(path) as genuine:
            for key in layout(path):
                np.testing.assert_array_equal(mine[key][()], genuine[key][()])


def test_hdf5_and_binary_snapshots_hold_the_same_run():
    state = read_state(SNAPSHOTS / "sgd_h5_iter_20.solverstate.h5")
    binary = read_state(SNAPSHOTS / "sgd_iter_20.solverstate")
    assert state.learned_net == "out/sgd_h5_iter_20.caffemodel.h5"
    assert (state.iteration, state.current_step) == (20, 3)
    for mine, other in zip(state.history, binary.history, strict=True):
        # Recorded with different BLAS kernels.
        np.testing.assert_allclose(mine, other, rtol=0, atol=1e-5 * abs(other).max())


def test_hdf5_path_is_a_terminated_c_string(tmp_path):
    write_state(tmp_path / "s.h5", State(1, "abc", [], 0), hdf5=True)
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["learned_net"].id.get_type().get_size() == 4
    assert read_state(tmp_path / "s.h5").learned_net == "abc"


def test_diffs_are_stored_when_asked_for(tmp_path):
    data = np.arange(6, dtype=np.float32).reshape(2, 3)
    blob = to_blobproto(data, -data)
    np.testing.assert_array_equal(array_from(blob), data)
    np.testing.assert_array_equal(array_from(blob, diff=True), -data)
    write_weights_hdf5(tmp_path / "d.h5", {"a": {0: data}}, {"a": {0: -data}})
    assert set(layout(tmp_path / "d.h5")) == {"data/a/0", "diff/a/0"}


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 1, 4), (1, 2, 3, 4, 5)])
def test_blobs_of_any_shape(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    np.testing.assert_array_equal(array_from(to_blobproto(values)), values)


def test_blobs_in_double_precision_are_read_as_float32() -> None:
    double = BlobProto(double_data=[0.5, 1.5])
    double.shape.dim.extend([2, 1])
    np.testing.assert_array_equal(array_from(double), np.float32([[0.5], [1.5]]))


def test_a_transposed_array_is_stored_in_its_own_order() -> None:
    transposed = np.arange(6, dtype=np.float64).reshape(2, 3).T
    np.testing.assert_array_equal(array_from(to_blobproto(transposed)), transposed)


def test_a_blob_whose_shape_and_numbers_differ_is_refused() -> None:
    wrong = BlobProto(data=[1, 2, 3])
    wrong.shape.dim.extend([2, 2])
    with pytest.raises(InputError, match=r"shape \(2, 2\) holds 3 numbers"):
        array_from(wrong)


def test_mean_image(tmp_path):
    mean = read_mean(GOLDEN / "mean.binaryproto")
    assert (mean.shape, mean.dtype) == ((3, 24, 24), np.float32)
    write_mean(tmp_path / "mean.binaryproto", mean)
    copy = (tmp_path / "mean.binaryproto").read_bytes()
    assert copy == (GOLDEN / "mean.binaryproto").read_bytes()


READERS = {"mean": read_mean, "weights": read_weights, "state": read_state}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_files_that_are_something_else(tmp_path, reader):
    own = {read_mean: "mean", read_weights: ".caffemodel", read_state: ".solverstate"}[reader]
    damaged = tmp_path / "damaged"
    damaged.write_bytes((SNAPSHOTS / "sgd_iter_10.caffemodel").read_bytes()[:-40])
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text('name: "a"\n')
    h5 = tmp_path / "other.h5"
    with h5py.File(h5, "w") as file:
        file["x"] = 1
    broken = tmp_path / "broken.h5"
    broken.write_bytes((SNAPSHOTS / "sgd_h5_iter_20.solverstate.h5").read_bytes()[:3000])
    others = [
        GOLDEN / "mean.binaryproto",
        SNAPSHOTS / "sgd_iter_10.caffemodel",
        SNAPSHOTS / "sgd_iter_10.solverstate",
        *tmp_path.iterdir(),
        tmp_path / "missing",
        tmp_path,
    ]
    refused = 0
    for path in others:
        if own in path.name:
            continue
        with pytest.raises(InputError) as caught:
            reader(path)
        assert str(path) in str(caught.value)
        refused += 1
    assert refused == 9


def test_a_model_beyond_protobufs_limit_is_not_read(tmp_path: Path) -> None:
    huge = tmp_path / "huge.caffemodel"
    with open(huge, "wb") as file:
        file.truncate(2**31)
    with pytest.raises(InputError, match="larger than the 2 GB"):
        read_weights(huge)


def test_a_model_beyond_protobufs_limit_is_not_written(tmp_path: Path, monkeypatch) -> None:
    net = NetParameter.FromString((SNAPSHOTS / "sgd_iter_10.caffemodel").read_bytes())
    monkeypatch.setattr(storage, "_PROTOBUF_LIMIT", 1000)
    with pytest.raises(InputError, match="snapshot_format: HDF5"):
        write_weights(tmp_path / "out.caffemodel", net)
    assert not list(tmp_path.iterdir())


def test_a_blob_beyond_protobufs_limit_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(storage, "_PROTOBUF_LIMIT", 1000)
    with pytest.raises(InputError, match=r"shape \(500,\) is larger"):
        to_blobproto(np.zeros(500))


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(InputError, match=r"mean\.binaryproto: cannot be written .*No space"):
        write_mean(path, np.zeros((1, 2, 2)))
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [b"\xff.caffemodel", b"a\0.caffemodel"])
def test_the_models_name_in_a_solver_state_may_be_no_text(name: bytes, tmp_path: Path) -> None:
    """Found by the fuzzer: protobuf gives bytes, and no file has a NUL in its name."""
    content = (SNAPSHOTS / "sgd_iter_10.solverstate").read_bytes()
    old = read_state(SNAPSHOTS / "sgd_iter_10.solverstate").learned_net.encode()
    path = tmp_path / "x.solverstate"
    path.write_bytes(content.replace(old, name.ljust(len(old), b"x")))
    if b"\0" in name:
        with pytest.raises(InputError, match=r"x\.solverstate: damaged \(a file cannot be named"):
            read_state(path)
    else:
        assert read_state(path).learned_net.startswith("\udcff.caffemodel")


def test_an_hdf5_file_that_is_locked_is_not_called_damaged(tmp_path: Path, monkeypatch) -> None:
    def locked(*_: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Unable to synchronously open file (...)")

    monkeypatch.setattr(storage.h5py, "File", locked)
    path = tmp_path / "x.caffemodel.h5"
    path.touch()
    with pytest.raises(InputError, match=r"cannot be read .Resource temporarily unavailable"):
        read_weights(path)


@pytest.mark.parametrize("suffix", ["caffemodel", "solverstate"])
def test_damage_inside_an_hdf5_file_is_named(suffix: str, tmp_path: Path) -> None:
    """Found by the fuzzer: h5py raises RuntimeError for a damaged group."""
    content = (SNAPSHOTS / f"sgd_h5_iter_20.{suffix}.h5").read_bytes()
    path = tmp_path / f"x.{suffix}.h5"
    path.write_bytes(content.replace(b"TREE", b"TREF").replace(b"SNOD", b"SNOX"))
    with pytest.raises(InputError, match=rf"x\.{suffix}\.h5: damaged"):
        (read_weights if suffix == "caffemodel" else read_state)(path)
