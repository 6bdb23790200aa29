"""JAFFE's reader, on rendered faces under JAFFE's names."""

from __future__ import annotations

import shutil
from pathlib import Path

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
    names = {"README.txt", ".DS_Store", "holiday.png"}
    for name in names:
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


def test_png_conversions_are_noted(tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j", suffix="png"), "seven")
    assert len(dataset.samples) == 42
    assert any("42 images are PNG conversions" in note for note in dataset.notes)


def test_subjects_that_jaffe_does_not_have_are_noted(tmp_path: Path) -> None:
    dataset = load_dataset("jaffe", jaffe_tree(tmp_path / "j", ("KA", "ZZ")), "seven")
    assert any("subjects that JAFFE does not have: ZZ" in note for note in dataset.notes)
