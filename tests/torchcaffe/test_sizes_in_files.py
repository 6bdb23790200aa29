"""Sizes that files declare are checked before memory is asked for; pipes are not waited for."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import h5py
import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe import sizes
from i2cnn.torchcaffe.data import encoded
from i2cnn.torchcaffe.data.encoded import decode_picture
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import read_dataset, read_mean, read_state, read_weights
from i2cnn.torchcaffe.proto import BlobProto, Datum, LayerParameter, NetParameter
from i2cnn.util.errors import InputError
from tests.helpers.caffe_files import write_lmdb
from tests.helpers.golden import GOLDEN
from tests.helpers.refused_nets import layer


def png(width: int, height: int) -> bytes:
    """A PNG that declares this size and holds a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    content = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
    return b"\x89PNG\r\n\x1a\n" + content + chunk(b"IEND", b"")


def jpeg(width: int, height: int, more: bytes = b"") -> bytes:
    """A JPEG whose header lies about its size, with `more` before its first marker."""
    data = bytearray(cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    place = data.index(b"\xff\xc0") + 5
    data[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(data[:2]) + more + bytes(data[2:])


def bmp(width: int, height: int) -> bytes:
    """The same as a BMP, which is not one of the formats that are looked at by hand."""
    data = bytearray(cv2.imencode(".bmp", np.zeros((8, 8, 3), np.uint8))[1].tobytes())
    data[18:26] = struct.pack("<ii", width, height)
    return bytes(data)


#: What libjpeg skips before a marker: a fill byte, no marker, markers without a content.
SKIPPED = (b"\xff", b"\xff\0", b"\xff\1", b"\xff\xd0x")


@pytest.mark.parametrize("more", SKIPPED)
def test_a_jpeg_that_is_decoded_has_a_size(more: bytes) -> None:
    data = jpeg(8, 8, more)
    assert encoded._declared_size(data) == (8, 8)
    assert decode_picture(data, cv2.IMREAD_COLOR).shape == (8, 8, 3)


@pytest.mark.parametrize(
    "data", [png(1000000, 1000000), png(30000, 20000), jpeg(65000, 65000), bmp(30000, 30000)]
)
def test_a_picture_that_declares_too_much_is_not_decoded(data: bytes, monkeypatch) -> None:
    monkeypatch.setattr(cv2, "imdecode", lambda *_: pytest.fail("decoded"))
    with pytest.raises(InputError, match=r"declares|limit"):
        decode_picture(data, cv2.IMREAD_COLOR)


def test_a_picture_above_the_memory_is_not_decoded(monkeypatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 2**26)
    data = cv2.imencode(".webp", np.zeros((4000, 4000, 3), np.uint8))[1].tobytes()
    with pytest.raises(InputError, match=r"a picture of 4000x4000 would take"):
        decode_picture(data, cv2.IMREAD_COLOR)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm"])
def test_pictures_are_decoded_as_before(suffix: str) -> None:
    image = np.random.RandomState(0).randint(0, 255, (9, 7, 3), np.uint8)
    data = cv2.imencode(suffix, image)[1]
    expected = cv2.imdecode(data, cv2.IMREAD_COLOR)
    found = decode_picture(data.tobytes(), cv2.IMREAD_COLOR)
    assert found is not None
    np.testing.assert_array_equal(found, expected)


DATA = layer("Data", "", "x", 'data_param { source: "db" batch_size: 2 backend: LMDB }')


@pytest.mark.parametrize(
    ("datum", "message"),
    [
        (Datum(encoded=True, data=png(1000000, 1000000)), "encoded image that declares 1000000x"),
        (Datum(channels=-1, height=-2, width=3, data=b"abcdef"), r"declares \(-1, -2, 3\)"),
        (Datum(channels=2**31 - 1, height=2**31 - 1, width=9, data=b"a"), "holds 1 numbers, not"),
        (Datum(channels=0, height=2, width=3), r"declares \(0, 2, 3\)"),
    ],
)
def test_sizes_of_a_datum_are_checked(datum: Datum, message: str, folder: Path) -> None:
    write_lmdb("db", [datum])
    Path("net.prototxt").write_text(DATA)
    with pytest.raises(InputError, match=message):
        caffe.Net("net.prototxt", caffe.TEST)


def test_a_batch_above_caffes_limit_is_refused(folder: Path) -> None:
    write_lmdb("db", [Datum(channels=1, height=1, width=1, data=b"a")])
    Path("net.prototxt").write_text(DATA.replace("batch_size: 2", "batch_size: 4000000000"))
    with pytest.raises(InputError, match=r"'it'.*\(4000000000, 1, 1, 1\) has more numbers"):
        caffe.Net("net.prototxt", caffe.TEST)


HDF5 = layer("HDF5Data", "", "x", 'hdf5_data_param { source: "list" batch_size: 2 }')


def test_a_chunked_data_set_is_not_believed(folder: Path) -> None:
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("x", (2, 10**10), "f4", chunks=(1, 1024))
    Path("list").write_text("a.h5\n")
    Path("net.prototxt").write_text(HDF5)
    with pytest.raises(InputError, match=r"a\.h5 cannot be read.*more numbers than Caffe's limit"):
        caffe.Net("net.prototxt", caffe.TEST)


@pytest.mark.parametrize("shape", [(2, 10**10), (10**9,)])
def test_hdf5_weights_are_not_believed(shape: tuple[int, ...], folder: Path, monkeypatch) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 2**30)
    with h5py.File("a.caffemodel.h5", "w") as file:
        file.create_dataset("data/fc/0", shape, "f4", chunks=True)
    with pytest.raises(InputError, match=r"a\.caffemodel\.h5.*(limit|would take)"):
        read_weights("a.caffemodel.h5")


@pytest.mark.parametrize(
    ("chunks", "fits"), [(None, True), ((2, 2**16), True), ((2, 10**7), False)]
)
def test_a_data_set_may_take_the_memory_but_for_a_chunk(
    chunks: tuple[int, int] | None, fits: bool, folder: Path, monkeypatch
) -> None:
    monkeypatch.setattr(sizes, "free_memory", lambda: 10**8)
    with h5py.File("a.h5", "w") as file:
        dataset = file.create_dataset("x", (2, 10**7), "f4", chunks=chunks)
        if fits:
            assert read_dataset(dataset).shape == (2, 10**7)
            return
        with pytest.raises(InputError, match=r"data set /x would take 0\.2 GB"):
            read_dataset(dataset)


@pytest.mark.parametrize("name", ["iter", "current_step", "learned_net"])
def test_single_values_of_hdf5_states_are_single(name: str, folder: Path) -> None:
    path = Path("a.solverstate.h5")
    path.write_bytes((GOLDEN / "snapshots/sgd_h5_iter_20.solverstate.h5").read_bytes())
    with h5py.File(path, "a") as file:
        del file[name]
        file.create_dataset(name, (10**10,), "i4", chunks=True)
    with pytest.raises(InputError, match=f"a.solverstate.h5.*{name} is not a single value"):
        read_state(path)


@pytest.mark.parametrize(
    "dims", [[-2, -1], [2**40, 2**40], [1] * 33, [2**63 - 1, 2], [2**31]], ids=str
)
def test_shapes_of_weights_are_checked(dims: list[int], folder: Path) -> None:
    blob = BlobProto(data=[1, 2])
    blob.shape.dim.extend(dims)
    net = NetParameter(layer=[LayerParameter(name="fc", blobs=[blob])])
    Path("a.caffemodel").write_bytes(net.SerializeToString())
    with pytest.raises(InputError, match=r"a\.caffemodel: damaged \("):
        read_weights("a.caffemodel")
    with pytest.raises(ValueError, match=r"limit|negative|axes"):
        caffe.io.blobproto_to_array(blob)


@pytest.mark.parametrize(
    "read",
    [read_weights, read_state, read_mean, lambda path: caffe.io.load_image(path)],
)
@pytest.mark.parametrize("name", ["x", "x.h5"])
def test_a_pipe_is_refused(read: Callable[[Path], object], name: str, folder: Path) -> None:
    os.mkfifo(name)
    with pytest.raises(InputError, match=rf"{name}: is not a regular file|File not found: {name}"):
        read(Path(name))


@pytest.mark.parametrize(
    "text",
    [
        layer("HDF5Data", "", "x", 'hdf5_data_param { source: "pipe" batch_size: 2 }'),
        HDF5,
        layer("ImageData", "", "x y", 'image_data_param { source: "pipe" batch_size: 2 }'),
        layer("ImageData", "", "x y", 'image_data_param { source: "list" batch_size: 2 }'),
    ],
)
def test_a_pipe_as_a_layers_file_is_refused(text: str, folder: Path) -> None:
    os.mkfifo("pipe")
    Path("list").write_text("pipe\n" if "HDF5" in text else "pipe 0\n")
    Path("net.prototxt").write_text(text)
    with pytest.raises(InputError, match=r"pipe.* is not a regular file"):
        caffe.Net("net.prototxt", caffe.TEST)


def test_a_prototxt_may_be_a_pipe_but_not_a_device(folder: Path) -> None:
    with pytest.raises(InputError, match=r"^/dev/zero: is a device"):
        read_net("/dev/zero")
    reading, writing = os.pipe()
    os.write(writing, b'name: "x"')
    os.close(writing)
    assert read_net(f"/dev/fd/{reading}").name == "x"
    os.close(reading)


def test_a_padding_layer_of_old_nets_has_a_bottom_and_a_top(folder: Path) -> None:
    Path("net.prototxt").write_text('layers { layer { name: "p" type: "padding" pad: 1 } }')
    with pytest.raises(InputError, match="'p': padding has one bottom and one top"):
        read_net("net.prototxt")
