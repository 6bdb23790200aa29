"""Jittered copies of patches: their records beside a NumPy twin, their seed, their facts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn import _native
from i2cnn.datasets import embedded_root
from i2cnn.patches.extract import PATCH_SIZE
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import database_contents
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.patches.schemes import DEEPID
from i2cnn.torchcaffe.formats.storage import read_mean
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_gray, read_image
from tests.helpers import twin
from tests.helpers.databases import database_digest, decode, options_of, records, write_faces
from tests.helpers.faces import some_faces
from tests.helpers.simd import LEVELS


def pictures(path: Path) -> dict[str, np.ndarray]:
    """The records' pictures by key without its number."""
    return {key.decode()[9:]: decode(value)[0] for key, value in records(path)}


def test_jittered_records_are_those_of_the_twin(tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=2, patches=[0, 26, 27, 58], jitter=2, seed=3)
    found = pictures(tmp_path / "db")
    assert len(found) == 2 * 4 * 3
    jitter = Jitter(2, 3)
    for number, face in enumerate(some_faces(2)):
        image = as_gray(read_image(embedded_root() / face.image))
        for copy in (1, 2):
            drawn = jitter.draw(number, copy, face.points, len(DEEPID.boxes))
            for patch in (0, 26, 58):
                box = DEEPID.boxes[patch // 2]
                key = f"{Path(face.image).stem}_{DEEPID.names[patch]}_jitter{copy}"
                expected = twin.sample_jittered_box(
                    image, drawn.points, box, DEEPID.mouth, PATCH_SIZE, drawn.boxes[patch // 2]
                )
                # Sampling is within a gray level, which the gain widens.
                assert np.abs(found[key] - expected).max() <= 2.5


def test_jitter_leaves_the_exact_patches_as_they_are(tmp_path: Path) -> None:
    write_faces(tmp_path / "exact", number=2)
    write_faces(tmp_path / "jittered", number=2, jitter=1)
    exact, jittered = pictures(tmp_path / "exact"), pictures(tmp_path / "jittered")
    assert len(jittered) == 2 * len(exact)
    for key, image in exact.items():
        np.testing.assert_array_equal(jittered[key], image)
        assert np.any(jittered[f"{key}_jitter1"] != image)


def test_no_jitter_writes_what_was_always_written(tmp_path: Path) -> None:
    write_faces(tmp_path / "none", number=2)
    write_faces(tmp_path / "zero", number=2, jitter=0)
    assert database_digest(tmp_path / "none") == database_digest(tmp_path / "zero")
    assert "jitter" not in (tmp_path / "zero" / "patches.json").read_text()


@pytest.mark.parametrize("color", [False, True])
def test_jittered_mirror_pairs_are_exact_mirrors(color: bool, tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=1, jitter=1, color=color)
    found = pictures(tmp_path / "db")
    for plain, mirrored in zip(DEEPID.names[::2], DEEPID.names[1::2], strict=True):
        stem = Path(some_faces(1)[0].image).stem
        left, right = (found[f"{stem}_{name}_jitter1"] for name in (plain, mirrored))
        np.testing.assert_array_equal(left, right[:, ::-1])


def test_a_chosen_patch_is_jittered_as_among_all(tmp_path: Path) -> None:
    write_faces(tmp_path / "all", number=2, jitter=1)
    write_faces(tmp_path / "one", number=2, jitter=1, patches=[33])
    everything = pictures(tmp_path / "all")
    for key, image in pictures(tmp_path / "one").items():
        np.testing.assert_array_equal(image, everything[key])


def test_same_jitter_for_any_number_of_threads(tmp_path: Path) -> None:
    digests = set()
    for threads in (1, 2, 8):
        write_faces(tmp_path / str(threads), number=6, threads=threads, jitter=2, patches=(0, 1))
        digests.add(database_digest(tmp_path / str(threads)))
    assert len(digests) == 1


def test_same_jitter_on_every_instruction_set(tmp_path: Path) -> None:
    digests = set()
    for level in LEVELS:
        _native.set_simd(level)
        write_faces(tmp_path / level, number=1, jitter=2, encoding="raw")
        digests.add(database_digest(tmp_path / level))
    _native.set_simd("auto")
    assert len(digests) == 1


def test_faces_copies_boxes_and_seeds_are_jittered_apart() -> None:
    points = some_faces(1)[0].points
    drawn = [
        Jitter(2, seed).draw(face, copy, points, 3)
        for seed in (0, 1)
        for face in (0, 1)
        for copy in (1, 2)
    ]
    tables = np.concatenate([copy.boxes for copy in drawn])
    assert len(np.unique(tables, axis=0)) == len(tables) == 24
    assert len(np.unique([copy.points for copy in drawn], axis=0)) == 8


def test_deviations_are_those_that_the_facts_say() -> None:
    jitter = Jitter(1, 0)
    points = some_faces(1)[0].points
    copies = [jitter.draw(face, 1, points, 30) for face in range(200)]
    rotation, scale, right, down, gain, offset = np.concatenate([c.boxes for c in copies]).T
    assert np.degrees(rotation.std()) == pytest.approx(6, rel=0.05)
    assert np.log(scale).std() == pytest.approx(0.06, rel=0.05)
    assert right.std() == pytest.approx(0.06, rel=0.05)
    assert down.std() == pytest.approx(0.06, rel=0.05)
    assert np.log(gain).std() == pytest.approx(0.15, rel=0.05)
    assert offset.std() == pytest.approx(10, rel=0.05)
    moves = np.array([c.points - points for c in copies]) / np.hypot(*(points[1] - points[0]))
    assert moves.std() == pytest.approx(0.02, rel=0.1)


def test_keys_are_one_shuffled_sequence(tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=2, jitter=2, patches=(0, 1), seed=4)
    keys = [key.decode() for key, _ in records(tmp_path / "db")]
    assert [int(key[:8]) for key in keys] == list(range(12))
    copies = [key.rpartition("_jitter")[2] if "_jitter" in key else "0" for key in keys]
    assert sorted(copies) == ["0"] * 4 + ["1"] * 4 + ["2"] * 4
    assert copies != sorted(copies)


def test_the_mean_is_that_of_all_records(tmp_path: Path) -> None:
    mean = tmp_path / "mean"
    write_faces(tmp_path / "db", number=2, jitter=2, patches=[4, 5, 8], mean_file=mean)
    images = [decode(value)[0] for _, value in records(tmp_path / "db")]
    np.testing.assert_allclose(read_mean(mean)[0], np.mean(images, axis=0), atol=1e-3)


def test_the_facts_say_how_copies_were_drawn(tmp_path: Path) -> None:
    info = write_faces(tmp_path / "db", number=2, jitter=3, patches=[0], seed=7)
    assert (info.records, info.faces) == (8, 2)
    contents = database_contents(tmp_path / "db")
    assert contents is not None
    assert contents.jitter == Jitter(3, 7)


def test_a_face_whose_landmarks_are_none_is_left_out_whole(tmp_path: Path) -> None:
    faces = some_faces(2)
    bad = replace(faces[1], points=faces[1].points * np.nan)
    options = options_of([0, 1], jitter=2, skip_bad=True)
    info = write_database([faces[0], bad], [0, 1], embedded_root(), tmp_path / "db", options)
    assert (info.records, info.faces) == (6, 1)
    assert len(records(tmp_path / "db")) == 6


def test_a_face_is_left_out_whole_if_one_copy_is_no_face(tmp_path: Path) -> None:
    # Eyes just far enough apart: some copy's are nearer.
    face = some_faces(1)[0]
    middle = face.points.mean(axis=0)
    small = (face.points - middle) / np.hypot(*(face.points[1] - face.points[0])) + middle
    faces = [replace(face, points=small * (1 + 1e-9)), face]
    options = options_of([0], jitter=20, skip_bad=True)
    info = write_database(faces, [0, 1], embedded_root(), tmp_path / "db", options)
    assert (info.records, info.faces) == (21, 1)
    assert "the eyes coincide" in info.skipped[0]


@pytest.mark.parametrize("copies", [-1, 101])
def test_numbers_of_copies_out_of_range_are_refused(copies: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"jittered copies must be 0 .none. to 100, not {copies}"):
        write_faces(tmp_path / "db", number=1, jitter=copies)
    assert list(tmp_path.iterdir()) == []


ROW = [0.0, 1.0, 0.0, 0.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (np.zeros((0, 6)), "rows of rotation, scale, right"),
        (np.zeros(6), "rows of rotation, scale, right"),
        ([ROW], "one row for each box"),
        ([[np.nan, *ROW[1:]]] * 30, "not finite or out of range"),
        ([[0.0, 0.0, *ROW[2:]]] * 30, "not finite or out of range"),
        ([[*ROW[:2], 1e9, *ROW[3:]]] * 30, "not finite or out of range"),
        ([[*ROW[:4], -1.0, 0.0]] * 30, "not finite or out of range"),
        ([[*ROW[:5], np.inf]] * 30, "not finite or out of range"),
    ],
)
def test_the_extension_refuses_other_tables(
    table: np.ndarray, message: str, tmp_path: Path
) -> None:
    writer = _native.PatchWriter(str(tmp_path), DEEPID.boxes, DEEPID.mouth, 32, "png", 95, 1)
    image, points = np.zeros((60, 60), np.uint8), some_faces(1)[0].points / 4
    with pytest.raises(ValueError, match=message):
        writer.add(image, points, [0], ["key"], 0, np.array(table))
    writer.close()
