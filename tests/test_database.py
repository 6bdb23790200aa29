"""Caffe LMDBs of patches: their contents, and that a half one is never seen."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest

from i2cnn.database import database_size, write_database
from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.errors import InputError
from i2cnn.faces import Face, locate_faces
from i2cnn.images import as_bgr, read_image, write_image
from i2cnn.patches import extract
from i2cnn.torchcaffe.proto import Datum
from i2cnn.torchcaffe.storage import read_mean


def some_faces(number: int) -> list[Face]:
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[:: len(dataset.samples) // number][:number]
    return locate_faces(dataset)[0]


def records(path: Path) -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as txn:
        return list(txn.cursor())


def digest(path: Path) -> str:
    return hashlib.sha256(b"".join(k + v for k, v in records(path))).hexdigest()


def write(out: Path, number: int = 3, **options) -> None:
    faces = some_faces(number)
    defaults = {"patches": range(60), "seed": 1}
    write_database(faces, list(range(number)), embedded_root(), out, **(defaults | options))


def decode(value: bytes) -> tuple[np.ndarray, Datum]:
    datum = Datum.FromString(value)
    if datum.encoded:
        image = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
    else:
        planes = np.frombuffer(datum.data, np.uint8)
        image = planes.reshape(datum.channels, datum.height, datum.width).transpose(1, 2, 0)
    return image, datum


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("encoding", ["raw", "png", "jpeg"])
def test_records_are_the_patches(encoding: str, color: bool, tmp_path: Path) -> None:
    write(tmp_path / "db", encoding=encoding, color=color, mean_file=tmp_path / "mean")
    found = records(tmp_path / "db")
    assert len(found) == database_size(tmp_path / "db") == 180
    assert [int(key[:8]) for key, _ in found] == list(range(180))
    names = {face.image: i for i, face in enumerate(some_faces(3))}
    total = np.zeros((256, 256, 3))
    for key, value in found:
        image, datum = decode(value)
        # What we write by hand is what protobuf writes.
        assert datum.SerializeToString() == value
        stem, patch = key.decode()[9:].split("_", 1)
        face = some_faces(3)[names[f"{stem}.png"]]
        assert datum.label == names[f"{stem}.png"]
        source = read_image(embedded_root() / face.image)
        from i2cnn.patches import get_scheme

        index = get_scheme("deepid").names.index(patch)
        expected = extract(source, face.points)[index]
        total += expected[:, :, None]
        expected = as_bgr(expected) if color or encoding == "raw" else expected
        assert image.shape == expected.shape
        allowed = 40 if encoding == "jpeg" else 0
        assert np.abs(image.astype(int) - expected).max() <= allowed
    mean = read_mean(tmp_path / "mean")
    np.testing.assert_allclose(mean, (total / 180).transpose(2, 0, 1), atol=1e-3)


def test_colour_order_is_blue_green_red(tmp_path: Path) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:] = (10, 100, 200)
    write_image(tmp_path / "c.png", image)
    face = some_faces(1)[0]
    face = Face("c.png", "a", "", 0, "x", face.box, face.points / 4, "manual")
    for encoding in ("raw", "png", "jpeg"):
        out = tmp_path / encoding
        write_database([face], [0], tmp_path, out, patches=[0], encoding=encoding, color=True)
        decoded, _ = decode(records(out)[0][1])
        np.testing.assert_allclose(decoded.reshape(-1, 3).mean(0), (10, 100, 200), atol=2)


def test_same_records_for_any_number_of_threads(tmp_path: Path) -> None:
    digests = set()
    for threads in (1, 2, 8):
        write(tmp_path / str(threads), number=6, threads=threads)
        digests.add(digest(tmp_path / str(threads)))
    assert len(digests) == 1
    write(tmp_path / "other", number=6, seed=2)
    assert digest(tmp_path / "other") not in digests


def test_the_map_grows(tmp_path: Path) -> None:
    # 40 faces x 60 raw patches of 196 608 bytes are more than the first map of 256 MB.
    write(tmp_path / "db", number=40, encoding="raw")
    assert len(records(tmp_path / "db")) == 2400


def test_target_must_be_new(tmp_path: Path) -> None:
    write(tmp_path / "db", number=1)
    with pytest.raises(InputError, match="exists already"):
        write(tmp_path / "db", number=1)


def test_unusual_names(tmp_path: Path) -> None:
    write(tmp_path / "with space äöü 顔" / "db", number=1)
    assert database_size(tmp_path / "with space äöü 顔" / "db") == 60


def test_an_unreadable_image_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    faces = some_faces(2)
    (tmp_path / faces[0].image).write_bytes((embedded_root() / faces[0].image).read_bytes())
    (tmp_path / faces[1].image).write_bytes(b"not a picture")
    with pytest.raises(InputError, match=faces[1].image):
        write_database(faces, [0, 1], tmp_path, tmp_path / "db", patches=range(60))
    assert not (tmp_path / "db").exists()
    assert not list(tmp_path.glob(".db*"))


@pytest.mark.parametrize("label", [-1, 2**31])
def test_labels_outside_int32(label: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="int32"):
        write_database(some_faces(1), [label], embedded_root(), tmp_path / "db", patches=[0])


_CHILD = """
import sys, resource
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_database import write
if {limit}:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
from i2cnn.errors import InputError
try:
    write(Path({out!r}), number={number}, encoding="raw")
except InputError as error:
    print(error)
    sys.exit(3)
"""


def child(out: Path, number: int, limit: int = 0) -> subprocess.Popen:
    code = _CHILD.format(
        root=str(Path(__file__).parents[1]), out=str(out), number=number, limit=limit
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_a_full_disk_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    process = child(tmp_path / "db", number=10, limit=20_000_000)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert str(tmp_path / "db") in output
    assert list(tmp_path.iterdir()) == []


def test_kill_at_any_moment_then_again(tmp_path: Path) -> None:
    reference = tmp_path / "reference"
    write(reference, number=8, encoding="raw")
    killed = 0
    for delay in (0.02, 0.1, 0.25):
        out = tmp_path / f"db{delay}"
        process = child(out, number=8)
        # Wait for the writing to begin, then kill in the middle of it.
        deadline = time.monotonic() + 30
        while not list(tmp_path.glob(f".{out.name}.*")) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += not out.exists()
        if not out.exists():
            write(out, number=8, encoding="raw")
        assert digest(out) == digest(reference)
        assert not list(tmp_path.glob(f".{out.name}.*"))
    assert killed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_read_only_folder(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OSError, match="Permission"):
        write(tmp_path / "db", number=1)
