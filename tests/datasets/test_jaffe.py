"""JAFFE's reader, on rendered faces under JAFFE's names."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from tests.helpers.trees import jaffe_tree


def test_the_summary_says_what_is_missing(tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j"), "seven")
    assert dataset.found()["images"] == 42
    assert dataset.expected["images"] == 213
    text = "\n".join(dataset.summary())
    assert "171 missing" in text
    assert "no image of subject KM, KR, MK, NA, NM, TM, UY, YM" in text


def test_other_files_are_listed(tmp_path: Path) -> None:
    root = jaffe_tree(tmp_path / "j")
    names = {"README.txt", "holiday.png"}
    for name in (*names, ".DS_Store"):
        (root / name).write_text("x")
    dataset = load_dataset("jaffe", root, "seven")
    assert len(dataset.samples) == 42
    assert set(dataset.left_out["not named like KA.AN1.39.tiff"]) == names


def test_an_image_in_two_formats_counts_once(tmp_path: Path) -> None:
    root = jaffe_tree(tmp_path / "j")
    first = min(root.glob("KA*"))
    shutil.copy(first, first.with_suffix(".png"))
    dataset = load_dataset("jaffe", root, "seven")
    assert len(dataset.samples) == 42
    assert len(dataset.left_out["a second file of the same image"]) == 1


@pytest.mark.parametrize(
    ("suffix", "note"),
    [
        ("png", r"42 images converted to \.png; JAFFE itself has TIFF files$"),
        ("bmp", r"42 images converted to \.bmp; JAFFE itself has TIFF files$"),
        ("jpg", r"42 images converted to \.jpg; .* TIFF files, and JPEG has changed them$"),
    ],
)
def test_conversions_are_read_and_noted(suffix: str, note: str, tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j", suffix=suffix), "seven")
    assert len(dataset.samples) == 42
    assert any(re.match(note, text) for text in dataset.notes)


def test_of_two_formats_the_lossless_one_is_taken(tmp_path: Path) -> None:
    root = jaffe_tree(tmp_path / "j")
    first = min(root.glob("KA*"))
    shutil.copy(first, first.with_suffix(".jpg"))
    assert first.name in {s.image for s in load_dataset("jaffe", root, "seven").samples}


def test_subjects_that_jaffe_does_not_have_are_noted(tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j", ("KA", "ZZ")), "seven")
    assert any("subjects that JAFFE does not have: ZZ" in note for note in dataset.notes)
