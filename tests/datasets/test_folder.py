"""A user's own pictures: label folders, or a CSV file."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.datasets import load_dataset
from i2cnn.util.errors import InputError
from tests.helpers.trees import photos


def test_label_folders(tmp_path: Path) -> None:
    root = photos(tmp_path, "happy/S01_photo.png", "happy/S02_photo.png", "neutral/S01_photo.png")
    (root / "happy" / "notes.txt").write_text("x")
    dataset = load_dataset("folder", root)
    assert dataset.task.labels == ("neutral", "happy")
    assert dataset.subjects == ["S01", "S02"]
    assert dataset.left_out == {"not an image": ["happy/notes.txt"]}


def test_a_csv_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    table = photos(tmp_path, "1.png", "2.png") / "list.csv"
    table.write_text("\ufeffimage,subject,label\r\n1.png,a,joy\r\n2.png,a,calm\r\n")
    assert load_dataset("folder", table).task.labels == ("calm", "joy")


def test_a_csv_image_that_is_missing_is_named_by_line(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("image,subject,label\nnowhere.png,a,joy\n")
    with pytest.raises(InputError, match=r"list.csv:2: no such image: nowhere.png; paths start in"):
        load_dataset("folder", table)


def test_a_csv_file_without_images_is_told_to_list_them(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("image,subject,label\n")
    with pytest.raises(InputError, match="at least two labels are needed, found none; list them"):
        load_dataset("folder", table)


def test_a_csv_file_as_spreadsheets_save_it(tmp_path: Path) -> None:
    """Another letter case, Windows' paths, empty cells at the end."""
    table = photos(tmp_path, "joy/1.png", "calm/2.png") / "list.csv"
    rows = ["Image,SUBJECT,Label,,", "joy\\1.png,a,joy,,", "calm\\2.png,b,calm,,", ",,,,", ",,,,"]
    table.write_text("\r\n".join(rows))
    assert [s.image for s in load_dataset("folder", table).samples] == ["joy/1.png", "calm/2.png"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"image,subject,label\na.png,a,joy,x\n", r"list.csv:2: 4 cells under 3 columns; put a"),
        (b"image,subject,label,label\na.png,a,joy,x\n", r"list.csv:1: column label appears twice"),
        (b"image,subject,label\na.png,a," + b"x" * 140_000, r"list.csv:2: not CSV \(field larger"),
        (
            b'image,subject,label\na.png,"a,joy\na.png,a,joy\n',
            r"list.csv:2: not CSV \(unexpected end",
        ),
        (
            b'image,subject,label\na.png,"a,joy\n"a.png",a,joy\n',
            r"list.csv:2: not CSV .* the quotes",
        ),
        (b"", r"list.csv:1: column image, subject, label is missing; the first line must name"),
    ],
)
def test_what_is_no_table_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png") / "list.csv"
    table.write_bytes(content)
    with pytest.raises(InputError, match=message):
        load_dataset("folder", table)


def test_a_csv_file_in_utf_16_is_read(tmp_path: Path) -> None:
    table = photos(tmp_path, "1.png", "2.png") / "list.csv"
    table.write_text("image,subject,label\n1.png,Zoë,joy\n2.png,a,calm\n", encoding="utf-16")
    assert load_dataset("folder", table).subjects == ["Zoë", "a"]


def test_csv_columns_that_are_missing_are_named(tmp_path: Path) -> None:
    table = tmp_path / "list.csv"
    table.write_text("picture,label\n")
    with pytest.raises(InputError, match="image, subject is missing"):
        load_dataset("folder", table)


def test_blanks_around_folder_names_are_ignored(tmp_path: Path) -> None:
    root = photos(tmp_path, "happy/S01_1.png", "happy /S01 _2.png", "sadness/S02_2.png")
    dataset = load_dataset("folder", root)
    assert dataset.subjects == ["S01", "S02"]
    assert dataset.task.labels == ("happy", "sadness")
    assert {s.image for s in dataset.samples} >= {"happy/S01_1.png", "happy /S01 _2.png"}


def test_names_that_look_alike_are_noted(tmp_path: Path) -> None:
    root = photos(tmp_path, "happy/S01_1.png", "happy /S01 _2.png", "Happy/S02_1.png")
    photos(root, "sadness/S02_2.png", "sadness/s02_3.png")
    dataset = load_dataset("folder", root)
    assert dataset.subjects == ["S01", "S02", "s02"]
    assert dataset.task.labels == ("happy", "sadness", "Happy")
    labels, case, blank = dataset.notes
    assert labels.startswith("labels that differ only by letter case or blanks around them: ")
    assert "'Happy', 'happy', 'happy ';" in labels
    assert "'S01', 'S01 ';" in blank
    assert "'S02', 's02';" in case


def test_blanks_in_a_csv_file_are_ignored_and_noted(tmp_path: Path) -> None:
    root = photos(tmp_path, "a.png", "b.png", "c.png")
    table = root / "list.csv"
    table.write_text("image, subject, label\na.png,S01 ,joy\nb.png, S01,joy \nc.png,S01,calm\n")
    dataset = load_dataset("folder", table)
    assert dataset.subjects == ["S01"]
    assert dataset.task.labels == ("calm", "joy")
    assert ["'joy', 'joy ';" in note for note in dataset.notes] == [True, False]


def test_a_csv_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png") / "list.csv"
    table.write_bytes("image,subject,label\na.png,Zoë,joy\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"list.csv: not a text file in UTF-8; save it as"):
        load_dataset("folder", table)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_columns_may_be_separated_as_spreadsheets_do(mark: str, tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png", "b,c.png") / "list.csv"
    rows = ["image,subject,label", "a.png,a,joy", '"b,c.png",b,calm']
    table.write_text("\n".join(rows).replace(",", mark).replace(f'"b{mark}c.png"', "b,c.png"))
    dataset = load_dataset("folder", table)
    assert [(s.image, s.label) for s in dataset.samples] == [("a.png", "joy"), ("b,c.png", "calm")]


def test_an_image_twice_in_a_csv_file_is_refused(tmp_path: Path) -> None:
    table = photos(tmp_path, "a.png", "b.png") / "list.csv"
    table.write_text("image,subject,label\na.png,a,joy\n\nb.png,b,calm\n./a.png,a,calm\n")
    with pytest.raises(InputError, match=r"list.csv:5: ./a.png is already in line 2"):
        load_dataset("folder", table)


def test_what_was_left_out_is_listed(tmp_path: Path) -> None:
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


def test_a_folder_may_be_named_like_a_csv_file(tmp_path: Path) -> None:
    root = photos(tmp_path / "faces.csv", "joy/a_1.png", "calm/a_2.png")
    assert len(load_dataset("folder", root).samples) == 2


def test_a_label_outside_the_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"joy/a_1\.png: label 'joy' is outside the task 'six'"):
        load_dataset("folder", photos(tmp_path, "joy/a_1.png"), "six")


def test_one_label_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"at least two labels are needed, found \['joy'\]"):
        load_dataset("folder", photos(tmp_path, "joy/a_1.png"))


def test_a_subject_per_image_is_noted(tmp_path: Path) -> None:
    dataset = load_dataset("folder", photos(tmp_path, "joy/a.png", "calm/b.png"))
    assert any("every image has a subject of its own" in text for text in dataset.warnings)
    assert "  WARNING: every image has a subject of its own" in "\n".join(dataset.summary())


def test_folders_of_people_hold_folders_of_labels(tmp_path: Path) -> None:
    names = ["anna/joy/1.png", "anna/calm/1.png", "ben/joy/1.png"]
    dataset = load_dataset("subjects", photos(tmp_path, *names, "ben/2.png", "ben/joy/clip/1.png"))
    assert [(s.image, s.subject, s.label) for s in dataset.samples] == [
        (name, *name.split("/")[:2]) for name in sorted(names)
    ]
    reason = "not in a folder of a label in one of a person"
    assert dataset.left_out == {reason: ["ben/2.png", "ben/joy/clip/1.png"]}


def test_a_list_of_caffes(tmp_path: Path) -> None:
    photos(tmp_path, "a b/anna_1.png", "ben_1.png")
    table = tmp_path / "train.txt"
    table.write_text("a b/anna_1.png 0\n\nben_1.png 1\n")
    dataset = load_dataset("folder", table)
    assert [(s.image, s.subject, s.label) for s in dataset.samples] == [
        ("a b/anna_1.png", "anna", "0"),
        ("ben_1.png", "ben", "1"),
    ]
    assert dataset.root == tmp_path


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nowhere.png 0", "no such image: nowhere.png"),
        (f"{'a' * 300}.png 0", "no such image: aaa"),
        (f"{'a' * 300}/b_1.png 0", "no such image: aaa"),
        (
            "ben_1.png\t1",
            r"'ben_1.png\\t1' is not an image named PERSON_anything, a blank",
        ),
        ("Ben_1.PNG 1", "no such image: Ben_1.PNG; there is ben_1.png, in other letters"),
        ("anna_1.png 2", "anna_1.png is already in line 1"),
    ],
)
def test_what_is_no_list_of_caffes_is_refused(line: str, message: str, tmp_path: Path) -> None:
    table = photos(tmp_path, "anna_1.png", "ben_1.png") / "train.txt"
    table.write_text(f"anna_1.png 0\n{line}\n")
    with pytest.raises(InputError, match=rf"train\.txt:2: {message}"):
        load_dataset("folder", table)


def test_a_list_that_does_not_name_people_is_refused(tmp_path: Path) -> None:
    table = photos(tmp_path, *(f"train_{i}.png" for i in range(4))) / "list.txt"
    table.write_text("".join(f"train_{i}.png {i % 2}\n" for i in range(4)))
    with pytest.raises(InputError, match="the subjects would be train, which are no people"):
        load_dataset("folder", table)


def test_ck48_is_a_folder_with_contempt(tmp_path: Path) -> None:
    labels = ("anger", "contempt", "happy")
    names = [f"{label}/S0{i}_004_0000001{i}.png" for label in labels for i in "123"]
    root = photos(tmp_path, *names)
    dataset = load_dataset("folder", root)
    assert dataset.task.labels == ("anger", "happy", "contempt")
    assert dataset.subjects == ["S01", "S02", "S03"]
    six = load_dataset("folder", root, "six")
    assert six.left_out == {"with a label outside task six": sorted(names)[3:6]}
    assert six.found()["images"] == 6


def test_a_label_folder_in_place_of_the_set_is_told(tmp_path: Path) -> None:
    root = photos(tmp_path, "joy/a_1.png", "calm/b_1.png") / "joy"
    reason = r"at least two labels .*; if 'joy' is a label or a person, give the folder that it is"
    with pytest.raises(InputError, match=reason):
        load_dataset("folder", root)


@pytest.mark.parametrize("name", ["happy/S01\r_1.png", "hap\rpy/S01_1.png", "happy/S01_1\r.png"])
def test_a_name_that_would_break_a_table_is_refused(tmp_path: Path, name: str) -> None:
    root = photos(tmp_path, name, "neutral/S01_2.png")
    with pytest.raises(InputError, match="a carriage return in a name; rename it"):
        load_dataset("folder", root)
