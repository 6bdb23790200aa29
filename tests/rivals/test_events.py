"""Events of a clip: Allen's relations by hand, intervals, clips made of rendered faces."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.faces.table import Face
from i2cnn.rivals.describe import describe
from i2cnn.rivals.events import RELATIONS, STEPS, TRACKED, allen, intervals, resample
from i2cnn.rivals.points68 import displacements, frames_of
from i2cnn.util.errors import InputError

BY_HAND = {
    "before": (1, 3, 5, 8),
    "meets": (1, 5, 5, 8),
    "overlaps": (1, 6, 5, 8),
    "starts": (5, 6, 5, 8),
    "during": (6, 7, 5, 8),
    "finishes": (6, 8, 5, 8),
    "equals": (5, 8, 5, 8),
    "none": (-1, -1, 5, 8),
}
INVERSE = {
    "before": "after",
    "meets": "met by",
    "overlaps": "overlapped by",
    "starts": "started by",
    "during": "contains",
    "finishes": "finished by",
    "equals": "equals",
    "none": "none",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_allens_relations_by_hand(name: str) -> None:
    first, second = np.array(BY_HAND[name]).reshape(2, 1, 2)
    assert RELATIONS[allen(first, second)[0]] == name
    assert RELATIONS[allen(second, first)[0]] == INVERSE[name]


def test_any_two_intervals_have_one_of_13_relations() -> None:
    rng = np.random.RandomState(0)
    begins = rng.randint(0, 6, (2, 4000))
    first, second = np.stack([begins, begins + rng.randint(1, 5, (2, 4000))], axis=2)
    assert set(allen(first, second)) == set(range(len(RELATIONS) - 1))


def test_an_event_lasts_from_a_quarter_to_three_quarters_of_the_movement() -> None:
    tracks = np.zeros((1, STEPS, 2, 2))
    tracks[0, :, 0, 1] = np.clip((np.arange(STEPS) - 4) / 8, 0, 1)  # moves in steps 4 to 12
    tracks[0, :, 1, 0] = 0.01  # trembles
    assert intervals(tracks).tolist() == [[[6, 10], [-1, -1]]]


def test_clips_of_any_length_have_as_many_steps() -> None:
    points = np.linspace(3, 5, 7)[:, None, None] * np.ones((1, 2, 2))
    assert resample(points)[:, 0, 0] == pytest.approx(np.linspace(0, 2, STEPS))
    assert not resample(points[:1]).any()


@pytest.fixture
def clip(some_faces: tuple[list[Face], Path], tmp_path: Path) -> Face:
    """The last frame of a clip: a person's neutral picture twice, then the happy one."""
    faces, root = some_faces
    person = [face for face in faces if face.subject == faces[0].subject]
    happy = next(face for face in person if face.label == "happy")
    neutral = next(face for face in person if face.label == "neutral")
    for number, face in ((10, happy), (9, neutral), (8, neutral)):
        shutil.copy(root / face.image, tmp_path / f"S1_001_{number}.png")
    (tmp_path / "notes.txt").write_text("no frame")
    return replace(happy, image="S1_001_10.png", sequence="001", frame=10)


def test_frames_are_in_the_order_of_their_numbers(clip: Face, tmp_path: Path) -> None:
    assert [path.stem[-2:] for path in frames_of(clip, tmp_path)] == ["_8", "_9", "10"]
    assert frames_of(replace(clip, sequence=""), tmp_path) == []


def test_a_smile_is_measured_from_the_first_frame(clip: Face, tmp_path: Path) -> None:
    (moved,) = displacements([clip], tmp_path)
    left, right = moved[1 + 48 - 17], moved[1 + 54 - 17]
    assert right[0] - left[0] > 0.05  # the mouth is wider


def test_frames_of_a_clip_share_its_description(clip: Face, tmp_path: Path) -> None:
    rows = describe("itbn", [clip, replace(clip, image="S1_001_9.png", frame=9)], tmp_path)
    assert rows.shape == (2, STEPS * len(TRACKED) * 2)
    assert (rows[0] == rows[1]).all()
    steps = rows[0].reshape(STEPS, -1)
    assert np.abs(steps[: STEPS // 2]).max() < 0.01 < np.abs(steps[-1]).max()


def test_a_still_image_has_no_events(clip: Face, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"S1_001_10\.png: a still image, without a clip"):
        describe("itbn", [replace(clip, sequence="")], tmp_path)


def test_a_frame_without_a_face_is_named(clip: Face, tmp_path: Path) -> None:
    from i2cnn.util.images import write_image

    write_image(tmp_path / "S1_001_8.png", np.full((120, 120), 128, np.uint8))
    with pytest.raises(InputError, match=r"S1_001_8\.png: no face is found in this frame"):
        describe("geometric", [clip], tmp_path)
