"""Programs that write databases, means and upgraded files write what genuine Caffe's write."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.cli import main
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.torchcaffe.proto import Datum, NetParameter, caffe_pb2
from i2cnn.torchcaffe.tools import databases
from tests.helpers.caffe_files import write_lmdb
from tests.helpers.caffe_tools import assert_same, recorder
from tests.helpers.golden import GOLDEN

RECORDED = json.loads((GOLDEN / "tools" / "tools.json").read_text())


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    yield
    log.reset_options()


def test_what_the_programs_write_is_genuine_caffes(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLOG_minloglevel", "0")
    record = recorder()
    record.write_inputs(folder, caffe_pb2)
    for command in record.COMMANDS:
        assert main(command.split()) == 0, command
    assert_same(record.summary(folder, caffe_pb2), RECORDED)
    said = capsys.readouterr().err
    assert "1 of 7 images could not be read and were left out" in said
    for line in (
        "io.cpp:83] Could not open or find file images/gone.ppm",
        "convert_imageset.cpp:89] A total of 7 images.",
        "convert_imageset.cpp:153] Processed 6 files.",
        "compute_image_mean.cpp:70] Starting iteration",
        "compute_image_mean.cpp:101] Processed 6 files.",
        "compute_image_mean.cpp:108] Write to mean.binaryproto",
        "compute_image_mean.cpp:119] mean_value channel [2]: 134.384",
        "extract_features.cpp:62] Using CPU",
        "extract_features.cpp:133] Extracting Features",
        "extract_features.cpp:176] Extracted features of 8 query images for feature blob conv",
        "extract_features.cpp:181] Successfully extracted the features!",
    ):
        assert line in said


@pytest.mark.parametrize("name", ["v0", "v1", "v2", "v0_inputs", "v1_inputs"])
def test_upgraded_nets_are_genuine_caffes(name: str, folder: Path) -> None:
    source = GOLDEN / "upgrade"
    assert main(["upgrade_net_proto_text", str(source / f"{name}.prototxt"), "new.prototxt"]) == 0
    ours = parse(Path("new.prototxt").read_text(), NetParameter(), "ours")
    theirs = (source / f"{name}.upgraded.prototxt").read_text()
    assert ours == parse(theirs, NetParameter(), "theirs")


def test_a_file_of_the_latest_format_is_copied(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("net.prototxt").write_text('name: "n" layer { name: "a" type: "ReLU" }')
    assert main(["upgrade_net_proto_text", "net.prototxt", "new.prototxt"]) == 0
    line = "upgrade_net_proto_text.cpp:43] File already in latest proto format: net.prototxt"
    assert line in capsys.readouterr().err
    assert main(["upgrade_net_proto_text", "gone.prototxt", "new.prototxt"]) == 1
    assert capsys.readouterr().err == "i2cnn caffe: error: File not found: gone.prototxt\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("convert_imageset images/ bad.txt db", "bad.txt:1: a line is a file, a space and a numb"),
        ("convert_imageset images/ huge.txt db", "huge.txt:1: a line is a file, a space and a nu"),
        (
            "convert_imageset images/ long.txt db",
            "more than an LMDB's 511; give the file a shorter",
        ),
        ("convert_imageset images/ gone.txt db", "File not found: gone.txt"),
        ("convert_imageset images/ there db", "there: cannot be read (Is a directory)"),
        ("convert_imageset images/ one.txt there", "there: exists already; remove it"),
        ("convert_imageset images/ lost.txt db", "db: no image could be read"),
        ("convert_imageset images one.txt db", "names follow images as they are: give images/"),
        ("convert_imageset -backend odd images/ one.txt db", "Unknown database backend: odd"),
        ("convert_imageset -resize_width x images/ one.txt db", "'x' is not a number"),
        ("convert_imageset -gray=perhaps images/ one.txt db", "neither true nor false"),
        ("convert_imageset -grey images/ one.txt db", "unknown command line flag '-grey'"),
        ("convert_imageset -check_size images/ two.txt db", "differs from the (2, 2, 3) before"),
        ("convert_imageset -encode_type odd images/ one.txt db", "cannot encode images as 'odd'"),
        ("compute_image_mean there", "correct the path"),
        ("compute_image_mean level", "compute_image_mean: no LMDB at level"),
        ("compute_image_mean level", "give its backend, LEVELDB"),
        ("compute_image_mean uneven", "is an image of (1, 1, 2), the first is one of (1, 1, 1)"),
        ("compute_image_mean hollow", "error: compute_image_mean: record "),
        ("extract_features w net a,b x 1 lmdb", "number of blob names and dataset names must be"),
        ("extract_features w net a x 0 lmdb", "is a number above 0, not '0'"),
        ("extract_features w net a x 1 lmdb GPU x", "DEVICE_ID 'x' is not a number"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    words: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("images").mkdir()
    Path("there").mkdir()
    Path("level").mkdir()
    Path("level/CURRENT").touch()
    Path("images/a.ppm").write_bytes(b"P6\n2 2\n255\n" + bytes(12))
    Path("images/b.ppm").write_bytes(b"P6\n2 1\n255\n" + bytes(6))
    Path("bad.txt").write_text("a.ppm\n")
    Path("huge.txt").write_text("a.ppm 99999999999\n")
    Path("long.txt").write_text(f"{'./' * 260}a.ppm 1\n")
    Path("one.txt").write_text("a.ppm 1\n")
    Path("two.txt").write_text("a.ppm 1\nb.ppm 2\n")
    Path("lost.txt").write_text("gone.ppm 1\n")
    sizes = [Datum(channels=1, height=1, width=n, data=bytes(n)) for n in (1, 2)]
    write_lmdb("uneven", sizes)
    write_lmdb("hollow", [Datum(channels=1, height=1, width=1)])
    assert main(words.split()) == 1
    errors = capsys.readouterr().err
    assert message in errors.splitlines()[-1]
    assert not Path("db").exists()


@pytest.mark.parametrize(
    "name", ["convert_imageset", "compute_image_mean", "extract_features", "upgrade_net_proto_text"]
)
def test_a_program_without_words_tells_its_usage(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name]) == 1
    assert capsys.readouterr().err.startswith(f"usage: i2cnn caffe {name} ")


def test_gray_files_are_stored_as_they_are_and_coloured_ones_in_gray(folder: Path) -> None:
    pixels = np.random.RandomState(0).randint(0, 256, (8, 9, 3)).astype(np.uint8)
    cv2.imwrite("colour.jpg", pixels)
    cv2.imwrite("gray.jpg", pixels[..., 0])
    Path("list.txt").write_text("colour.jpg 1\ngray.jpg 2\n")
    assert main(["convert_imageset", "-gray", "-encoded", "./", "list.txt", "db"]) == 0
    with lmdb.open("db", readonly=True, lock=False) as env, env.begin() as txn:
        colour, gray = (Datum.FromString(value).data for _, value in txn.cursor())
    assert gray == Path("gray.jpg").read_bytes()
    decoded = cv2.imdecode(np.frombuffer(colour, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded.shape == (8, 9)


def test_images_are_shuffled_and_none_is_lost(folder: Path) -> None:
    for i in range(30):
        Path(f"{i}.pgm").write_bytes(b"P5\n1 1\n255\n" + bytes([i]))
    Path("list.txt").write_text("".join(f"{i}.pgm {i}\n" for i in range(30)))
    assert main(["convert_imageset", "-shuffle", "-gray", "./", "list.txt", "db"]) == 0
    with lmdb.open("db", readonly=True, lock=False) as env, env.begin() as txn:
        labels = [Datum.FromString(value).label for _, value in txn.cursor()]
    assert labels != sorted(labels)
    assert sorted(labels) == list(range(30))


def test_a_blob_may_be_stored_twice(folder: Path) -> None:
    recorder().write_inputs(folder, caffe_pb2)
    assert main(["convert_imageset", "images/", "list.txt", "color"]) == 0
    words = "extract_features w.caffemodel net.prototxt ip,ip one,two 1 lmdb"
    assert main(words.split()) == 0
    for name in ("one", "two"):
        with databases.opened(name, "lmdb", "test") as records:
            assert records.count == 4


def test_a_database_grows_with_its_records(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "_FIRST_SIZE", 2**16)
    monkeypatch.setattr(databases, "BATCH", 10)
    with databases.new_database("db", "lmdb") as writer:
        for i in range(25):
            writer.put(f"{i:03d}", bytes(20000))
    with databases.opened("db", "lmdb", "test") as records:
        assert records.count == 25


def test_a_leveldb_is_written_and_read(folder: Path) -> None:
    pytest.importorskip("plyvel")
    Path("a.pgm").write_bytes(b"P5\n2 1\n255\n" + bytes([3, 9]))
    Path("list.txt").write_text("a.pgm 1\na.pgm 2\n")
    words = ["-backend", "leveldb", "-gray", "./", "list.txt", "db"]
    assert main(["convert_imageset", *words]) == 0
    assert main(["compute_image_mean", "-backend", "leveldb", "db", "mean.binaryproto"]) == 0
    assert read_mean("mean.binaryproto").tolist() == [[[3, 9]]]


def test_a_leveldb_needs_its_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "plyvel", None)
    with (
        pytest.raises(Exception, match=r"pip install 'i2cnn\[leveldb\]'"),
        databases.new_database("db", "leveldb"),
    ):
        raise AssertionError("not reached")
    assert not Path("db").exists()
