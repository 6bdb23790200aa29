"""KDEF's reader, on rendered faces under KDEF's names."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from i2cnn.datasets.kdef import CODES
from tests.helpers.trees import photos

NAMES = [f"{who}{code}S" for who in ("AF01", "BF01", "AM02") for code in CODES]


@pytest.mark.parametrize("flat", [False, True])
def test_sessions_of_a_person_are_one_subject(flat: bool, tmp_path: Path) -> None:
    names = [f"{name}.JPG" if flat else f"{name[:4]}/{name}.JPG" for name in NAMES]
    dataset = load_dataset("kdef", photos(tmp_path, *names))
    assert dataset.subjects == ["F01", "M02"]
    assert dataset.found()["fear"] == 3
    assert dataset.expected["images"] == 980
    assert not dataset.left_out


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    others = ["AF01AFFL.JPG", "AF01NES.JPG", "af01/AF01ANS.png", "AF01ANS.JPG", "AF01XXS.JPG"]
    dataset = load_dataset("kdef", photos(tmp_path, *others), "six")
    assert [(s.image, s.label) for s in dataset.samples] == [("af01/AF01ANS.png", "anger")]
    assert dataset.left_out == {
        "not seen from the front": ["AF01AFFL.JPG"],
        "with a label outside task six": ["AF01NES.JPG"],
        "a second file of the same image": ["AF01ANS.JPG"],
        "not named like AF01ANS.JPG": ["AF01XXS.JPG"],
    }
