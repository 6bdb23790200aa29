"""CK+'s reader, on rendered sequences in CK+'s layout."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.faces.finder import shared_finder
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import TIGHT
from i2cnn.util.errors import InputError
from tests.helpers.trees import CKPLUS, ckplus_tree


def add_sequence(root: Path, name: str, frames: int, code: str | None) -> None:
    """Add a sequence S02/001 of some frames; code None leaves its emotion file out."""
    stem = name.replace("/", "_")
    target = root / "cohn-kanade-images" / name
    target.mkdir(parents=True)
    source = sorted((root / "cohn-kanade-images/S01/001").glob("*.png"))
    for number, path in enumerate(source[:frames], 1):
        shutil.copy(path, target / f"{stem}_{number:08d}.png")
    emotion = root / "Emotion" / name
    emotion.mkdir(parents=True)
    if code is not None:
        (emotion / f"{stem}_{frames:08d}_emotion.txt").write_text(f"   {code}\n")


def test_seven_takes_the_first_frame_as_neutral_and_three_at_the_peak() -> None:
    dataset = load_dataset("ckplus", CKPLUS, "seven")
    assert len(dataset.samples) == 8
    assert next(s.frame for s in dataset.samples if s.sequence == "001") == 1
    assert [s.label for s in dataset.samples].count("neutral") == 2


def test_six_takes_the_last_three_frames() -> None:
    dataset = load_dataset("ckplus", CKPLUS, "six")
    assert len(dataset.samples) == 6
    peaks = [s.frame for s in dataset.samples if s.sequence == "001"]
    assert peaks == sorted(peaks) == [max(peaks) - 2, max(peaks) - 1, max(peaks)]


@pytest.mark.parametrize(
    ("frames", "code", "reason"),
    [
        (4, None, "sequences without an emotion code"),
        (4, "2.0", "sequences of contempt"),
        (4, "9.0", "sequences of emotion code 9"),
        (2, "5.0", "sequences of fewer than 4 frames"),
    ],
)
def test_unusable_sequences_are_listed(
    frames: int, code: str | None, reason: str, tmp_path: Path
) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", frames, code)
    dataset = load_dataset("ckplus", root, "seven")
    assert dataset.left_out == {reason: ["S02/001"]}
    assert len(dataset.samples) == 8


def test_an_emotion_code_that_is_no_number_is_refused(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", 4, "happy")
    with pytest.raises(InputError, match="'happy' is not an emotion code"):
        load_dataset("ckplus", root, "seven")


@pytest.mark.parametrize(
    "content",
    [
        "   5.0000000e+00\n".encode("utf-16"),
        "   5.0000000e+00\n".encode("utf-8-sig"),
        b"   5,0000000e+00\r\n",
        b"5",
    ],
)
def test_emotion_codes_as_editors_save_them(content: bytes, tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", 4, "1.0")
    next((root / "Emotion/S02/001").iterdir()).write_bytes(content)
    added = [s for s in load_dataset("ckplus", root, "six").samples if s.subject == "S02"]
    assert [s.label for s in added] == ["happy"] * 3


def test_an_empty_emotion_file_is_listed(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", 4, "")
    dataset = load_dataset("ckplus", root, "seven")
    assert dataset.left_out == {"sequences whose emotion file is empty": ["S02/001"]}


@pytest.mark.parametrize("content", [b"\xff\x005\x00", b"1_0", b"nan", b"5.0.0"])
def test_garbled_emotion_codes_name_the_remedy(content: bytes, tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", 4, "1.0")
    next((root / "Emotion/S02/001").iterdir()).write_bytes(content)
    with pytest.raises(InputError, match=r"emotion\.txt: .*; take the file from CK\+'s archive"):
        load_dataset("ckplus", root, "seven")


def test_frames_converted_to_jpeg_are_read_and_noted(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    before = load_dataset("ckplus", root, "seven")
    frames = sorted((root / "cohn-kanade-images").rglob("*.png"))
    for path in frames:
        Image.open(path).save(path.with_suffix(".jpg"))
    # Of two files of one frame, the lossless one is taken and the other is listed.
    both = load_dataset("ckplus", root, "seven")
    assert both.samples == before.samples
    assert len(both.left_out["a second file of the same frame"]) == len(frames)
    for path in frames:
        path.unlink()
    dataset = load_dataset("ckplus", root, "seven")
    assert [Path(s.image).stem for s in dataset.samples] == [
        Path(s.image).stem for s in before.samples
    ]
    assert "8 images converted; CK+ itself has PNG files" in dataset.notes


def test_stray_files_beside_sequences_are_ignored(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    for folder in ("cohn-kanade-images", "cohn-kanade-images/S01"):
        (root / folder / ".DS_Store").write_text("x")
    assert load_dataset("ckplus", root, "seven").left_out == {}


def test_stray_files_inside_a_sequence_are_listed(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    before = load_dataset("ckplus", root, "seven")
    folder = root / "cohn-kanade-images/S01/001"
    frame = sorted(folder.glob("*.png"))[-1]
    names = [".DS_Store", "S01_001_00000099 copy.png", "S01_002_00000099.png", "Thumbs.db"]
    for name in names:
        shutil.copy(frame, folder / name)
    dataset = load_dataset("ckplus", root, "seven")
    # A copy's frame or another sequence's must not become the peak.
    assert dataset.samples == before.samples
    assert dataset.left_out == {
        "not named like a frame of its sequence (S005_001_00000001.png)": [
            f"S01/001/{name}" for name in names
        ]
    }
    assert "4 not named like a frame" in "\n".join(dataset.summary())


def test_a_sequence_without_its_peak_is_left_out(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    folder = root / "cohn-kanade-images/S01/001"
    shutil.copy(folder / "S01_001_00000008.png", folder / "S01_001_00000007.png")
    (folder / "S01_001_00000010.png").unlink()
    dataset = load_dataset("ckplus", root, "seven")
    assert {s.sequence for s in dataset.samples} == {"002"}
    assert dataset.left_out == {
        "sequences whose last frame is not that of the emotion file": [
            "S01/001 (frame 9, not 10)",
        ]
    }
    assert "left out       1 sequence whose last frame is not" in "\n".join(dataset.summary())


def test_scheme_tight_keeps_away_from_the_time_code() -> None:
    # As in CK+ itself: 640x490, white digits at the lower edge.
    face = np.array(Image.open(embedded_root() / "S03.HA1.010.png").convert("L"))
    frame = np.full((490, 640), 60, np.uint8)
    frame[90:346, 200:456] = face
    overlaid = frame.copy()
    cv2.putText(overlaid, "00:12:23:07", (420, 478), 0, 1, 255, 2)
    found, number = shared_finder().find_one(overlaid)
    assert number == 1
    tight = [extract_patches(x, found.points, TIGHT) for x in (frame, overlaid)]
    np.testing.assert_array_equal(*tight)


def test_time_codes_are_noted() -> None:
    notes = load_dataset("ckplus", CKPLUS, "seven").notes
    assert any("time code" in note and "--scheme tight" in note for note in notes)


def test_a_missing_emotion_folder_is_named(tmp_path: Path) -> None:
    shutil.copytree(CKPLUS / "cohn-kanade-images", tmp_path / "cohn-kanade-images")
    with pytest.raises(InputError, match=f"{tmp_path}: no folder Emotion .* unpack CK"):
        load_dataset("ckplus", tmp_path, "seven")


@pytest.mark.parametrize("name", ["Emotion_labels", "emotion", "Emotion_labels/Emotion"])
def test_emotion_codes_are_found_however_they_were_unpacked(name: str, tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    (root / "Emotion").rename(root / "codes")
    shutil.move(root / "codes", root / name)
    assert load_dataset("ckplus", root).found() == load_dataset("ckplus", CKPLUS).found()


def test_no_emotion_code_at_all(tmp_path: Path) -> None:
    shutil.copytree(CKPLUS / "cohn-kanade-images", tmp_path / "cohn-kanade-images")
    (tmp_path / "Emotion").mkdir()
    with pytest.raises(InputError, match=r"2 sequences without an emotion code \(S01/001\); check"):
        load_dataset("ckplus", tmp_path, "seven")


def test_contempt_is_the_eighth_class(tmp_path: Path) -> None:
    root = ckplus_tree(tmp_path / "ck")
    add_sequence(root, "S02/001", 4, "2.0")
    dataset = load_dataset("ckplus", root, "eight")
    assert dataset.found()["contempt"] == 3
    assert dataset.expected == {
        "subjects": 118,
        "sequences": 327,
        "images": 1308,
        "neutral": 327,
        "contempt": 54,
        "anger": 135,
        "disgust": 177,
        "fear": 75,
        "happy": 207,
        "sadness": 84,
        "surprise": 249,
    }
