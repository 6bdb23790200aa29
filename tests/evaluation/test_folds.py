"""Folds keep people apart."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn.datasets import load_dataset
from i2cnn.evaluation.folds import check_folds, make_folds, read_folds, write_folds
from i2cnn.evaluation.inputs import folds_of_dataset
from i2cnn.util.errors import InputError
from tests.helpers.reports import report_of
from tests.helpers.trees import photos

PEOPLE = [f"S{i:02d}" for i in range(20) for _ in range(7)]
LABELS = list("abcdefg") * 20


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(1, 6), min_size=3, max_size=25),
    n_folds=st.integers(3, 10),
    seed=st.integers(0, 100),
)
def test_every_subject_is_tested_once_and_never_leaks(counts, n_folds, seed) -> None:
    subjects = [f"p{i}" for i, n in enumerate(counts) for _ in range(2 * n)]
    labels = ["ab"[i % 2] for i in range(len(subjects))]
    if len(counts) < n_folds:
        with pytest.raises(InputError, match=f"use --folds {len(counts)}"):
            make_folds(subjects, labels, n_folds, seed)
        return
    if sum(counts) < n_folds < len(counts):
        with pytest.raises(InputError, match=f"no label has {n_folds} faces"):
            make_folds(subjects, labels, n_folds, seed)
        return
    folds = make_folds(subjects, labels, n_folds, seed)
    everyone = set(subjects)
    tested = [s for fold in folds.folds for s in fold.test]
    assert sorted(tested) == sorted(everyone)
    for fold in folds.folds:
        sides = [set(fold.test), set(fold.validation), set(fold.training)]
        assert all(sides)
        assert set.union(*sides) == everyone
        assert sum(map(len, sides)) == len(everyone)


def test_ten_subjects_make_ten_folds_of_one() -> None:
    folds = make_folds(PEOPLE[:70], LABELS[:70], 10, 0)
    assert all(len(f.test) == 1 and len(f.training) == 8 for f in folds.folds)


def test_file_round_trip(tmp_path: Path) -> None:
    folds = make_folds(PEOPLE, LABELS, 5, 3)
    write_folds(tmp_path / "folds.json", folds)
    assert read_folds(tmp_path / "folds.json") == folds
    assert folds.digest == make_folds(PEOPLE, LABELS, 5, 3).digest
    assert folds.digest != make_folds(PEOPLE, LABELS, 5, 4).digest


def test_edited_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "folds.json"
    write_folds(path, make_folds(PEOPLE, LABELS, 5, 3))
    good = json.loads(path.read_text())

    def check(message: str) -> None:
        with pytest.raises(InputError, match=message):
            read_folds(path)

    person = good["folds"][0]["test"][0]
    bad = json.loads(json.dumps(good))
    bad["folds"][0]["training"].append(person)
    path.write_text(json.dumps(bad))
    check(f"{person} in test and in training")
    bad = json.loads(json.dumps(good))
    bad["folds"][1]["test"].append(person)
    bad["folds"][1]["training"].remove(person)
    path.write_text(json.dumps(bad))
    check("tested in fold 1 and again in fold 2")
    bad = json.loads(json.dumps(good))
    bad["seed"] = 99
    path.write_text(json.dumps(bad))
    check("digest does not match")
    bad = json.loads(json.dumps(good))
    bad["folds"][0]["training"].append(bad["folds"][0]["training"][0])
    path.write_text(json.dumps(bad))
    check(r"folds\.json: fold 1 has subject S\d+ in training and in training; it must be on one")
    path.write_text("{}")
    check("not a fold file")
    path.write_text("no json")
    check("not valid JSON")


def test_a_class_absent_from_a_training_fold_is_named() -> None:
    # Only two people are surprised; in one fold one of them tests and the other validates.
    subjects = [f"S{i:02d}" for i in range(5) for _ in range(2)]
    labels = ["happy", "neutral"] * 5
    folds = make_folds(subjects, labels, 5, 0)
    order = [fold.test[0] for fold in folds.folds]
    for person in order[2], order[3]:
        subjects.append(person)
        labels.append("surprise")
    names = ", ".join(sorted(order[2:4]))
    message = f"fold 3 has no 'surprise' to train on: only {names} show it, and test or.*add images"
    with pytest.raises(InputError, match=message):
        make_folds(subjects, labels, 5, 0)
    # A third person's surprise is enough.
    assert len(make_folds([*subjects, order[0]], [*labels, "surprise"], 5, 0)) == 5


@pytest.mark.parametrize("number", [-1, 0, 1, 2])
def test_fewer_than_three_folds_are_too_few(number: int) -> None:
    with pytest.raises(InputError, match=r"too few: one tests, .*; use --folds 3 or more"):
        make_folds(PEOPLE, LABELS, number, 0)


@pytest.mark.parametrize(("people", "said"), [(1, "1 subject"), (2, "2 subjects")])
def test_too_few_people_are_not_told_to_use_fewer_folds(people: int, said: str) -> None:
    message = f"^{said} cannot make 3 .*; add pictures: even --folds 3, the fewest, needs"
    with pytest.raises(InputError, match=message):
        make_folds(PEOPLE[: 7 * people], LABELS[: 7 * people], 3, 0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("labels", "folds", "message"),
    [
        ("aabbccdd", 4, "no label has 4 faces, one for each fold; add pictures: even --folds 3"),
        ("aaabbbcc", 4, "no label has 4 faces, one for each fold; use --folds 3$"),
        ("aaaaabbb", 6, "no label has 6 faces, one for each fold; use --folds 5 or fewer"),
    ],
)
def test_fewer_faces_per_label_than_folds(labels: str, folds: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_folds([f"p{i}" for i in range(len(labels))], list(labels), folds, 0)


@pytest.mark.filterwarnings("error")
def test_a_rare_label_is_no_reason_for_a_warning() -> None:
    """The splitter's own; whether each fold can train on a label is checked apart."""
    subjects, labels = [*PEOPLE, *PEOPLE[:28:7]], [*LABELS, *"hhhh"]
    assert len(make_folds(subjects, labels, 5, 0)) == 5


def test_check_folds_names_the_source() -> None:
    from i2cnn.evaluation.folds import Fold, Folds

    with pytest.raises(InputError, match=r"x\.json: fold 1 has no subject for validation"):
        check_folds(Folds(0, (Fold(("a",), (), ("b",)),)), "x.json")


def test_what_was_found_is_told_where_it_makes_no_folds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"{label}/{person}_1.png" for label in ("joy", "calm") for person in "abcd"]
    dataset = load_dataset("folder", photos(tmp_path, *names, "Joy/a_2.png"))
    wanted = replace(report_of([]).settings, dataset="folder", task="folder", folds=4)
    with pytest.raises(InputError, match="no 'Joy' to train on: only a shows it, and tests"):
        folds_of_dataset(dataset, wanted)
    assert "labels that differ only by letter case" in capsys.readouterr().err
