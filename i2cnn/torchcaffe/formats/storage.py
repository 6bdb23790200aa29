"""Caffe's binary files: .caffemodel, .solverstate, .binaryproto, as protobuf or HDF5."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
from google.protobuf.message import DecodeError, Message

from i2cnn.torchcaffe.errors import CaffeError, CaffeValueError, MissingFileError, reading
from i2cnn.torchcaffe.formats.upgrade import upgrade_net
from i2cnn.torchcaffe.proto import BlobProto, NetParameter, SolverState
from i2cnn.torchcaffe.sizes import BYTES, check_memory, check_shape
from i2cnn.util.arrays import Float32Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path, begins_with, check_regular

M = TypeVar("M", bound=Message)
#: Name of a layer, its parameters by number, often none, and their diffs where they are stored.
StoredLayer = tuple[str, dict[int, Float32Array], dict[int, Float32Array]]

#: Protobuf cannot write or read messages from this size on.
_PROTOBUF_LIMIT = 2**31
#: Bytes of a file's name in an HDF5 file.
_LONGEST_NAME = 2**16


def array_from(blob: BlobProto, diff: bool = False) -> Float32Array:
    """Contents (or gradient) of a BlobProto, float32, in its shape (the old four dimensions too).

    Raises
    ------
    InputError
        The shape and the count of numbers differ, or Caffe can have no such shape.
    """
    single, double = (blob.diff, blob.double_diff) if diff else (blob.data, blob.double_data)
    values = np.array(double if double else single, np.float32)
    shape = shape_of(blob)
    try:
        check_shape(shape)
    except InputError as error:
        raise CaffeValueError(str(error)) from None
    if values.size != math.prod(shape):
        raise CaffeValueError(f"a blob of shape {shape} holds {values.size} numbers")
    return values.reshape(shape)


def shape_of(blob: BlobProto) -> tuple[int, ...]:
    """Shape of a BlobProto; () for a scalar."""
    if any(blob.HasField(name) for name in ("num", "channels", "height", "width")):
        return blob.num, blob.channels, blob.height, blob.width
    return tuple(blob.shape.dim)


def to_blobproto(array: Float32Array, diff: Float32Array | None = None) -> BlobProto:
    """BlobProto of an array, with its gradient if given."""
    blob = BlobProto()
    if np.ndim(array):
        blob.shape.dim.extend(np.shape(array))
    _put_floats(blob, BlobProto.DATA_FIELD_NUMBER, array)
    if diff is not None:
        _put_floats(blob, BlobProto.DIFF_FIELD_NUMBER, diff)
    return blob


def _put_floats(message: Message, field: int, array: Float32Array) -> None:
    """Fill a packed field from memory: adding one by one takes seconds for a large layer."""
    content = np.ascontiguousarray(array, "<f4").tobytes()
    if len(content) >= _PROTOBUF_LIMIT:
        raise CaffeError(
            f"a blob of shape {np.shape(array)} is larger than the 2 GB that protobuf can hold; "
            "use snapshot_format: HDF5"
        )
    message.MergeFromString(_varint(field << 3 | 2) + _varint(len(content)) + content)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def _read_message(path: Path, message: M, what: str) -> M:
    with reading(path):
        check_regular(path)
        if path.stat().st_size >= _PROTOBUF_LIMIT:
            raise CaffeError(f"{path}: larger than the 2 GB that protobuf can read; use HDF5")
        content = path.read_bytes()
    if not content:
        raise CaffeError(f"{path}: the file is empty; {what} is expected here")
    try:
        message.ParseFromString(content)
    except DecodeError:
        raise CaffeError(f"{path}: damaged, or not {what}") from None
    return message


def _write_message(path: Path, message: Message) -> None:
    if message.ByteSize() >= _PROTOBUF_LIMIT:
        raise CaffeError(
            f"{path}: larger than the 2 GB that protobuf can write; use snapshot_format: HDF5"
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(message.SerializeToString())


def read_blob(path: str | Path, what: str) -> Float32Array:
    """Array of a .binaryproto file, float32; `what` it should be is for errors."""
    path = Path(path)
    blob = _read_message(path, BlobProto(), f"{what} (.binaryproto)")
    try:
        return array_from(blob)
    except InputError as error:
        raise CaffeError(f"{path}: damaged, or not {what} ({error})") from None


def read_mean(path: str | Path) -> Float32Array:
    """Mean image of a .binaryproto file, float32 (C, H, W)."""
    mean = read_blob(path, "a mean image")
    mean = mean[0] if mean.ndim == 4 and mean.shape[0] == 1 else mean
    if mean.ndim != 3 or mean.size == 0:
        raise CaffeError(f"{path}: not a mean image; its shape is {mean.shape}, not (C, H, W)")
    return mean


def write_mean(path: str | Path, mean: Float32Array) -> None:
    """Write a mean image (C, H, W) as compute_image_mean does (the old four dimensions)."""
    blob = BlobProto(num=1, channels=mean.shape[0], height=mean.shape[1], width=mean.shape[2])
    _put_floats(blob, BlobProto.DATA_FIELD_NUMBER, mean)
    _write_message(Path(path), blob)


# Weights ------------------------------------------------------------------------------------------


def is_hdf5(path: Path) -> bool:
    """True for files with HDF5's signature or Caffe's .h5 suffix."""
    return path.suffix == ".h5" or begins_with(path, b"\x89HDF\r\n\x1a\n")


def read_weights(path: str | Path) -> dict[str, list[Float32Array]]:
    """Parameters by layer name of a .caffemodel or .caffemodel.h5 file, old formats too."""
    return {name: list(arrays.values()) for name, arrays, _ in read_layers(path) if arrays}


def read_net_binary(path: str | Path) -> NetParameter:
    """Message of a .caffemodel, or of a net in binary form, as it is there: not upgraded."""
    return _read_message(Path(path), NetParameter(), "a .caffemodel")


def read_layers(path: str | Path) -> list[StoredLayer]:
    """Layers of a .caffemodel or .caffemodel.h5 file.

    In HDF5 Caffe leaves out the parameters that a layer shares with an earlier one, and does not
    read diffs.

    Raises
    ------
    InputError
        The file is missing, damaged or of another kind.
    """
    path = Path(path)
    if is_hdf5(path):
        with _open_hdf5(path, "a Caffe model") as file:
            return _read_groups(file["data"])
    net = upgrade_net(read_net_binary(path), str(path), for_weights=True)
    if not net.layer:
        raise CaffeError(f"{path}: not a .caffemodel; it has no layers")
    try:
        return [
            (
                layer.name,
                {i: array_from(blob) for i, blob in enumerate(layer.blobs)},
                {
                    i: array_from(blob, diff=True)
                    for i, blob in enumerate(layer.blobs)
                    if blob.diff or blob.double_diff
                },
            )
            for layer in net.layer
        ]
    except InputError as error:
        raise CaffeError(f"{path}: damaged ({error})") from None


def _read_groups(data: h5py.Group) -> list[StoredLayer]:
    """Layers of an HDF5 file; one whose name has a slash is a group within a group."""
    layers: dict[str, dict[int, Float32Array]] = {}

    def visit(path: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            layer, _, number = path.rpartition("/")
            layers.setdefault(layer, {})[int(number)] = read_dataset(item)
        elif not len(item):
            layers[path] = {}

    data.visititems(visit)
    return [(name, dict(sorted(arrays.items())), {}) for name, arrays in layers.items()]


def check_binary_size(numbers: int, source: str) -> None:
    """Refuse snapshots of so many numbers that protobuf cannot hold them.

    Raises
    ------
    InputError
        Names `source`, the solver file.
    """
    if numbers * BYTES >= _PROTOBUF_LIMIT:
        raise CaffeError(
            f"{source}: a snapshot of {numbers * BYTES / 1e9:.1f} GB is larger than the 2 GB that "
            "protobuf can write; use snapshot_format: HDF5"
        )


def write_weights(path: str | Path, net: NetParameter) -> None:
    """Write a NetParameter with its blobs as a .caffemodel."""
    _write_message(Path(path), net)


def write_weights_hdf5(
    path: str | Path,
    params: Mapping[str, Mapping[int, Float32Array]],
    diffs: Mapping[str, Mapping[int, Float32Array]] | None = None,
) -> None:
    """Write parameters by layer name and number in Caffe's HDF5 layout (groups data and diff)."""
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        for group, values in (("data", params), ("diff", diffs)):
            if values is None:
                continue
            top = file.create_group(group)
            for name, arrays in values.items():
                layer = top.require_group(name)  # "a" may be there because of "a/b"
                for i, array in arrays.items():
                    layer.create_dataset(str(i), data=np.asarray(array, np.float32))


@contextmanager
def _open_hdf5(path: Path, what: str) -> Iterator[h5py.File]:
    if not path.exists():
        raise MissingFileError(f"File not found: {path}")
    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        # HDF5 gives the system's own errors a number: no permission, or locked by a program.
        reason = f"cannot be read ({os.strerror(error.errno)})" if error.errno else ""
        raise CaffeError(f"{path}: {reason or 'damaged, or not an HDF5 file'}") from None
    except (AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise CaffeError(f"{path}: damaged, or not {what} ({error})") from None


def read_dataset(dataset: h5py.Dataset) -> Float32Array:
    """Numbers of an HDF5 data set, float32.

    Raises
    ------
    InputError
        It is larger than Caffe's limits or the memory.
    ValueError
        It holds no numbers.
    """
    if (
        not isinstance(dataset, h5py.Dataset)
        or dataset.shape is None
        or dataset.dtype.kind in "OSUV"
    ):
        raise ValueError(f"{dataset.name} is not a data set of numbers")
    check_shape(dataset.shape)
    # HDF5 converts in pieces, but holds a whole chunk of its own.
    chunk = math.prod(dataset.chunks or (0,)) * dataset.dtype.itemsize
    check_memory(dataset.size + chunk // BYTES, f"its data set {dataset.name}")
    return np.asarray(dataset, np.float32)


def _single(dataset: h5py.Dataset) -> Any:
    """The one value of an HDF5 data set; ValueError if there are others."""
    if dataset.size != 1 or dataset.dtype.itemsize > _LONGEST_NAME:
        raise ValueError(f"{dataset.name} is not a single value")
    return np.asarray(dataset).item()


# Solver states ------------------------------------------------------------------------------------


@dataclass
class State:
    """Contents of a .solverstate: the iteration, where the weights are, the histories."""

    iteration: int
    learned_net: str
    history: list[Float32Array]
    current_step: int


def read_state(path: str | Path) -> State:
    """Read a .solverstate or .solverstate.h5 file."""
    path = Path(path)
    if is_hdf5(path):
        with _open_hdf5(path, "a solver state") as file:
            history = file["history"]
            return State(
                int(_single(file["iter"])),
                _text(_single(file["learned_net"])),
                [read_dataset(history[str(i)]) for i in range(len(history))],
                int(_single(file["current_step"])),
            )
    state = _read_message(path, SolverState(), "a .solverstate")
    if not (state.HasField("iter") and state.HasField("learned_net")):
        raise CaffeError(f"{path}: not a solver state; it has no iteration or names no model")
    try:
        history = [array_from(blob) for blob in state.history]
        return State(state.iter, _text(state.learned_net), history, state.current_step)
    except InputError as error:
        raise CaffeError(f"{path}: damaged ({error})") from None


def _text(value: object) -> str:
    """A path; protobuf and HDF5 give bytes where it is no UTF-8."""
    value = value.item() if isinstance(value, np.ndarray) else value
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    if "\0" in text:
        raise CaffeError(f"a file cannot be named {text!r}")
    return text


def write_state(path: str | Path, state: State, hdf5: bool) -> None:
    """Write a solver state in Caffe's binary or HDF5 layout."""
    if not hdf5:
        message = SolverState(
            iter=state.iteration, learned_net=state.learned_net, current_step=state.current_step
        )
        message.history.extend(to_blobproto(array) for array in state.history)
        _write_message(Path(path), message)
        return
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("iter", data=np.array([state.iteration], np.int32))
        name = os.fsencode(state.learned_net)
        # Caffe reads it as a C string: the byte after the last one must be there, and 0.
        file.create_dataset("learned_net", data=np.array(name, f"S{len(name) + 1}"))
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        group = file.create_group("history")
        for i, array in enumerate(state.history):
            group.create_dataset(str(i), data=np.asarray(array, np.float32))
