"""What is said of pictures, and that they are worked on ahead, in threads."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from i2cnn.cli.answers import Answer, FaceLines, print_picture, print_total, work_ahead
from i2cnn.cli.pictures import Picture
from i2cnn.faces.finder import Detection
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.util.arrays import UInt8Array


def test_answers_and_what_is_said_of_pictures_come_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("i2cnn.cli.answers.available_cores", lambda: 2)
    pages = [Image.fromarray(np.full((20, 20 + side), side, np.uint8)) for side in range(4)]
    for number, page in enumerate(pages):
        page.save(tmp_path / f"{number}.tif", save_all=True, append_images=[page] * (number + 1))
    (tmp_path / "bad.tif").write_text("x")
    names = ["0.tif", "1.tif", "bad.tif", "2.tif", "3.tif"]
    later = threading.Event()

    def work(image: UInt8Array) -> int:
        if image.shape[1] == 20:
            assert later.wait(10)  # the first picture is done after the second
        later.set()
        return image.shape[1]

    pictures = [Picture(tmp_path / name, tmp_path) for name in names]
    done = list(work_ahead(work, pictures))
    assert [picture for picture, _, _ in done] == pictures
    assert [r for _, _, r in done if not isinstance(r, Exception)] == [20, 21, 22, 23]
    assert "not a picture" in str(done[2][2])
    said = [notes for _, notes, _ in done if notes]
    assert [len(notes) for notes in said] == [1] * 4
    assert capsys.readouterr().err.splitlines() == [f"i2cnn: {notes[0]}" for notes in said]


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ({"a": 0.5, "b": -0.004, "c": -0.25}, "a +0.50; against it: c -0.25 (shares"),
        ({"a": 0.004, "b": -0.004}, "none; against it: none (shares"),
    ],
)
def test_only_patches_that_spoke_are_named(
    votes: dict[str, float], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    detection = Detection((0, 0, 9, 9), np.zeros((5, 2)), "dlib")
    face = FacePrediction(detection, "happy", {"happy": 0.6, "neutral": 0.4}, votes)
    picture = Picture(Path("photo.jpg"), Path())
    print_picture(Answer(picture, [face]), ["happy", "neutral"], explain=True)
    assert f"face 1, for happy: {said}" in capsys.readouterr().out


def test_many_pictures_get_a_line_per_face_and_a_total(capsys: pytest.CaptureFixture[str]) -> None:
    face = FacePrediction(
        Detection((0, 0, 9, 9), np.zeros((5, 2)), "dlib"), "joy", {"calm": 0.26, "joy": 0.74}, {}
    )
    two, none = (Picture(Path(name), Path()) for name in ("ゾエ.jpg", "meadow.jpg"))
    lines = FaceLines([two, none], ["calm", "joy"])
    lines.print(Answer(two, [face, face]), explain=False)
    lines.print(Answer(none, []), explain=False)
    print_total({two: [face, face], none: []})
    assert capsys.readouterr().out.splitlines() == [
        "picture     face  expression  score  next        score",
        "ゾエ.jpg       1  joy          0.74  calm         0.26",
        "ゾエ.jpg       2  joy          0.74  calm         0.26",
        "meadow.jpg: no face found",
        "faces in 1 of 2 pictures: 2 joy; without an answer: meadow.jpg",
    ]
