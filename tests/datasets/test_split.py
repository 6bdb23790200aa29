"""Sets that do not say who is shown: parts with label folders, RAF-DB, tables of pixels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import load_dataset
from i2cnn.datasets.rafdb import CODES
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from tests.helpers.trees import photos

Output = pytest.CaptureFixture[str]
#: A happy and a neutral picture of 8 x 8 pixels in each part.
PIXELS = " ".join(str(i % 256) for i in range(64))
ROWS = [
    f"{code},{PIXELS},{usage}"
    for usage in ("Training", "PublicTest", "PrivateTest")
    for code in (3, 6)
]


def table(tmp_path: Path, *rows: str, header: str = "emotion,pixels,Usage") -> Path:
    path = tmp_path / "fer.csv"
    path.write_text("\n".join([header, *rows]))
    return path


def test_parts_with_label_folders(tmp_path: Path) -> None:
    root = photos(tmp_path, "Train/happy/1.JPG", "train/sad/2.png", "val/sad/3.png")
    photos(root, "Test/happy/IMG_4.JPEG", "Test/x.png", "old/sad/5.png")
    (root / "readme.txt").write_text("x")
    dataset = load_dataset("split", root)
    assert {(s.image, s.subject, s.label, s.part) for s in dataset.samples} == {
        ("Train/happy/1.JPG", "Train/happy/1.JPG", "happy", "training"),
        ("train/sad/2.png", "train/sad/2.png", "sad", "training"),
        ("val/sad/3.png", "val/sad/3.png", "sad", "validation"),
        ("Test/happy/IMG_4.JPEG", "Test/happy/IMG_4.JPEG", "happy", "test"),
    }
    assert dataset.left_out == {
        "not in a folder of a label in one of a part": ["Test/x.png"],
        "not in a folder train, validation or test": ["old/sad/5.png"],
        "not an image": ["readme.txt"],
    }
    found = dataset.found()
    assert (found["training"], found["validation"], found["test"]) == (2, 1, 1)
    for part in ("Train", "Test"):  # on clusters folders are often links
        (root / part / "glad").symlink_to(root / "old" / "sad")
    assert "Train/glad/5.png" in {s.image for s in load_dataset("split", root).samples}
    with pytest.raises(InputError, match=r"no pictures .*; Train looks like one part: give the fo"):
        load_dataset("split", root / "Train")
    assert "subjects" not in found


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["happy/1.png", "sad/2.png"], "no pictures in train/LABEL/; .* here are happy, sad: rena"),
        (["train/a/1.png", "val/b/2.png"], "no pictures in test/LABEL/; .* here are train, val: r"),
        (["set/train/a/1.png", "set/test/b/2.png"], r"no pictures in train/.*; give \S+/set, whic"),
        (
            ["train/1.png", "test/2.png"],
            "no pictures in train/LABEL/; .* with one per label in each$",
        ),
        (["train/a/1.png", "test/a/2.png"], r"at least two labels are needed, found \['a'\]"),
    ],
)
def test_what_is_no_split_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        load_dataset("split", photos(tmp_path, *names))


def test_rafdb_by_its_list(tmp_path: Path) -> None:
    images = "Image/aligned"
    root = photos(tmp_path, f"{images}/train_1_aligned.JPG", f"{images}/test_1_aligned.jpg")
    photos(root, "Image/original/train_1.jpg", "Image/original/train_2.jpg", "EmoLabel/x.png")
    listed = root / "EmoLabel" / "list_patition_label.txt"
    listed.write_text("train_1.jpg 4\ntrain_2.jpg 7\ntrain_3.jpg 1\ntest_1.jpg 5\n")
    dataset = load_dataset("rafdb", root, "six")
    assert [(s.image, s.label, s.part) for s in dataset.samples] == [
        (f"{images}/train_1_aligned.JPG", "happy", "training"),
        (f"{images}/test_1_aligned.jpg", "sadness", "test"),
    ]
    assert dataset.left_out == {
        "listed but not there": ["train_3.jpg"],
        "not in the list": ["EmoLabel/x.png"],
        "with a label outside task six": ["Image/original/train_2.jpg"],
    }
    assert load_dataset("rafdb", root).expected["images"] == 15339
    listed.write_text("train_1.jpg 4\ntrain_1.jpg 5\n")
    with pytest.raises(InputError, match=r"label\.txt:2: train_1\.jpg is listed twice; keep one"):
        load_dataset("rafdb", root)
    listed.write_text("train_1.jpg 4\nimage.jpg 4\n")
    with pytest.raises(InputError, match=r"label\.txt:2: 'image\.jpg 4' is not a picture and a nu"):
        load_dataset("rafdb", root)
    (tmp_path / listed.name).write_text("train_1.jpg 11\n")
    with pytest.raises(InputError, match=r"several lists .*; give RAF-DB's folder basic alone"):
        load_dataset("rafdb", root)


def test_rafdb_by_folders(tmp_path: Path) -> None:
    names = [f"{part}/{code}/x.jpg" for part in ("train", "test") for code in CODES]
    root = photos(tmp_path / "DATASET", *names)
    dataset = load_dataset("rafdb", root)
    assert {s.label for s in dataset.samples if s.part == "test"} == set(dataset.task.labels)
    (root / "train" / "1").rename(root / "train" / "glad")
    with pytest.raises(InputError, match=r"folders glad, where RAF-DB has numbers from 1 to 7"):
        load_dataset("rafdb", root)
    with pytest.raises(InputError, match=rf"neither list_.*; give {root}, which has test"):
        load_dataset("rafdb", tmp_path)
    with pytest.raises(InputError, match=r"neither list_.*; give RAF-DB's folder basic"):
        load_dataset("rafdb", root / "train" / "2")


def test_a_table_of_pixels_becomes_folders(tmp_path: Path, capsys: Output) -> None:
    path = table(tmp_path, *ROWS, header="Emotion, PIXELS, usage")
    assert main(["convert", str(path), str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "6 of 35887   <- 35881 missing" in printed
    assert "--dataset split" in printed
    dataset = load_dataset("split", tmp_path / "out")
    assert dataset.task.labels == ("neutral", "happy")
    assert [s.image for s in dataset.samples if s.part == "test"] == [
        "test/happy/00006.png",
        "test/neutral/00007.png",
    ]
    picture = read_image(tmp_path / "out" / "test" / "happy" / "00006.png")
    assert " ".join(map(str, picture.reshape(64, -1)[:, 0])) == PIXELS


def test_ckplus_tables_have_contempt(tmp_path: Path, capsys: Output) -> None:
    path = table(tmp_path, *ROWS, f"7,{PIXELS},Training")
    assert main(["convert", str(path), str(tmp_path / "out")]) == 0
    assert "7 of 920" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (f"9,{PIXELS},Training", "8: emotion is '9', not a number from 0 to 7"),
        (f"3,{PIXELS},Trainning", "8: Usage is 'Trainning', not Training, PublicTest or Private"),
        ("3,1 2 3,Training", r"8: 3 pixels are no square picture \(FER2013 has 48 x 48"),
        (f"3,{PIXELS.replace('63', 'x')},Training", "8: pixels are not numbers with blanks"),
        (f"3,{PIXELS.replace('63', '256')},Training", "8: pixels are not from 0 to 255"),
    ],
)
def test_a_line_that_is_no_picture_is_named(
    row: str, message: str, tmp_path: Path, capsys: Output
) -> None:
    assert main(["convert", str(table(tmp_path, *ROWS, row)), str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert re.search(rf"fer\.csv:{message}", error), error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (
            "emotion,pixels,Useage",
            ROWS,
            "fer.csv:1: column usage is missing; there are emotion, pixels, useage",
        ),
        ("emotion,pixels,Usage", ROWS[:4], "fer.csv: no line has the Usage PrivateTest"),
        ("emotion,pixels,Usage", ROWS[::2], "fer.csv: has one emotion only"),
    ],
)
def test_a_table_without_a_split_is_refused(
    header: str, rows: list[str], message: str, tmp_path: Path, capsys: Output
) -> None:
    assert main(["convert", str(table(tmp_path, *rows, header=header)), str(tmp_path / "o")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "o").exists()
