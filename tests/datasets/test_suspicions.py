"""Sets whose labels or subjects are something else, in the layouts of public sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from i2cnn.util.errors import InputError
from tests.helpers.trees import photos

LAYOUTS = {
    "KDEF": (
        ["AF01/AF01AFS.JPG", "AF01/AF01ANS.JPG", "BM02/BM02AFS.JPG", "BM02/BM02ANS.JPG"],
        r"named like KDEF's \(AF01/AF01AFS.JPG\), whose folders are people; use --dataset kdef",
    ),
    "LFW": (
        ["Ann_Lee/Ann_Lee_0001.jpg", "Bo_Ek/Bo_Ek_0001.jpg", "Bo_Ek/Bo_Ek_0002.jpg"],
        "the folders look like people, not like labels; sort the pictures into one folder per",
    ),
    "FER2013": (
        ["angry/Training_3908.jpg", "angry/Training_1.jpg", "happy/Training_5.jpg"],
        "the subjects would be Training, which are no people .* write a CSV file with image",
    ),
    "RAF-DB": (
        [f"{i}/{part}_0000{i}_aligned.jpg" for i in (1, 2) for part in ("train", "test")],
        "the subjects would be test, train, which are no people .* --dataset split",
    ),
    "FER2013's parts": (
        [f"{label}/P{part}Test_1.jpg" for label in "ab" for part in ("ublic", "rivate")],
        "the subjects would be PrivateTest, PublicTest, which are no people",
    ),
    "a camera": (
        ["joy/IMG_1.jpg", "joy/IMG_2.jpg", "calm/IMG_3.jpg", "calm/DSC_4.jpg"],
        "the subjects would be DSC, IMG, which are no people",
    ),
    "files named by label": (
        ["happy/happy_1.png", "happy/happy_2.png", "sad/sad_1.png"],
        r"the files begin with their label \(happy/happy_1.png\), which would be the person",
    ),
    "parts as labels": (
        ["train/anna_1.png", "test/ben_1.png"],
        "the labels would be test, train, which are parts of a set",
    ),
    "one level more": (
        ["train/happy/anna_1.png", "test/sad/ben_1.png"],
        "at least two labels.*the first picture is test/sad/ben_1.png: if 'sad' is its label, give"
        ".*if 'test' is a part of the set, use --dataset split",
    ),
    "a person more": (
        ["anna/happy/1.png", "ben/sad/1.png"],
        "at least two labels.*if 'anna' is a person, use --dataset subjects",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_layouts_are_refused(layout: str, tmp_path: Path) -> None:
    names, message = LAYOUTS[layout]
    with pytest.raises(InputError, match=message):
        load_dataset("folder", photos(tmp_path, *names))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a.png,train,joy", "b.png,train,calm"], "the subjects would be train"),
        (["a.png,Joy,joy", "b.png,calm,calm"], "every subject is called like its label"),
        (["a.png,ann,train", "b.png,ben,val"], "the labels would be train, val"),
    ],
)
def test_tables_are_held_to_the_same(rows: list[str], message: str, tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png", "b.png") / "list.csv"
    table.write_text("\n".join(["image,subject,label", *rows]))
    with pytest.raises(InputError, match=rf"list\.csv: {message}"):
        load_dataset("folder", table)


@pytest.mark.parametrize(
    ("names", "warning"),
    [
        (["s1/1_a.png", "s1/2_a.png", "s2/1_b.png"], "the labels look like people (s1, s2)"),
        (["joy/ann_1.png", "calm/ann_2.png"], "every picture is of one subject (ann)"),
        (
            [f"{label}/ann_{i}.png" for label in ("joy", "calm") for i in range(15)]
            + ["joy/ben_1.png"],
            "30 of 31 pictures are of one subject (ann)",
        ),
        ([f"l{i}a/{p}_1.png" for i in range(31) for p in "xy"], "the labels look like people (l0a"),
        # Folders of people whose pictures are named alike, and no labels.
        (
            [f"l{i}a/{name}.png" for i in range(11) for name in ("smile", "calm")],
            "the labels look like people (l0a",
        ),
    ],
)
def test_what_may_be_right_is_a_warning(names: list[str], warning: str, tmp_path: Path) -> None:
    dataset = load_dataset("folder", photos(tmp_path, *names))
    assert len(dataset.warnings) == 1
    assert dataset.warnings[0].startswith(warning)
    assert f"  WARNING: {warning}" in "\n".join(dataset.summary())
    assert dataset.to_json()["notes"][0] == dataset.warnings[0]


def test_ordinary_names_pass(tmp_path: Path) -> None:
    """Initials like labels, a person called Val, labels that are numbers."""
    names = ["a/anna_1.png", "a/Val_1.png", "b/anna_2.png", "b/Val_2.png", "3/anna_3.png"]
    assert load_dataset("folder", photos(tmp_path, *names)).warnings == []


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["happy/anna/1.png", "fear/ben/1.png"], "the people would be fear, happy, which are lab"),
        (
            [
                f"{part}/{label}/{i}.png"
                for part in ("train", "test")
                for label in "ab"
                for i in "12"
            ],
            "the subjects would be test, train, which are no people",
        ),
    ],
)
def test_folders_of_people_must_be_people(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_dataset("subjects", photos(tmp_path, *names))


@pytest.mark.parametrize(
    ("kind", "header"), [("folder", "emotion,pixels,Usage"), ("split", "emotion, pixels")]
)
def test_tables_of_pixels_do_not_say_who_is_shown(kind: str, header: str, tmp_path: Path) -> None:
    table = tmp_path / "fer2013.csv"
    table.write_text(f"{header}\n0,1 2 3 4,Training\n")
    with pytest.raises(
        InputError, match=r"fer2013\.csv: a table of pixels .* not say who is shown; .* convert"
    ):
        load_dataset(kind, table)
