"""Many pictures at a time, and tables of their answers."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.many import to_frame
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.svm.person_reference import PersonReference
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image

PICTURES = sorted(embedded_root().glob("*.png"))[::90]


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser("smile", whole=True)


def test_answers_come_in_order_and_are_those_of_one_picture(recogniser: Recogniser) -> None:
    given: list[Any] = [PICTURES[0], str(PICTURES[1]), Image.open(PICTURES[2])]
    given.append(read_image(PICTURES[3]))
    results = list(recogniser.predict_many(given, workers=2))
    assert [result.picture for result in results[:3]] == given[:3]
    assert [result.file for result in results] == [str(PICTURES[0]), given[1], None, None]
    for path, result in zip(PICTURES, results, strict=False):
        assert result.faces[0].scores == recogniser.predict(path)[0].scores


def test_a_bad_picture_does_not_stop_the_others(recogniser: Recogniser, tmp_path: Path) -> None:
    bad = tmp_path / "bad.png"
    bad.write_text("x")
    first, second = recogniser.predict_many([bad, PICTURES[0]])
    assert (first.faces, first.error[:20]) == ([], f"{bad}"[:20])
    assert "not a picture" in first.error
    assert second.faces
    assert json.loads(json.dumps([first.to_dict(), second.to_dict()]))[1]["error"] is None


def test_pictures_are_read_as_they_are_needed(recogniser: Recogniser) -> None:
    taken = []
    endless = (taken.append(1) or PICTURES[0] for _ in itertools.count())  # type: ignore[func-returns-value]
    results = recogniser.predict_many(endless, workers=2)
    assert next(results).faces
    assert len(taken) <= 5
    results.close()  # type: ignore[attr-defined]


def test_an_unforeseen_error_is_raised(
    recogniser: Recogniser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Recogniser, "predict", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(recogniser.predict_many(PICTURES[:2]))


def test_a_table_has_the_columns_of_the_command_line(
    recogniser: Recogniser, tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    bad = tmp_path / "bad.png"
    bad.write_text("x")
    frame = to_frame(recogniser.predict_many([bad, *PICTURES[:2]]))
    words = ["predict", "--whole", *map(str, PICTURES[:2]), "--model=smile"]
    assert main([*words, f"--csv={tmp_path / 'faces.csv'}"]) == 0
    with open(tmp_path / "faces.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert list(frame.columns) == [*header[:-1], "error"]
    assert pandas.isna(frame["face"][0])
    assert "not a picture" in frame["error"][0]
    numbers = [name for name in header if name.endswith(("_x", "_y", "width", "height"))]
    expected = [[float(row[header.index(name)]) for name in numbers] for row in rows]
    np.testing.assert_allclose(frame[numbers][1:].to_numpy(float), expected, atol=0.006)


def test_a_table_of_nothing_is_empty() -> None:
    pytest.importorskip("pandas")
    assert len(to_frame([])) == 0


@pytest.mark.parametrize("given", ["a.png", Path("a.png"), np.zeros((9, 9, 3), np.uint8)])
def test_one_picture_is_no_list_of_pictures(recogniser: Recogniser, given: Any) -> None:
    with pytest.raises(InputError, match=r"one picture \(a \w+\) is no list of them; give \[it\]"):
        recogniser.predict_many(given)
    with pytest.raises(InputError, match="one picture"):
        Recogniser("faces-7").reference_from(given)


def test_no_workers_are_refused(recogniser: Recogniser) -> None:
    with pytest.raises(InputError, match="workers must be at least 1, not 0"):
        recogniser.predict_many([], workers=0)


def test_a_file_is_no_reference_yet() -> None:
    recogniser, given = Recogniser("faces-7", whole=True), cast(PersonReference, "a.ref")
    with pytest.raises(InputError, match=r"a reference cannot be a str; .*load_reference"):
        recogniser.predict(PICTURES[0], given)
    with pytest.raises(InputError, match="a reference cannot be a str"):
        recogniser.predict_many(PICTURES, reference=given)


@pytest.mark.parametrize(("engine", "device"), [("tf", "cpu"), ("torch", "gpu")])
def test_what_a_recogniser_does_not_use_is_checked_all_the_same(engine: str, device: str) -> None:
    with pytest.raises(InputError, match=f"unknown .* '{device if engine == 'torch' else engine}'"):
        Recogniser("smile", engine, device)
