"""Readers of data sets on trees made for the purpose."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.faces.finder import FaceFinder
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import TIGHT
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image

CKPLUS = Path(__file__).parents[1] / "data" / "ckplus"


def jaffe_tree(root: Path, subjects=("KA", "KL"), suffix: str = "tiff") -> Path:
    """JAFFE's names on rendered faces."""
    root.mkdir(exist_ok=True)
    number = 1
    for i, subject in enumerate(subjects, 1):
        for path in sorted(embedded_root().glob(f"S{i:02d}.*.png")):
            _, expression, _, _ = path.name.split(".")
            Image.open(path).save(root / f"{subject}.{expression}.{number}.{suffix}")
            number += 1
    return root


def test_embedded_set_is_complete() -> None:
    dataset = load_dataset("synthetic", None, "seven")
    assert dataset.found() == dict(dataset.expected)
    assert len(load_dataset("synthetic", None, "six").samples) == 360
    assert all(s.points is not None for s in dataset.samples)
    assert (embedded_root() / "LICENSE.txt").read_text().count("CC0")


def test_jaffe_says_what_is_missing(tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j"), "seven")
    assert dataset.found()["images"] == 42
    assert dataset.expected["images"] == 213
    text = "\n".join(dataset.summary())
    assert "171 missing" in text
    assert "no image of subject KM, KR, MK, NA, NM, TM, UY, YM" in text


def test_jaffe_extra_renamed_and_converted_files(tmp_path: Path) -> None:
    root = jaffe_tree(tmp_path / "j", suffix="png")
    (root / "README.txt").write_text("x")
    (root / ".DS_Store").write_text("x")
    first = min(root.glob("KA*"))
    shutil.copy(first, root / "holiday.png")
    shutil.copy(first, first.with_suffix(".tiff"))
    dataset = load_dataset("jaffe", root, "seven")
    assert len(dataset.samples) == 42
    odd = dataset.left_out["not named like KA.AN1.39.tiff"]
    assert set(odd) == {"README.txt", ".DS_Store", "holiday.png"}
    assert len(dataset.left_out["a second file of the same image"]) == 1
    assert any("PNG conversions" in note for note in dataset.notes)


def test_ckplus_frames_and_codes() -> None:
    seven = load_dataset("ckplus", CKPLUS, "seven")
    assert len(seven.samples) == 8
    assert next(s.frame for s in seven.samples if s.sequence == "001") == 1
    assert [s.label for s in seven.samples].count("neutral") == 2
    six = load_dataset("ckplus", CKPLUS, "six")
    assert len(six.samples) == 6
    peaks = [s.frame for s in six.samples if s.sequence == "001"]
    assert peaks == sorted(peaks) == [max(peaks) - 2, max(peaks) - 1, max(peaks)]


def test_ckplus_leaves_out_and_counts(tmp_path: Path) -> None:
    root = tmp_path / "ck"
    shutil.copytree(CKPLUS, root)
    frames = root / "cohn-kanade-images"
    (frames / ".DS_Store").write_text("x")
    (frames / "S01" / ".DS_Store").write_text("x")
    for name, code in (("S02/001", None), ("S02/002", "2.0"), ("S02/003", "5.0")):
        target = frames / name
        target.mkdir(parents=True)
        number = 2 if name == "S02/003" else 4
        for i, path in enumerate(sorted((frames / "S01/001").glob("*.png"))[:number], 1):
            shutil.copy(path, target / f"{name.replace('/', '_')}_{i:08d}.png")
        emotion = root / "Emotion" / name
        emotion.mkdir(parents=True)
        if code:
            (emotion / f"{name.replace('/', '_')}_00000004_emotion.txt").write_text(f"   {code}\n")
    dataset = load_dataset("ckplus", root, "seven")
    assert dataset.left_out == {
        "sequences without an emotion code": ["S02/001"],
        "sequences of contempt": ["S02/002"],
        "sequences of fewer than 4 frames": ["S02/003"],
    }
    assert len(dataset.samples) == 8
    (root / "Emotion/S02/003/S02_003_00000004_emotion.txt").write_text("happy")
    with pytest.raises(InputError, match="not an emotion code"):
        load_dataset("ckplus", root, "seven")


def test_ckplus_stray_files_are_listed(tmp_path: Path) -> None:
    root = tmp_path / "ck"
    shutil.copytree(CKPLUS, root)
    folder = root / "cohn-kanade-images/S01/001"
    frame = sorted(folder.glob("*.png"))[-1]
    before = load_dataset("ckplus", root, "seven")
    assert before.left_out == {}
    for name in (".DS_Store", "Thumbs.db", "S01_001_00000099 copy.png", "S01_002_00000099.png"):
        shutil.copy(frame, folder / name)
    dataset = load_dataset("ckplus", root, "seven")
    # A copy's frame or another sequence's must not become the peak.
    assert dataset.samples == before.samples
    (reason, names), *others = dataset.left_out.items()
    assert reason == "not named like a frame of its sequence (S005_001_00000001.png)"
    assert names == [
        "S01/001/.DS_Store",
        "S01/001/S01_001_00000099 copy.png",
        "S01/001/S01_002_00000099.png",
        "S01/001/Thumbs.db",
    ]
    assert not others
    assert "4 not named like a frame" in "\n".join(dataset.summary())


def test_ckplus_without_the_peak(tmp_path: Path) -> None:
    root = tmp_path / "ck"
    shutil.copytree(CKPLUS, root)
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


def test_ckplus_time_codes_in_the_frames(tmp_path: Path) -> None:
    # As in CK+ itself: 640x490, white digits at the lower edge. The scheme tight avoids them.
    root = tmp_path / "ck"
    shutil.copytree(CKPLUS, root)
    dataset = load_dataset("ckplus", root, "seven")
    assert any("time code" in note and "--scheme tight" in note for note in dataset.notes)
    face = np.array(Image.open(embedded_root() / "S03.HA1.010.png").convert("L"))
    frame = np.full((490, 640), 60, np.uint8)
    frame[90:346, 200:456] = face
    overlaid = frame.copy()
    cv2.putText(overlaid, "00:12:23:07", (420, 478), 0, 1, 255, 2)
    path = root / dataset.samples[0].image
    Image.fromarray(overlaid).save(path)
    found, number = FaceFinder().find_one(read_image(path))
    assert number == 1
    tight = [extract_patches(x, found.points, TIGHT) for x in (frame, overlaid)]
    np.testing.assert_array_equal(*tight)


def test_ckplus_without_emotions(tmp_path: Path) -> None:
    shutil.copytree(CKPLUS / "cohn-kanade-images", tmp_path / "cohn-kanade-images")
    with pytest.raises(InputError, match=f"{tmp_path}: no folder Emotion .* unpack CK"):
        load_dataset("ckplus", tmp_path, "seven")
    (tmp_path / "Emotion").mkdir()
    with pytest.raises(InputError, match=r"2 sequences without an emotion code; check the folder"):
        load_dataset("ckplus", tmp_path, "seven")


def test_folder_and_csv(tmp_path: Path) -> None:
    source = embedded_root()
    for label, code in (("happy", "HA"), ("neutral", "NE")):
        (tmp_path / label).mkdir()
        for path in source.glob(f"S0[1-3].{code}1.*"):
            shutil.copy(path, tmp_path / label / f"{path.name[:3]}_photo.png")
    (tmp_path / "happy" / "notes.txt").write_text("x")
    dataset = load_dataset("folder", tmp_path)
    assert dataset.task.labels == ("neutral", "happy")
    assert dataset.subjects == ["S01", "S02", "S03"]
    assert dataset.left_out == {"not an image": ["happy/notes.txt"]}
    table = tmp_path / "list.csv"
    table.write_text(
        "\ufeffimage,subject,label\r\nhappy/S01_photo.png,a,joy\r\nneutral/S01_photo.png,a,calm\r\n"
    )
    dataset = load_dataset("folder", table)
    assert dataset.task.labels == ("calm", "joy")
    table.write_text("image,subject,label\nnowhere.png,a,joy\n")
    with pytest.raises(InputError, match=r"list.csv:2: no such image"):
        load_dataset("folder", table)
    table.write_text("picture,label\n")
    with pytest.raises(InputError, match="image, subject is missing"):
        load_dataset("folder", table)


def photos(root: Path, *names: str) -> Path:
    """A folder with the same picture under these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(embedded_root() / "S03.HA1.010.png", root / name)
    return root


def test_folder_blanks_make_nobody_two(tmp_path: Path) -> None:
    root = photos(tmp_path, "happy/S01_1.png", "happy /S01 _2.png", "Happy/S02_1.png")
    photos(root, "sadness/S02_2.png", "sadness/s02_3.png")
    dataset = load_dataset("folder", root)
    assert dataset.subjects == ["S01", "S02", "s02"]
    assert dataset.task.labels == ("happy", "sadness", "Happy")
    assert {s.image for s in dataset.samples} >= {"happy/S01_1.png", "happy /S01 _2.png"}
    labels, case, blank = dataset.notes
    assert labels.startswith("labels that differ only by letter case or blanks around them: ")
    assert "'Happy', 'happy', 'happy ';" in labels
    assert "'S01', 'S01 ';" in blank
    assert "'S02', 's02';" in case


def test_csv_blanks_make_nobody_two(tmp_path: Path) -> None:
    root = photos(tmp_path, "a.png", "b.png", "c.png")
    table = root / "list.csv"
    table.write_text("image, subject, label\na.png,S01 ,joy\nb.png, S01,joy \nc.png,S01,calm\n")
    dataset = load_dataset("folder", table)
    assert dataset.subjects == ["S01"]
    assert dataset.task.labels == ("calm", "joy")
    assert ["'joy', 'joy ';" in note for note in dataset.notes] == [True, False]


def test_csv_of_a_spreadsheet(tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png") / "list.csv"
    table.write_bytes("image,subject,label\na.png,Zoë,joy\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"list.csv: not a text file in UTF-8; save it as"):
        load_dataset("folder", table)
    for mark, name in ((";", "semicolons"), ("\t", "tabs")):
        table.write_text("image,subject,label\na.png,a,joy\n".replace(",", mark))
        with pytest.raises(InputError, match=rf"list.csv:1: .* separated by {name}: save it with"):
            load_dataset("folder", table)


def test_csv_with_an_image_twice(tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png", "b.png") / "list.csv"
    table.write_text("image,subject,label\na.png,a,joy\n\nb.png,b,calm\n./a.png,a,calm\n")
    with pytest.raises(InputError, match=r"list.csv:5: ./a.png is already in line 2"):
        load_dataset("folder", table)


def test_folder_names_what_it_left_out(tmp_path: Path) -> None:
    root = photos(tmp_path, "joy/a_1.png", "calm/a_2.png", "calm/_3.png", "b.png", "anger/x/c.png")
    (root / "fear").mkdir()
    (root / "calm" / "folder.png").mkdir()
    dataset = load_dataset("folder", root)
    assert len(dataset.samples) == 2
    assert dataset.left_out == {
        "not an image": ["anger/x", "calm/folder.png"],
        "label folders without a picture": ["anger", "fear"],
        "pictures outside the label folders": ["b.png"],
        "without a subject before the underscore": ["calm/_3.png"],
    }


@pytest.mark.parametrize("kind", ["jaffe", "ckplus", "synthetic", "folder"])
def test_a_file_is_not_a_folder(kind: str, tmp_path: Path) -> None:
    path = photos(tmp_path, "x.png") / "x.png"
    wanted = "is a file; give the folder" + (".*or a CSV file" if kind == "folder" else "")
    with pytest.raises(InputError, match=rf"x\.png: {wanted}"):
        load_dataset(kind, path)


def test_a_folder_may_be_named_like_a_csv(tmp_path: Path) -> None:
    root = photos(tmp_path / "faces.csv", "joy/a_1.png", "calm/a_2.png")
    assert len(load_dataset("folder", root).samples) == 2


@pytest.mark.parametrize("kind", ["jaffe", "ckplus", "synthetic", "folder"])
def test_missing_and_empty_folders(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(kind, tmp_path / "nowhere", "seven")
    with pytest.raises(InputError, match=str(tmp_path)):
        load_dataset(kind, tmp_path, None)


def test_label_outside_the_task(tmp_path: Path) -> None:
    (tmp_path / "joy").mkdir()
    shutil.copy(next(embedded_root().glob("*.png")), tmp_path / "joy" / "a_1.png")
    with pytest.raises(InputError, match="'joy' is outside the task 'six'"):
        load_dataset("folder", tmp_path, "six")
