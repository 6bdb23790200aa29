"""Caffe LMDBs of patches: their contents."""

from __future__ import annotations

import functools
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.table import Face
from i2cnn.patches import ENCODINGS
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.lmdb_facts import database_size
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.util.cores import limited_cores
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_bgr, as_gray, read_image, write_image
from tests.helpers.databases import database_digest, decode, options_of, records, write_faces
from tests.helpers.faces import face_points, some_faces
from tests.helpers.pictures import smooth_image


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_records_are_the_patches(encoding: str, color: bool, tmp_path: Path) -> None:
    write_faces(tmp_path / "db", encoding=encoding, color=color)
    found = records(tmp_path / "db")
    assert len(found) == database_size(tmp_path / "db") == 180
    assert [int(key[:8]) for key, _ in found] == list(range(180))
    faces = some_faces(3)
    numbers = {Path(face.image).stem: i for i, face in enumerate(faces)}
    patches = [extract_patches(read_image(embedded_root() / f.image), f.points) for f in faces]
    for key, value in found:
        image, datum = decode(value)
        # What we write by hand is what protobuf writes.
        assert datum.SerializeToString() == value
        stem, patch = key.decode()[9:].split("_", 1)
        assert datum.label == numbers[stem]
        expected = patches[numbers[stem]][DEEPID.names.index(patch)]
        expected = as_bgr(expected) if color or encoding == "raw" else expected
        assert image.shape == expected.shape
        allowed = 40 if encoding == "jpeg" else 0
        assert np.abs(image.astype(int) - expected).max() <= allowed


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_colour_order_is_blue_green_red(encoding: str, tmp_path: Path) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[:] = (10, 100, 200)
    write_image(tmp_path / "c.png", image)
    face = some_faces(1)[0]
    face = Face("c.png", "a", "", 0, "x", face.box, face.points / 4, "manual")
    out = tmp_path / "db"
    write_database([face], [0], tmp_path, out, options_of([0], encoding=encoding, color=True))
    decoded, _ = decode(records(out)[0][1])
    np.testing.assert_allclose(decoded.reshape(-1, 3).mean(0), (10, 100, 200), atol=2)


def test_same_records_for_any_number_of_threads(tmp_path: Path) -> None:
    digests = set()
    for threads in (1, 2, 8):
        write_faces(tmp_path / str(threads), number=6, threads=threads)
        digests.add(database_digest(tmp_path / str(threads)))
    assert len(digests) == 1


def test_threads_are_a_jobs_share_of_the_cores(tmp_path: Path) -> None:
    def threads() -> int:
        return len(os.listdir("/proc/self/task"))

    seen: list[int] = []
    before = threads()
    with limited_cores(1):
        write_faces(tmp_path / "db", update=lambda *_: seen.append(threads() - before))
    assert max(seen) == 2  # one samples, one writes


def test_the_embedded_set_has_one_digest(tmp_path: Path) -> None:
    """All 420 faces, a mirror pair each, whatever the threads and however often."""
    digests = set()
    for run, threads in enumerate((1, 2, 8, 8)):
        write_faces(tmp_path / str(run), number=420, patches=(0, 1), threads=threads)
        digests.add(database_digest(tmp_path / str(run)))
    assert len(digests) == 1
    assert database_size(tmp_path / "0") == 840


def test_keys_sort_in_the_shuffled_order(tmp_path: Path) -> None:
    # Caffe reads in key order: it must be the seed's, in which faces and patches are mixed.
    write_faces(tmp_path / "db", number=3, seed=5, encoding="jpeg")
    stems = [Path(face.image).stem for face in some_faces(3)]
    names = DEEPID.names
    order = np.argsort(np.random.RandomState(5).permutation(180))
    expected = [f"{p:08d}_{stems[o // 60]}_{names[o % 60]}" for p, o in enumerate(order)]
    assert [key.decode() for key, _ in records(tmp_path / "db")] == expected


def test_an_unreadable_image_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    faces = some_faces(2)
    (tmp_path / faces[0].image).write_bytes((embedded_root() / faces[0].image).read_bytes())
    (tmp_path / faces[1].image).write_bytes(b"not a picture")
    with pytest.raises(InputError, match=faces[1].image):
        write_database(faces, [0, 1], tmp_path, tmp_path / "db")
    assert not (tmp_path / "db").exists()
    assert not list(tmp_path.glob(".db*"))


@pytest.mark.parametrize("label", [-1, 2**31])
def test_labels_outside_int32(label: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="int32"):
        write_database(some_faces(1), [label], embedded_root(), tmp_path / "db")


def test_each_face_needs_a_label(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="db: 2 faces but 1 labels"):
        write_database(some_faces(2), [0], embedded_root(), tmp_path / "db")


def test_a_database_needs_a_face(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="db: there are no faces to write"):
        write_database([], [], embedded_root(), tmp_path / "db")


def test_landmarks_outside_the_picture_are_refused(tmp_path: Path) -> None:
    face = some_faces(1)[0]
    far = replace(face, points=face.points + 1000)
    with pytest.raises(InputError, match=f"{face.image}: the middle of its landmarks"):
        write_database([far], [0], embedded_root(), tmp_path / "db")


@pytest.fixture
def half_bad(tmp_path: Path) -> list[Face]:
    """Four faces in tmp_path: the second's picture is none, the third's landmarks are none."""
    faces = some_faces(4)
    for face in faces:
        shutil.copy(embedded_root() / face.image, tmp_path)
    (tmp_path / faces[1].image).write_bytes(b"not a picture")
    return [*faces[:2], replace(faces[2], points=faces[2].points * np.nan), faces[3]]


def test_skip_bad_lists_what_was_left_out(half_bad: list[Face], tmp_path: Path) -> None:
    options = options_of([0, 1], skip_bad=True)
    info = write_database(half_bad, [0, 1, 2, 3], tmp_path, tmp_path / "db", options)
    assert (info.records, info.faces) == (4, 2)
    picture, landmarks = info.skipped
    assert half_bad[1].image in picture
    assert half_bad[2].image in landmarks
    assert "not a finite number" in landmarks


def test_skip_bad_keeps_the_other_records_and_their_keys(
    half_bad: list[Face], tmp_path: Path
) -> None:
    options = options_of([0, 1], skip_bad=True)
    write_database(half_bad, [0, 1, 2, 3], tmp_path, tmp_path / "db", options)
    write_database(some_faces(4), [0, 1, 2, 3], embedded_root(), tmp_path / "all", options)
    everything = dict(records(tmp_path / "all"))
    assert all(everything[key] == value for key, value in records(tmp_path / "db"))


def test_skip_bad_refuses_to_leave_out_every_face(half_bad: list[Face], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no face could be used"):
        write_database(half_bad[2:3], [0], tmp_path, tmp_path / "db", options_of(skip_bad=True))


def test_each_face_is_reported(tmp_path: Path) -> None:
    calls = []
    write_faces(tmp_path / "db", number=3, update=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]


def test_the_patch_names_are_made_once_for_all_faces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    names = functools.cached_property(lambda chosen: calls.append(1) or ("a", "b"))
    names.__set_name__(PatchSet, "names")
    monkeypatch.setattr(PatchSet, "names", names)
    write_faces(tmp_path / "db", number=5, patches=[0, 1])
    assert len(calls) == 1


def test_duplicate_faces_are_separate_records(tmp_path: Path) -> None:
    face = some_faces(1)[0]
    write_database([face, face], [0, 0], embedded_root(), tmp_path / "db", options_of([4, 5]))
    values = [value for _, value in records(tmp_path / "db")]
    assert len(values) == 4
    assert len(set(values)) == 2


@pytest.mark.parametrize("patches", [[1], [0, 1], [1, 0], [0, 2, 3], [0, 0, 1, 1]])
def test_mean_of_any_choice_of_patches(patches: list[int], tmp_path: Path) -> None:
    face = some_faces(1)[0]
    mean = tmp_path / "mean"
    out = tmp_path / "db"
    write_database([face], [0], embedded_root(), out, options_of(patches), mean_file=mean)
    image = as_gray(read_image(embedded_root() / face.image))
    expected = extract_patches(image, face.points, patches=patches)
    found = read_mean(mean)
    for plane in found:
        np.testing.assert_allclose(plane, expected.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_mean_of_colour_patches_is_taken_before_encoding(encoding: str, tmp_path: Path) -> None:
    image = np.dstack([smooth_image(seed, 90, 80) for seed in range(3)])
    write_image(tmp_path / "c.png", image)
    points = face_points(40, 30, 30, 0.1)
    face = replace(some_faces(1)[0], image="c.png", points=points)
    options = options_of([0, 3], encoding=encoding, color=True)
    write_database([face], [0], tmp_path, tmp_path / "db", options, mean_file=tmp_path / "mean")
    expected = extract_patches(image, points, patches=[0, 3]).mean(axis=0).transpose(2, 0, 1)
    np.testing.assert_allclose(read_mean(tmp_path / "mean"), expected, atol=1e-3)


def test_mean_of_many_patches(tmp_path: Path) -> None:
    # 9 faces x 60 are more than fit the 16-bit sums at once.
    mean = tmp_path / "mean"
    write_faces(tmp_path / "db", number=9, threads=1, mean_file=mean)
    images = [decode(value)[0] for _, value in records(tmp_path / "db")]
    np.testing.assert_allclose(read_mean(mean)[0], np.mean(images, axis=0), atol=1e-3)


@pytest.mark.parametrize("color", [False, True])
def test_png_files_are_smaller_than_raw_pixels(color: bool, tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=2, color=color, encoding="png")
    decoded = [decode(value) for _, value in records(tmp_path / "db")]
    files = sum(len(datum.data) for _, datum in decoded)
    assert files < 0.6 * sum(image.size for image, _ in decoded)


def _skewed() -> np.ndarray:
    shares = np.random.RandomState(0).geometric(0.5, (300, 300))
    return np.minimum(shares, 255).astype(np.uint8) * 7


@pytest.mark.parametrize(
    "image",
    [
        # One symbol only, and all symbols about equally often: the ends of what the code must hold.
        np.full((256, 256), 77, np.uint8),
        np.random.RandomState(0).randint(0, 256, (256, 256)).astype(np.uint8),
        _skewed(),
    ],
    ids=["flat", "noise", "skewed"],
)
def test_png_of_unusual_images_is_without_loss(image: np.ndarray, tmp_path: Path) -> None:
    write_image(tmp_path / "image.png", image)
    face = replace(some_faces(1)[0], image="image.png")
    write_database([face], [0], tmp_path, tmp_path / "db")
    expected = extract_patches(image, face.points)
    for key, value in records(tmp_path / "db"):
        index = DEEPID.names.index(key.decode().split("_", 2)[2])
        np.testing.assert_array_equal(decode(value)[0], expected[index])


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("encoding", "bmp", "unknown encoding"),
        ("threads", -1, "threads"),
        ("patches", [60], "patch 60 is outside 0 to 59"),
    ],
)
def test_bad_options_are_refused(option: str, value: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        write_faces(tmp_path / "db", number=1, **{option: value})
    assert list(tmp_path.iterdir()) == []
