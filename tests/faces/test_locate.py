"""From a data set to its faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn import __version__
from i2cnn.datasets import embedded_root, load_dataset
from i2cnn.datasets.base import Dataset, Sample
from i2cnn.faces.finder import Detection, FaceFinder, shared_finder
from i2cnn.faces.journal import Journal, open_journal
from i2cnn.faces.locate import LeaveOut, locate_faces
from i2cnn.faces.table import Face, write_faces_csv
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.images import read_image, write_image
from tests.helpers.faces import some_dataset
from tests.helpers.trees import photos


def test_given_landmarks_are_taken() -> None:
    dataset = some_dataset(100)
    located = locate_faces(dataset)
    faces, notes = located.faces, located.notes
    assert {f.found for f in faces} == {"given"}
    assert notes == []
    for face, sample in zip(faces, dataset.samples, strict=True):
        np.testing.assert_array_equal(face.points, np.array(sample.points))


def test_a_face_keeps_what_its_sample_says() -> None:
    dataset = some_dataset(100)
    face, sample = locate_faces(dataset).faces[0], dataset.samples[0]
    assert (face.image, face.subject, face.sequence, face.frame, face.label) == (
        sample.image,
        sample.subject,
        sample.sequence,
        sample.frame,
        sample.label,
    )


def test_the_box_around_given_landmarks_holds_them() -> None:
    for face in locate_faces(some_dataset(100)).faces:
        x, y, width, height = face.box
        assert (face.points > (x, y)).all()
        assert (face.points < (x + width, y + height)).all()


def test_each_sample_is_reported() -> None:
    calls = []
    locate_faces(some_dataset(100), update=lambda done, total: calls.append((done, total)))
    assert calls == [(n, 5) for n in range(1, 6)]


def test_impossible_given_landmarks_are_refused() -> None:
    dataset = some_dataset(100)
    flat = replace(dataset.samples[0], points=((1, 1),) * 5)
    dataset.samples = [flat]
    with pytest.raises(InputError, match=r"the data set's own landmarks: the eyes coincide"):
        locate_faces(dataset)


def test_pictures_that_are_one_face_are_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is found by searching is not theirs, nor the other way round.
    monkeypatch.setattr(Journal, "add", lambda *_: pytest.fail("kept for a search"))
    dataset = some_dataset(100)
    own = replace(dataset, samples=[replace(s, points=None) for s in dataset.samples])
    found = locate_faces(own, FaceFinder(whole=True), table=tmp_path / "faces.csv")
    assert {face.found for face in found.faces} == {"whole"}
    assert found.faces[0].box == (0, 0, 256, 256)


def test_a_doubtful_face_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = some_dataset(100)
    one = replace(dataset, samples=[replace(dataset.samples[0], points=None)])
    face = Detection((0, 0, 9, 9), np.array(dataset.samples[0].points), "dlib-doubtful")
    monkeypatch.setattr(FaceFinder, "find_one", lambda *_: (face, 1))
    found = locate_faces(one, shared_finder())
    assert found.notes == [f"{one.samples[0].image}: a doubtful face (dlib-doubtful)"]


def test_an_image_with_two_faces_is_noted(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    image = read_image(embedded_root() / dataset.samples[0].image)
    write_image(tmp_path / "two.png", np.hstack([image, image]))
    two = replace(dataset, root=tmp_path, samples=[Sample("two.png", "S01", "happy")])
    located = locate_faces(two, shared_finder())
    assert len(located.faces) == 1
    assert located.notes == ["two.png: 2 faces, the largest was taken"]


@pytest.fixture
def set_with_faults(tmp_path: Path) -> Dataset:
    """Six pictures of two labels: one is no picture, one shows no face."""
    root = photos(tmp_path, *(f"{label}/{who}_1.png" for label in ("joy", "calm") for who in "abc"))
    (root / "joy/b_1.png").write_text("no picture")
    write_image(root / "calm/c_1.png", np.full((150, 150), 128, np.uint8))
    return load_dataset("folder", root)


def test_the_first_bad_picture_stops_everything_and_names_the_way_on(
    set_with_faults: Dataset,
) -> None:
    with pytest.raises(InputError, match=r"joy/b_1\.png: .*; or leave it out with --skip-bad"):
        locate_faces(set_with_faults, shared_finder())


def test_bad_pictures_are_left_out_and_listed(set_with_faults: Dataset) -> None:
    located = locate_faces(set_with_faults, shared_finder(), leave_out=LeaveOut(bad=True))
    assert [f.image for f in located.faces] == [
        s.image for s in set_with_faults.samples if s.image != "joy/b_1.png"
    ]
    reason, total, warning = located.account("correct them")
    assert reason.startswith("left out: ")
    assert "joy/b_1.png: not a picture" in reason
    assert total == "1 of 6 pictures were left out"
    assert warning.startswith("WARNING: no face was found in 1 of 5 pictures (calm/c_1.png). Their")
    assert warning.endswith("GUESSED, as if the face filled the picture: correct them")
    kept = located.kept_of(set_with_faults)
    assert len(kept.samples) == 5
    assert kept.left_out == {"that cannot be used": ["joy/b_1.png"]}


def test_guessed_faces_can_be_left_out(set_with_faults: Dataset) -> None:
    both = LeaveOut(bad=True, guessed=True)
    located = locate_faces(set_with_faults, shared_finder(), leave_out=both)
    assert len(located.faces) == 4
    assert located.guessed == ["calm/c_1.png"]
    assert located.account("")[1:] == [
        "left out: calm/c_1.png: no face was found",
        "2 of 6 pictures were left out",
    ]


def test_a_picture_that_is_too_small_for_a_face_is_bad(set_with_faults: Dataset) -> None:
    """A table with the landmarks that would be guessed in it could not be read."""
    dot = set_with_faults.root / "joy/b_1.png"
    write_image(dot, np.zeros((1, 1), np.uint8))
    with pytest.raises(InputError, match=r"joy/b_1\.png: is too small to show a face; or leave it"):
        locate_faces(set_with_faults, shared_finder())
    located = locate_faces(set_with_faults, shared_finder(), leave_out=LeaveOut(bad=True))
    assert list(located.bad) == ["joy/b_1.png"]
    located = locate_faces(set_with_faults, shared_finder(), leave_out=LeaveOut(guessed=True))
    assert sorted(located.guessed) == ["calm/c_1.png", "joy/b_1.png"]


def test_given_landmarks_of_an_unreadable_picture_are_not_enough(tmp_path: Path) -> None:
    dataset = some_dataset(100)
    root = photos(tmp_path, *(s.image for s in dataset.samples))
    bad = dataset.samples[1].image
    (root / bad).write_bytes(b"")
    dataset = replace(dataset, root=root)
    with pytest.raises(InputError, match=f"{bad}: the file is empty"):
        locate_faces(dataset)


def test_a_label_that_loses_all_its_pictures_is_named(set_with_faults: Dataset) -> None:
    for sample in set_with_faults.samples:
        if sample.label == "joy":
            (set_with_faults.root / sample.image).write_text("no picture")
    with pytest.raises(
        InputError, match=r"no picture with the label joy can be used; the first: .*"
    ):
        locate_faces(set_with_faults, shared_finder(), leave_out=LeaveOut(bad=True))


def test_a_finder_that_cannot_start_is_no_bad_picture(
    set_with_faults: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("i2cnn.faces.detector.find_landmark_model", lambda: None)
    with pytest.raises(InputError, match="landmark model is missing"):
        locate_faces(set_with_faults, leave_out=LeaveOut(bad=True))


class CountingFinder(FaceFinder):
    """A finder that notes how often it was asked, and that is interrupted after some pictures."""

    def __init__(self, most: int = 100) -> None:
        self.asked, self.most, self.whole = 0, most, False

    def find_one(self, image: UInt8Array) -> tuple[Detection, int]:
        if self.asked == self.most:
            raise KeyboardInterrupt
        self.asked += 1
        return shared_finder().find_one(image)


def test_an_interrupted_search_continues(tmp_path: Path) -> None:
    names = [f"{label}/{who}_1.png" for label in ("joy", "calm") for who in "abc"]
    dataset = load_dataset("folder", photos(tmp_path / "set", *names))
    for number, sample in enumerate(dataset.samples):  # no two with the same content
        with open(dataset.root / sample.image, "ab") as file:
            file.write(bytes([number]))
    table = tmp_path / "faces.csv"
    with pytest.raises(KeyboardInterrupt):
        locate_faces(dataset, CountingFinder(4), table=table)
    journal = tmp_path / "faces.csv.partial"
    # Killed within a line; and one picture has changed since.
    journal.write_bytes(journal.read_bytes()[:-20])
    (dataset.root / dataset.samples[0].image).write_bytes(
        (dataset.root / dataset.samples[4].image).read_bytes() + b"x"
    )
    finder = CountingFinder()
    resumed = locate_faces(dataset, finder, table=table)
    assert finder.asked == 6 - 4 + 2
    again = CountingFinder()
    assert_same_faces(locate_faces(dataset, again, table=table).faces, resumed.faces)
    assert again.asked == 0
    assert_same_faces(locate_faces(dataset, shared_finder()).faces, resumed.faces)
    write_faces_csv(table, resumed.faces)
    assert not journal.exists()


def assert_same_faces(first: list[Face], second: list[Face]) -> None:
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.points, b.points)
        nothing = {"points": None}
        assert replace(a, **nothing) == replace(b, **nothing)


#: Of this version, with the first landmark's x to be filled in.
LINE = (
    f'{{"key": "i2cnn {__version__}", "picture": "DIGEST", "box": [0, 0, 1, 1], "found": "dlib", '
    '"count": 1, "points": [[%s, 0], [9, 0], [4, 4], [1, 9], [8, 9]]}'
)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "{}",
        '{"key": "another version", "picture": "x", "box": [0, 0, 1, 1], "points": [], "count": 1}',
        "[" * 100_000,
        "\x00\ufffd",
        LINE % '"x"',
        LINE % "NaN",
    ],
)
def test_lines_of_another_kind_do_not_count(line: str, tmp_path: Path) -> None:
    dataset = load_dataset("folder", photos(tmp_path / "set", "joy/a_1.png", "calm/a_2.png"))
    line = line.replace("DIGEST", file_digest(dataset.root / dataset.samples[0].image))
    (tmp_path / "faces.csv.partial").write_text(line)
    finder = CountingFinder()
    assert len(locate_faces(dataset, finder, table=tmp_path / "faces.csv").faces) == 2
    assert finder.asked == 2


def test_two_processes_do_not_make_one_table(tmp_path: Path) -> None:
    dataset = load_dataset("folder", photos(tmp_path / "set", "joy/a_1.png", "calm/a_2.png"))
    with (
        open_journal(tmp_path / "faces.csv"),
        pytest.raises(InputError, match=r"faces\.csv: another process is making it"),
    ):
        locate_faces(dataset, CountingFinder(), table=tmp_path / "faces.csv")
    assert not (tmp_path / "faces.csv.partial").exists()


def test_a_table_that_cannot_be_written_is_refused_before_the_search(tmp_path: Path) -> None:
    dataset = load_dataset("folder", photos(tmp_path / "set", "joy/a_1.png", "calm/a_2.png"))
    (tmp_path / "file").write_text("")
    finder = CountingFinder()
    with pytest.raises(InputError, match="cannot be written"):
        locate_faces(dataset, finder, table=tmp_path / "file" / "faces.csv")
    assert finder.asked == 0


def test_a_label_may_be_lost_where_not_each_is_needed(tmp_path: Path) -> None:
    dataset = some_dataset(210)
    first, second = dataset.samples
    gone = replace(first, image="gone.png", label="anger")
    dataset.samples = [gone, replace(second, label="fear")]
    bad = LeaveOut(bad=True)
    with pytest.raises(InputError, match="no picture with the label anger can be used; the first"):
        locate_faces(dataset, leave_out=bad)
    assert len(locate_faces(dataset, leave_out=bad, every_label=False).faces) == 1
    dataset.samples = dataset.samples[:1]
    with pytest.raises(InputError, match="no picture with the label anger can be used; the first"):
        locate_faces(dataset, leave_out=bad, every_label=False)
