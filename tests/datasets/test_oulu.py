"""Oulu-CASIA's reader, on rendered faces under its names."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from i2cnn.util.errors import InputError
from tests.helpers.trees import photos

FRAMES = [
    f"P00{p}/{label}/{i:03d}.jpeg" for p in "12" for label in ("Anger", "Fear") for i in range(5)
]


def test_the_first_frame_is_neutral_and_three_are_at_the_peak(tmp_path: Path) -> None:
    dataset = load_dataset("oulu", photos(tmp_path, *FRAMES))
    assert dataset.subjects == ["P001", "P002"]
    assert [(s.label, s.frame) for s in dataset.samples if s.sequence == "Fear"][:4] == [
        ("neutral", 0),
        ("fear", 2),
        ("fear", 3),
        ("fear", 4),
    ]
    assert dataset.expected["images"] == 1920
    assert load_dataset("oulu", tmp_path, "six").found()["images"] == 12


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    more = ["P003/Happiness/000.jpeg", "P003/Sleep/000.jpeg", "P001/Fear/x.jpeg", "P001/Fear/4.png"]
    assert load_dataset("oulu", photos(tmp_path, *FRAMES, *more)).left_out == {
        "not named like a frame (000.jpeg)": ["P001/Fear/x.jpeg"],
        "a second file of the same frame": ["P001/Fear/4.png"],
        "sequences of fewer than 4 frames": ["P003/Happiness"],
        "not a sequence of an expression": ["P003/Sleep"],
    }


def test_folders_that_hold_the_people_are_named(tmp_path: Path) -> None:
    photos(tmp_path, "VL/Strong/P001/Anger/000.jpeg", "VL/Weak/p001/Anger/000.JPEG")
    with pytest.raises(InputError, match="give one of the folders in it: VL/Strong, VL/Weak"):
        load_dataset("oulu", tmp_path)
