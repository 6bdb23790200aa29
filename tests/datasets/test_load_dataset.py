"""`load_dataset`: the door to all readers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from i2cnn.datasets import DATASETS, load_dataset
from i2cnn.datasets.labels import SIX
from i2cnn.util.errors import InputError
from tests.helpers.trees import photos

KINDS = pytest.mark.parametrize("kind", DATASETS)


@KINDS
def test_a_file_is_not_a_folder(kind: str, tmp_path: Path) -> None:
    path = photos(tmp_path, "x.png") / "x.png"
    wanted = "is a file; give the folder" + (".*or a CSV file" if kind == "folder" else "")
    with pytest.raises(InputError, match=rf"x\.png: {wanted}"):
        load_dataset(kind, path)


@KINDS
def test_a_missing_folder_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_dataset(kind, tmp_path / "nowhere", "seven")


@KINDS
def test_an_empty_folder_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=str(tmp_path)):
        load_dataset(kind, tmp_path)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("jaffe", ("KA.AN1.39.png", "KA.HA1.29.png")),
        ("kdef", ("AF01ANS.png", "AF01HAS.png")),
        ("rafdb", ("train_00001_aligned.png", "test_0001_aligned.png")),
    ],
)
def test_pictures_in_a_linked_folder_are_found(
    kind: str, names: tuple[str, ...], tmp_path: Path
) -> None:
    elsewhere = photos(tmp_path / "elsewhere", *names)
    (elsewhere / "list_patition_label.txt").write_text("train_00001.jpg 6\ntest_0001.jpg 4\n")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "link").symlink_to(elsewhere)
    dataset = load_dataset(kind, tmp_path / "set")
    assert {s.image for s in dataset.samples} == {f"link/{name}" for name in names}


def test_an_unknown_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown data set 'fer'; choose one of jaffe, .* folder"):
        load_dataset("fer", tmp_path)
    with pytest.raises(InputError, match="unknown data set 'fer'"):
        load_dataset("fer")


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(InputError, match=r"unknown task 'nine'; choose one of six, seven"):
        load_dataset("synthetic", None, "nine")


def test_only_ckplus_and_folders_have_contempt() -> None:
    with pytest.raises(InputError, match="synthetic has no contempt; use --task seven or six"):
        load_dataset("synthetic", None, "eight")


def test_only_the_embedded_set_needs_no_folder() -> None:
    with pytest.raises(InputError, match="'jaffe' needs the path of your copy"):
        load_dataset("jaffe", None)


def test_a_kind_given_as_a_folder_is_explained() -> None:
    with pytest.raises(InputError, match="chosen by --dataset jaffe"):
        load_dataset("jaffe", Path("jaffe"))


def test_counts_of_labels_stand_below_one_another(tmp_path: Path) -> None:
    labels = ("very pleased indeed", "嬉しい", "calm")
    dataset = load_dataset("folder", photos(tmp_path, *(f"{label}/a_1.png" for label in labels)))
    counts = [line for line in dataset.summary() if line.startswith("  ") and line.endswith(" 1")]
    columns = {cell_len(line) for line in counts}
    assert columns == {27}


def test_the_account_of_a_data_set_is_json() -> None:
    account = load_dataset("synthetic", None, "six").to_json()
    assert json.loads(json.dumps(account)) == account
    assert account["task"] == {"name": "six", "labels": list(SIX.labels)}
    assert account["found"]["images"] == account["expected"]["images"] == 360
