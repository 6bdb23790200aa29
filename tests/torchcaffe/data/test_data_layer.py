"""The Data layer on databases it cannot use, odd records, and its place after resuming."""

from __future__ import annotations

import gc
import io
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import lmdb
import numpy as np
import pytest
from PIL import Image

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.data import records as lmdb_records
from i2cnn.torchcaffe.data.reader import CachingReader
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.errors import InputError
from tests.helpers.caffe_files import write_lmdb


def raw(image: np.ndarray, label: int = 0) -> Datum:
    c, h, w = image.shape
    return Datum(channels=c, height=h, width=w, data=image.tobytes(), label=label)


def encoded(image: np.ndarray, suffix: str = ".png") -> Datum:
    return Datum(data=cv2.imencode(suffix, image)[1].tobytes(), encoded=True)


def net(transform: str = "", source: str = "db", batch: int = 2) -> caffe.Net:
    Path("net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f"transform_param {{ {transform} }} "
        f'data_param {{ source: "{source}" batch_size: {batch} backend: LMDB }} }}'
    )
    return caffe.Net("net.prototxt", caffe.TEST)


IMAGE = np.arange(2 * 4 * 5, dtype=np.uint8).reshape(2, 4, 5)


def test_float_data_and_labels_beyond_a_byte(folder: Path) -> None:
    values = np.linspace(-3, 3, 24, dtype=np.float32)
    datum = Datum(channels=2, height=3, width=4, label=70000)
    datum.float_data.extend(values)
    write_lmdb(folder / "db", [datum, datum])
    n = net("scale: 2")
    n.forward()
    np.testing.assert_array_equal(n.blobs["data"].data[1], values.reshape(2, 3, 4) * 2)
    assert n.blobs["label"].data.tolist() == [70000, 70000]


def test_a_batch_larger_than_the_database_wraps(folder: Path) -> None:
    write_lmdb(folder / "db", [raw(IMAGE, i) for i in range(3)])
    n = net(batch=8)
    n.forward()
    assert n.blobs["label"].data.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    n.forward()
    assert n.blobs["label"].data.tolist() == [2, 0, 1, 2, 0, 1, 2, 0]


def test_two_nets_read_one_database(folder: Path) -> None:
    write_lmdb(folder / "db", [raw(IMAGE, i) for i in range(5)])
    one, two = net(), net(batch=3)
    one.forward()
    two.forward()
    one.forward()
    assert one.blobs["label"].data.tolist() == [2, 3]
    assert two.blobs["label"].data.tolist() == [0, 1, 2]


def test_threads_end_with_their_net(folder: Path) -> None:
    write_lmdb(folder / "db", [raw(IMAGE, i) for i in range(5)])
    before = threading.active_count()
    nets = [net() for _ in range(5)]
    for n in nets:
        n.forward()
    labels = nets[0].blobs["label"]
    assert threading.active_count() > before
    open_databases = lmdb_records.LmdbRecords._handles._open
    assert lmdb_records._lmdb_file("db") in open_databases
    del nets, n
    gc.collect()
    # Threads of earlier tests may end meanwhile, so their number alone does not tell.
    database = lmdb_records._lmdb_file("db")
    for _ in range(200):
        if threading.active_count() <= before and database not in open_databases:
            break
        time.sleep(0.05)
    assert threading.active_count() <= before
    assert database not in open_databases
    assert labels.data.tolist() == [0, 1]  # blobs outlive their net


def test_a_database_may_be_released_while_another_is_opened() -> None:
    closed = []

    def open_(path: str) -> SimpleNamespace:
        if path == "other":
            handles.release(first)  # as when garbage is collected at this moment
        return SimpleNamespace(close=lambda: closed.append(path))

    handles = lmdb_records._Handles(open_, str)
    first = handles.open("first")
    other = handles.open("other")
    assert closed == ["first"]
    handles.release(other)
    assert closed == ["first", "other"]


def test_jpeg_is_decoded_as_opencv_does(folder: Path) -> None:
    image = np.random.RandomState(0).randint(0, 256, (16, 24, 3), np.uint8)
    write_lmdb(folder / "db", [encoded(image, ".jpg")] * 2)
    n = net()
    n.forward()
    expected = cv2.imdecode(cv2.imencode(".jpg", image)[1], cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(n.blobs["data"].data[0], expected.transpose(2, 0, 1))


@pytest.mark.parametrize("depth", [1, 3])
@pytest.mark.parametrize(
    ("transform", "shape"),
    [("", (8, 24)), ("force_color: true", (24, 8)), ("force_gray: true", (24, 8))],
)
def test_a_photograph_is_turned_where_genuine_caffe_turns_it(
    transform: str, shape: tuple[int, int], depth: int, folder: Path
) -> None:
    photograph = io.BytesIO()
    pixels = np.zeros((8, 24, depth), np.uint8)
    pixels[:, :8] = 255
    turned = Image.Exif()
    turned[0x0112] = 6  # by a quarter, clockwise: what is on the left comes to the top
    Image.fromarray(pixels.squeeze()).save(photograph, "JPEG", exif=turned)
    write_lmdb(folder / "db", [Datum(data=photograph.getvalue(), encoded=True)] * 2)
    n = net(transform)
    n.forward()
    channels = {"force_color: true": 3, "force_gray: true": 1}.get(transform, depth)
    assert n.blobs["data"].data.shape == (2, channels, *shape)
    bright = n.blobs["data"].data[0, 0] > 128
    assert (bright[:8].all(), bright[:, :8].all()) == (bool(transform), not transform)


@pytest.mark.parametrize(
    ("records", "transform", "message"),
    [
        ([raw(IMAGE), b"\xff\xff"], "", r"record 00000001 of db is not a Datum"),
        (
            [raw(IMAGE), Datum(channels=2, height=4, width=5, data=b"abc")],
            "",
            r"record 00000001 of db holds 3 numbers",
        ),
        (
            [raw(IMAGE), Datum(data=b"no picture", encoded=True)],
            "",
            r"record 00000001 of db holds an encoded image that cannot be decoded",
        ),
        (
            [raw(IMAGE), encoded(np.zeros((4, 5), np.uint16))],
            "",
            r"record 00000001 of db holds an encoded image of uint16, not of bytes",
        ),
        ([raw(IMAGE), raw(IMAGE[:, :3])], "", r"is 3x5, .*4x5 \(record 00000001\)"),
        ([raw(IMAGE), raw(IMAGE[:, :3])], "crop_size: 4", r"4 is .* 3x5 image \(record 00000001\)"),
        ([raw(IMAGE), raw(IMAGE[:1])], "", r"record 00000001 .*has 1 channels, the first one 2"),
        (
            [encoded(np.zeros((4, 5), np.uint8))],
            "force_color: true force_gray: true",
            r"cannot set both force_color and force_gray",
        ),
        ([raw(IMAGE)], "crop_size: 9", r"crop_size 9 is larger than the 4x5 image"),
        (
            [raw(IMAGE)],
            "mean_value: 1 mean_value: 2 mean_value: 3",
            r"Specify either 1 mean_value or as many as channels",
        ),
        ([], "", r"the LMDB db is empty"),
    ],
)
def test_bad_records_are_named(
    records: list[Datum | bytes], transform: str, message: str, folder: Path
) -> None:
    write_lmdb(folder / "db", records)
    with pytest.raises(InputError, match=r"layer 'data': .*" + message):
        net(transform).forward()


def test_a_bad_record_is_named_at_each_pass(folder: Path) -> None:
    write_lmdb("db", [raw(IMAGE), b"\xff\xff"])
    n = net()
    for _ in range(2):
        with pytest.raises(InputError, match="record 00000001 of db is not a Datum"):
            n.forward()


def test_a_key_of_any_bytes_is_shown(folder: Path) -> None:
    with lmdb.open("db", map_size=1 << 20) as env, env.begin(write=True) as txn:
        txn.put(b"0", raw(IMAGE).SerializeToString())
        txn.put(b"1_gr\xfc\xdfe", raw(IMAGE[:1]).SerializeToString())
    with pytest.raises(InputError, match="record 1_gr\ufffd\ufffde has 1 channels"):
        net().forward()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def overwrite(path: Path) -> None:
    path.write_bytes(b"not an LMDB" * 1000)


def zero_pages(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[8192:] = bytes(len(content) - 8192)
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [cut, overwrite, zero_pages])
def test_damaged_databases_are_refused(damage: Callable[[Path], None], folder: Path) -> None:
    # Reading past the end of a cut file would be a bus error, not an exception.
    write_lmdb(folder / "db", [raw(np.zeros((3, 64, 64), np.uint8), i) for i in range(20)])
    damage(folder / "db" / "data.mdb")
    with pytest.raises(InputError, match=r"layer 'data': .*db.*(damaged|cannot be opened)"):
        net().forward()


def test_old_rand_skip_is_ignored_as_in_caffe(folder: Path) -> None:
    write_lmdb(folder / "db", [raw(IMAGE, i) for i in range(5)])
    net()
    text = Path("net.prototxt").read_text().replace("batch_size", "rand_skip: 4 batch_size")
    Path("net.prototxt").write_text(text)
    caffe.set_random_seed(1)
    n = caffe.Net("net.prototxt", caffe.TEST)
    n.forward()
    assert n.blobs["label"].data.tolist() == [0, 1]


def test_images_that_a_device_cannot_transform_at_once_are_transformed_before(folder: Path) -> None:
    # Images of two sizes and gray ones among colour ones: the same as on the CPU alone.
    rng = np.random.RandomState(3)
    shapes = [(7, 9, 3), (7, 9, 1), (8, 8, 3), (6, 6, 3)]
    write_lmdb("db", [encoded(rng.randint(0, 256, s).astype(np.uint8)) for s in shapes])
    found = []
    for on_device in (False, True):
        n = net("crop_size: 5 force_color: true mean_value: 9 scale: 0.5", batch=4)
        reader_of(n).maker.transform_on_device = on_device
        n.forward()
        found.append(n.blobs["data"].data.copy())
    np.testing.assert_array_equal(*found)


def test_raw_gray_images_stay_gray_as_in_caffe(folder: Path, monkeypatch, capfd) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    write_lmdb("db", [raw(IMAGE[:1])])
    n = net("force_color: true", batch=1)
    assert n.forward()["data"].shape == (1, 1, 4, 5)
    assert "are for encoded images, which db does not have" in capfd.readouterr().err


def test_a_gray_image_among_coloured_ones_is_refused_for_a_device_too(folder: Path) -> None:
    write_lmdb("db", [encoded(np.zeros(s, np.uint8)) for s in ((7, 9, 3), (7, 9, 1))])
    n = net(batch=2)
    reader_of(n).maker.transform_on_device = True
    with pytest.raises(InputError, match=r"layer 'data': record 00000001 has 1 channels"):
        n.forward()


@pytest.mark.parametrize("on_device", [False, True])
def test_each_batch_has_the_size_of_its_first_image(on_device: bool, folder: Path) -> None:
    shapes = [(2, 4, 5), (2, 4, 5), (2, 3, 7), (2, 3, 7)]
    write_lmdb("db", [raw(np.full(shape, i, np.uint8)) for i, shape in enumerate(shapes)])
    n = net()
    reader_of(n).maker.transform_on_device = on_device
    for first in (0, 2, 0):
        n.forward()
        expected = np.stack([np.full(shapes[first], first + i) for i in range(2)])
        np.testing.assert_array_equal(n.blobs["data"].data, expected)


@pytest.mark.parametrize("on_device", [False, True])
def test_an_image_of_another_size_than_the_mean_is_refused(on_device: bool, folder: Path) -> None:
    write_lmdb("db", [raw(IMAGE), raw(np.zeros((2, 6, 6), np.uint8))])
    write_mean("mean.binaryproto", np.zeros(IMAGE.shape, np.float32))
    n = net('crop_size: 3 mean_file: "mean.binaryproto"')
    reader_of(n).maker.transform_on_device = on_device
    with pytest.raises(InputError, match=r"mean of \(4, 5, 2\) .* is \(6, 6, 2\); .*00000001"):
        n.forward()


def test_images_of_many_channels_are_mirrored_too(folder: Path) -> None:
    image = np.random.RandomState(0).randint(0, 256, (513, 2, 3)).astype(np.uint8)
    write_lmdb("db", [raw(image)])
    write_mean("mean.binaryproto", np.ones(image.shape, np.float32))
    caffe.set_random_seed(1)
    n = net('mirror: true mean_file: "mean.binaryproto"', batch=20)
    n.forward()
    expected = image.astype(np.float32) - 1
    found = n.blobs["data"].data
    mirrored = [(item == expected[..., ::-1]).all() for item in found]
    assert 0 < sum(mirrored) < 20
    assert all(m or (item == expected).all() for m, item in zip(mirrored, found, strict=True))


def test_a_database_that_was_refused_may_be_written_again(folder: Path) -> None:
    write_lmdb("db", [b"\xff\xff"])
    with pytest.raises(InputError, match="is not a Datum"):
        net()
    shutil.rmtree("db")
    write_lmdb("db", [raw(IMAGE)])
    net().forward()


def test_a_database_that_is_written_again_is_read_again(folder: Path) -> None:
    write_lmdb("db", [raw(IMAGE, 1)])
    first = net(batch=1)
    shutil.rmtree("db")
    write_lmdb("db", [raw(IMAGE, 2)])
    second = net(batch=1)
    found = [n.forward()["label"].tolist() for n in (first, second, first)]
    assert found == [[1], [2], [1]]


def reader_of(n: caffe.Net) -> CachingReader:
    return n.layers[0].reader
