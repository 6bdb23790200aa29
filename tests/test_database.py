"""Caffe LMDBs of patches: their contents, and that a half one is never seen."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from PIL import Image

from i2cnn.database import database_digest, database_size, write_database
from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.errors import InputError
from i2cnn.faces import Face, locate_faces
from i2cnn.images import as_bgr, as_gray, read_image, write_image
from i2cnn.patches import extract, get_scheme
from i2cnn.torchcaffe.proto import Datum
from i2cnn.torchcaffe.storage import read_mean


def some_faces(number: int) -> list[Face]:
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[:: len(dataset.samples) // number][:number]
    return locate_faces(dataset)[0]


def records(path: Path) -> list[tuple[bytes, bytes]]:
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as txn:
        return list(txn.cursor())


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
        digests.add(database_digest(tmp_path / str(threads)))
    assert len(digests) == 1
    write(tmp_path / "other", number=6, seed=2)
    assert database_digest(tmp_path / "other") not in digests


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
        assert database_digest(out) == database_digest(reference)
        assert not list(tmp_path.glob(f".{out.name}.*"))
    assert killed


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    process = child(tmp_path / "db", number=40)
    deadline = time.monotonic() + 30
    while not list(tmp_path.glob(".db.partial/data.mdb")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode not in (0, 3), output
    assert "KeyboardInterrupt" in output
    assert list(tmp_path.iterdir()) == []


def test_two_writers_on_one_target(tmp_path: Path) -> None:
    seen = []

    def second(done: int, total: int) -> None:
        with pytest.raises(InputError, match="another process is writing it"):
            write(tmp_path / "db", number=1)
        seen.append(done)

    write(tmp_path / "db", number=2, progress=second)
    assert seen == [1, 2]
    assert database_size(tmp_path / "db") == 120
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def appear(done: int, total: int) -> None:
        (tmp_path / "db").mkdir(exist_ok=True)
        (tmp_path / "db" / "mine").write_text("x")

    with pytest.raises(InputError, match="appeared while"):
        write(tmp_path / "db", number=1, progress=appear)
    assert [p.name for p in (tmp_path / "db").iterdir()] == ["mine"]
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


def test_skip_bad_lists_what_was_left_out(tmp_path: Path) -> None:
    faces = some_faces(4)
    for face in faces:
        shutil.copy(embedded_root() / face.image, tmp_path)
    (tmp_path / faces[1].image).write_bytes(b"not a picture")
    faces[2] = replace(faces[2], points=faces[2].points * np.nan)
    info = write_database(
        faces, [0, 1, 2, 3], tmp_path, tmp_path / "db", patches=[0, 1], skip_bad=True
    )
    assert (info.records, info.faces) == (4, 2)
    assert len(info.skipped) == 2
    assert faces[1].image in info.skipped[0]
    assert faces[2].image in info.skipped[1]
    assert "not a finite number" in info.skipped[1]
    # The others are what they are without the bad ones around, under the same keys.
    good = [faces[0], faces[1], faces[1], faces[3]]
    shutil.copy(embedded_root() / faces[1].image, tmp_path)
    write_database(good, [0, 1, 2, 3], tmp_path, tmp_path / "all", patches=[0, 1])
    everything = dict(records(tmp_path / "all"))
    assert all(everything[key] == value for key, value in records(tmp_path / "db"))
    with pytest.raises(InputError, match="no face could be used"):
        write_database(faces[2:3], [0], tmp_path, tmp_path / "none", patches=[0], skip_bad=True)


def test_duplicate_faces_are_separate_records(tmp_path: Path) -> None:
    face = some_faces(1)[0]
    write_database([face, face], [0, 0], embedded_root(), tmp_path / "db", patches=[4, 5])
    values = [value for _, value in records(tmp_path / "db")]
    assert len(values) == 4
    assert len(set(values)) == 2


@pytest.mark.parametrize("patches", [[1], [0, 1], [1, 0], [0, 2, 3], [0, 0, 1, 1]])
def test_mean_of_any_choice_of_patches(patches: list[int], tmp_path: Path) -> None:
    face = some_faces(1)[0]
    mean = tmp_path / "mean"
    write_database([face], [0], embedded_root(), tmp_path / "db", patches=patches, mean_file=mean)
    expected = extract(as_gray(read_image(embedded_root() / face.image)), face.points)[patches]
    found = read_mean(mean)
    for plane in found:
        np.testing.assert_allclose(plane, expected.mean(axis=0), atol=1e-3)


def test_mean_of_many_patches(tmp_path: Path) -> None:
    # 9 faces x 60 are more than fit the 16-bit sums at once.
    mean = tmp_path / "mean"
    write(tmp_path / "db", number=9, threads=1, mean_file=mean)
    images = [decode(value)[0] for _, value in records(tmp_path / "db")]
    np.testing.assert_allclose(read_mean(mean)[0], np.mean(images, axis=0), atol=1e-3)


@pytest.mark.parametrize("color", [False, True])
def test_png_files_are_read_by_pillow_and_smaller_than_raw(color: bool, tmp_path: Path) -> None:
    write(tmp_path / "db", number=2, color=color, encoding="png")
    total = 0
    for _, value in records(tmp_path / "db"):
        image, datum = decode(value)
        with Image.open(io.BytesIO(datum.data)) as picture:
            picture.load()  # checks sizes and checksums
            other = np.asarray(picture)
        np.testing.assert_array_equal(other, image[..., ::-1] if color else image)
        total += len(datum.data)
    assert total < 0.6 * 120 * image.size


def test_png_of_flat_and_noisy_images(tmp_path: Path) -> None:
    # One symbol only, and all symbols about equally often: the ends of what the code must hold.
    rng = np.random.RandomState(0)
    skewed = np.minimum(rng.geometric(0.5, (300, 300)), 255).astype(np.uint8) * 7
    face = some_faces(1)[0]
    for name, image in {
        "flat": np.full((256, 256), 77, np.uint8),
        "noise": rng.randint(0, 256, (256, 256)).astype(np.uint8),
        "skewed": skewed,
    }.items():
        write_image(tmp_path / f"{name}.png", image)
        one = replace(face, image=f"{name}.png")
        write_database([one], [0], tmp_path, tmp_path / name, patches=range(60))
        expected = extract(image, face.points)
        for key, value in records(tmp_path / name):
            index = get_scheme("deepid").names.index(key.decode().split("_", 2)[2])
            np.testing.assert_array_equal(decode(value)[0], expected[index])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("encoding", "bmp", "unknown encoding"),
        ("threads", -1, "threads"),
        ("scheme", "x", "scheme"),
    ],
)
def test_bad_options_are_refused(option: str, value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write(tmp_path / "db", number=1, **{option: value})
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_file_system(small_disk: Path) -> None:
    with pytest.raises(InputError, match=r"disk.db.*[Nn]o space left"):
        write(small_disk / "db", number=2, encoding="raw")
    assert list(small_disk.iterdir()) == []
    write(small_disk / "db", number=1, encoding="jpeg")
    assert database_size(small_disk / "db") == 60


def test_a_read_only_file_system(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"disk.db: cannot be written \(Read-only"):
        write(small_disk / "db", number=1)


def test_the_target_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="cannot be written"):
        write(tmp_path / "file" / "db", number=1)


_LEAKS = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, {root!r})
import numpy as np
from i2cnn.patches import extract, get_scheme
from tests.test_database import some_faces, write, read_image, embedded_root

def state():
    status = dict(l.split(":", 1) for l in open("/proc/self/status") if ":" in l)
    return int(status["VmRSS"].split()[0]), int(status["Threads"]), len(os.listdir("/proc/self/fd"))

face = some_faces(1)[0]
image = read_image(embedded_root() / face.image)
def work(extractions, databases):
    for _ in range(extractions):
        extract(image, face.points, size=64)
    for i in range(databases):
        out = Path({out!r}) / f"{{len(os.listdir({out!r}))}}"
        write(out, number=1, threads=2)
work(200, 5)
memory, threads, files = state()
work(1000, 20)
after = state()
assert after[1:] == (threads, files), (threads, files, after)
# AddressSanitizer keeps up to 256 MB of freed memory.
allowed = 300_000 if "I2CNN_SANITIZED" in os.environ else 8000
assert after[0] - memory < allowed, (memory, after)
"""


def test_memory_threads_and_files_return(tmp_path: Path) -> None:
    code = _LEAKS.format(root=str(Path(__file__).parents[1]), out=str(tmp_path))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
