"""The page of `i2cnn faces --review`: what it saves, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.faces.table import (
    Face,
    left_out_rows,
    read_all_rows,
    read_faces_csv,
    write_faces_csv,
)
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image
from tests.helpers.faces import some_faces
from tests.helpers.pages import request, serving

Output = pytest.CaptureFixture[str]


def table_of(folder: Path) -> Path:
    """Six faces, one of them guessed and one doubtful, beside their pictures."""
    faces = some_faces(6)
    for face in faces:
        shutil.copy(embedded_root() / face.image, folder)
    faces[2] = replace(faces[2], found="prior")
    faces[4] = replace(faces[4], found="dlib-doubtful")
    write_faces_csv(folder / "faces.csv", faces)
    return folder / "faces.csv"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table_of(tmp_path_factory.mktemp("faces"))


@pytest.fixture
def table(pristine: Path, tmp_path: Path) -> Path:
    """A table to change; its pictures are beside the other one."""
    return Path(shutil.copy(pristine, tmp_path))


@pytest.fixture
def review(table: Path, pristine: Path) -> Any:
    from i2cnn.pages.review import Review

    return Review(table, pristine.parent)


@pytest.fixture
def url(review: Any) -> Iterator[str]:
    from i2cnn.pages.review import review_app

    with serving(review_app(review)) as url:
        yield url


def decide(review: Any, number: int, decision: Any, points: Any) -> Any:
    """As the page's request does."""
    from i2cnn.pages.review import parse_decision

    body = json.dumps({"decision": decision, "points": points}).encode()
    return review.decide(number, *parse_decision(body))


def test_doubtful_faces_come_first(review: Any) -> None:
    faces = review.faces()["faces"]
    assert [(face["number"], face["check"]) for face in faces[:3]] == [
        (2, True),
        (4, True),
        (0, False),
    ]
    assert {face["decision"] for face in faces} == {"as-found"}


def test_faces_that_an_earlier_review_left_out_come_last(table: Path, review: Any) -> None:
    from i2cnn.pages.review import Review

    decide(review, 0, "left-out", read_all_rows(table)[0].points.tolist())
    again = Review(table, table.parent).faces()["faces"]
    assert [again[i]["number"] for i in (0, 1, -1)] == [2, 4, 0]


def test_a_table_without_a_row_is_not_reviewed(table: Path) -> None:
    from i2cnn.pages.review import Review

    write_faces_csv(table, [])
    with pytest.raises(InputError, match=r"faces\.csv: there are no faces in it"):
        Review(table, table.parent)


def test_a_column_of_ones_own_is_not_lost(table: Path) -> None:
    from i2cnn.pages.review import Review

    lines = table.read_text().splitlines()
    table.write_text("\n".join([f"{lines[0]},Notes", *(f"{line},mine" for line in lines[1:])]))
    before = table.read_bytes()
    with pytest.raises(InputError, match="without its column notes"):
        Review(table, table.parent)
    assert table.read_bytes() == before


def test_moved_points_are_saved_as_manual(review: Any, table: Path) -> None:
    before = read_all_rows(table)
    moved = (before[2].points + 3.25).tolist()
    assert decide(review, 2, "manual", moved)["decision"] == "manual"
    after = read_all_rows(table)
    assert after[2].found == "manual"
    np.testing.assert_allclose(after[2].points, moved)
    assert after[2].box != before[2].box
    assert [f.image for f in after] == [f.image for f in before]
    assert [f.found for i, f in enumerate(after) if i != 2] == [
        f.found for i, f in enumerate(before) if i != 2
    ]


def test_a_face_that_is_right_keeps_its_box(review: Any, table: Path) -> None:
    before = read_all_rows(table)[4]
    decide(review, 4, "manual", before.points.tolist())
    after = read_all_rows(table)[4]
    assert (after.found, after.box) == ("manual", before.box)


@pytest.mark.parametrize("decision", ["no-face", "left-out"])
def test_what_is_left_out_stays_in_the_table_and_is_not_used(
    review: Any, table: Path, decision: str
) -> None:
    before = read_all_rows(table)
    decide(review, 2, decision, before[2].points.tolist())
    assert len(read_all_rows(table)) == 6
    assert len(read_faces_csv(table)) == 5
    assert left_out_rows(table) == {decision: [before[2].image]}
    # Undone.
    decide(review, 2, "as-found", before[2].points.tolist())
    assert read_all_rows(table)[2].found == "prior"
    assert left_out_rows(table) == {}


def test_undoing_gives_the_old_table(review: Any, table: Path) -> None:
    content = table.read_bytes()
    points = read_all_rows(table)[0].points
    for decision, shift in (("manual", 5), ("no-face", 5), ("manual", 5), ("as-found", 0)):
        decide(review, 0, decision, (points + shift).tolist())
    assert table.read_bytes() == content


@pytest.mark.parametrize(
    ("number", "decision", "points", "reason"),
    [
        (0, "manual", [[5, 5]] * 5, "eyes coincide"),
        (0, "manual", [[0, 0], [9, 0], [5, 0], [0, 0], [9, 0]], "lie on one line"),
        (0, "manual", [[1e9, 5]] * 5, "more than a million pixels away"),
        (0, "manual", [[1, 2]] * 4, "points are five pairs"),
        (0, "manual", [[1, 2, 3]] * 5, "points are five pairs"),
        (0, "manual", [[1, None]] * 5, "points are five pairs"),
        (0, "manual", "x", "an object with"),
        (0, "perhaps", [[1, 2]] * 5, "a decision is one of as-found, manual, no-face, left-out"),
        (0, ["manual"], [[1, 2]] * 5, "a decision is one of"),
        (6, "no-face", [[1, 2]] * 5, "there is no face 6"),
        (-1, "no-face", [[1, 2]] * 5, "there is no face -1"),
    ],
)
def test_what_cannot_be_saved_is_refused(
    review: Any, table: Path, number: int, decision: Any, points: Any, reason: str
) -> None:
    content = table.read_bytes()
    with pytest.raises(InputError, match=reason):
        decide(review, number, decision, points)
    assert table.read_bytes() == content


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 5000, b'{"decision": NaN}'])
def test_bodies_that_are_no_decision_are_refused(body: bytes) -> None:
    from i2cnn.pages.review import parse_decision

    with pytest.raises(InputError, match="a decision is an object"):
        parse_decision(body)


def test_requests_are_answered_or_refused(url: str, table: Path) -> None:
    content = table.read_bytes()
    body = json.dumps({"decision": "no-face", "points": [[1, 2]] * 5}).encode()
    path = "/api/faces/0"
    for status, (given, headers) in (
        (400, (b"{", {})),
        (413, (bytes(10_001), {})),
        (403, (body, {"Origin": "http://evil.example"})),
    ):
        assert request(url, "POST", path, given, **headers)[0] == status
    assert request(url, "GET", "/api/faces/99/picture")[0] == 400
    assert table.read_bytes() == content
    assert request(url, "POST", path, body)[0] == 200
    assert table.read_bytes() != content


def test_a_table_that_another_program_changed_is_not_overwritten(review: Any, table: Path) -> None:
    table.write_text(table.read_text() + "\n")
    content = table.read_bytes()
    with pytest.raises(InputError, match="was changed by another program"):
        decide(review, 0, "no-face", [[1, 2]] * 5)
    assert table.read_bytes() == content


def test_a_table_that_cannot_be_written_is_told(
    review: Any, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("i2cnn.util.files.os.replace", full)
    with pytest.raises(InputError, match=r"cannot be written \(No space left on device\)"):
        decide(review, 0, "no-face", [[1, 2]] * 5)
    assert {face["decision"] for face in review.faces()["faces"]} == {"as-found"}


def test_large_pictures_are_sent_smaller(table: Path, pristine: Path, tmp_path: Path) -> None:
    from i2cnn.pages.review import Review

    name = read_all_rows(table)[0].image
    image = cv2.resize(read_image(pristine.parent / name), (2000, 3000))
    write_image(tmp_path / name, np.asarray(image))
    sent, size = Review(table, tmp_path).picture(0)
    assert (sent.shape[:2], size) == ((1600, 1067), (2000, 3000))


def test_faces_does_not_overwrite_corrections(table: Path, capsys: Output) -> None:
    faces = read_all_rows(table)
    write_faces_csv(table, [replace(faces[0], found="manual"), *faces[1:]])
    assert main(["faces", "--out", str(table)]) == 1
    assert "1 of its rows were corrected by a person" in capsys.readouterr().err


def test_steps_say_what_the_table_leaves_out(
    table: Path, pristine: Path, tmp_path: Path, capsys: Output
) -> None:
    faces: list[Face] = read_all_rows(table)
    write_faces_csv(table, [replace(faces[0], found="no-face"), *faces[1:]])
    command = [
        "patches",
        str(table),
        f"--root={pristine.parent}",
        "--out",
        str(tmp_path / "db"),
        "--k=1",
        "--size=32",
    ]
    assert main(command) == 0
    printed = capsys.readouterr()
    assert "1 rows are no-face: not used" in printed.err
    assert "5" in printed.out
