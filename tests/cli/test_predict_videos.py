"""`i2cnn predict` of videos and a camera."""

from __future__ import annotations

import csv
import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.cli.main import main
from i2cnn.datasets import embedded_root
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image
from i2cnn.util.progress import Callback
from i2cnn.util.videos import Frame
from tests.helpers.videos import write_video

Output = pytest.CaptureFixture[str]
FACES = [read_image(next(embedded_root().glob(f"{name}.*.png"))) for name in ("S20.HA1", "S07.NE1")]


@pytest.fixture(autouse=True)
def loaded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recognisers are loaded once for all tests."""
    monkeypatch.setattr("i2cnn.cli.predict.Recogniser", _recogniser)


@functools.cache
def _recogniser(*chosen: object) -> Recogniser:
    return Recogniser(*chosen)


def scenes() -> list[np.ndarray]:
    """Two faces side by side, then the second one alone, in the other's place."""
    both, alone = np.hstack(FACES), np.hstack([FACES[1], np.full_like(FACES[1], 128)])
    return [both] * 4 + [alone] * 4


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "two faces.mp4", scenes())


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_nth_frame_has_its_faces_and_time(
    video: Path, tmp_path: Path, capsys: Output
) -> None:
    table = tmp_path / "faces.csv"
    assert main(["predict", str(video), "--every=2", f"--csv={table}", "--json"]) == 0
    found = rows(table)
    assert [(r["frame"], r["time"]) for r in found] == [
        *[("0", "0.000")] * 2,
        *[("2", "0.200")] * 2,
        ("4", "0.400"),
        ("6", "0.600"),
    ]
    assert [r["label"] for r in found[:2]] == ["happy", "neutral"]
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(e["frame"], e["face"]) for e in lines] == [
        (int(r["frame"]), int(r["face"])) for r in found
    ]
    assert list(found[0])[:4] == ["file", "frame", "time", "face"]


def test_faces_keep_their_numbers(video: Path, tmp_path: Path, capsys: Output) -> None:
    table = tmp_path / "faces.csv"
    words = ["predict", str(video), "--every=3", f"--csv={table}", f"--save={tmp_path / 'out'}"]
    assert main([*words, "--explain"]) == 0
    assert [(r["frame"], r["face"]) for r in rows(table)][:4] == [
        ("0", "1"),
        ("0", "2"),
        ("3", "1"),
        ("3", "2"),
    ]
    printed = capsys.readouterr().out
    assert "0.0 to 0." in printed
    saved = sorted(p.name for p in (tmp_path / "out" / "two faces.mp4").iterdir())
    assert saved == ["frame_000000.png", "frame_000003.png", "frame_000006.png"]


def test_followed_faces_become_their_own_reference(tmp_path: Path) -> None:
    video = write_video(tmp_path / "long.avi", [FACES[0]] * 14)
    table = tmp_path / "faces.csv"
    words = ["predict", str(video), "--people=follow", "--every=2", f"--csv={table}", "--json"]
    assert main(words) == 0
    # Frames are 0.2 s apart, and five of them make a reference.
    assert [r["reference"] for r in rows(table)] == ["0", "0", "0", "0", "5", "6", "7"]


def test_resume_goes_on_in_the_middle_of_a_video(video: Path, tmp_path: Path) -> None:
    table = tmp_path / "faces.csv"
    words = ["predict", str(video), "--every=2", f"--csv={table}", "--json"]
    assert main(words) == 0
    whole = table.read_bytes()
    lines = whole.splitlines(keepends=True)
    # Stopped within the second face of the second frame that was read.
    table.write_bytes(b"".join(lines[:4]) + lines[4][:20])
    assert main([*words, "--resume"]) == 0
    again = rows(table)
    table.write_bytes(whole)
    assert [(r["frame"], r["label"]) for r in again] == [
        (r["frame"], r["label"]) for r in rows(table)
    ]


def test_a_video_without_any_face_ends_with_status_1_as_a_picture_does(
    video: Path, tmp_path: Path, capsys: Output
) -> None:
    empty = write_video(tmp_path / "empty.avi", [np.full_like(FACES[0], 128)] * 3)
    assert main(["predict", str(video), str(empty), "--every=4"]) == 1
    assert f"{empty}\n  no face found in any frame" in capsys.readouterr().out


def test_a_resumed_video_that_is_done_is_not_said_to_show_no_face(
    video: Path, tmp_path: Path, capsys: Output
) -> None:
    words = ["predict", str(video), "--every=4", f"--csv={tmp_path / 'faces.csv'}"]
    assert main(words) == 0
    capsys.readouterr()
    assert main([*words, "--resume"]) == 0
    out, err = capsys.readouterr()
    assert "no face" not in out
    assert f"faces.csv has {video} up to frame" in err


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/x.ts\n", "no video that can be read"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "no video that can be read"),
        (b"", "no video that can be read"),
        (b"\0\0\0\x18ftypmp42" + bytes(100), "no video that can be read"),
    ],
)
def test_what_is_no_video_is_refused(
    content: bytes, reason: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.mp4").write_bytes(content)
    assert main(["predict", str(tmp_path / "x.mp4")]) == 1
    said = capfd.readouterr().err
    assert reason in said
    assert "VIDEOIO" not in said  # OpenCV's own words


def test_a_video_that_is_cut_off_is_told_after_its_frames(tmp_path: Path, capsys: Output) -> None:
    video = write_video(tmp_path / "x.avi", [FACES[0]] * 8)
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    table = tmp_path / "faces.csv"
    assert main(["predict", str(video), f"--csv={table}", "--json"]) == 1
    found = rows(table)
    assert 1 < len(found) < 8
    assert "the file is damaged, copy it again" in found[-1]["warnings"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["x.mp4", "y.png"], "give pictures and videos in two commands"),
        (["x.mp4", "--camera"], "not two of them at a time"),
        (["x.mp4", "--people=one"], "--people follow makes references"),
        (["y.png", "--people=follow"], "--people follow is for videos"),
        ([], "give pictures, folders, a video, or --camera"),
        (["x.mp4", "--explain", "--csv=faces.csv"], "the table of a video has no patches"),
        (["x.mp4", "--resume"], "give it with --csv FILE"),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: list[str], reason: str, capsys: Output
) -> None:
    assert main(["predict", *words]) == 1
    assert reason in capsys.readouterr().err


def test_a_folder_of_videos_is_told_how_to_give_them(tmp_path: Path, capsys: Output) -> None:
    (tmp_path / "a.MP4").touch()
    assert main(["predict", str(tmp_path)]) == 1
    reason = f"videos are not read from a folder (1 in it); give them by name, as {tmp_path}/*.MP4"
    assert f"{tmp_path}: {reason}" in capsys.readouterr().err


def test_a_camera_that_is_none_is_told_in_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", "--camera=99"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    _warning, for_seven, error = err.splitlines()
    assert "give the video and --people follow (the recogniser faces-7)" in for_seven
    assert error.startswith("i2cnn: error: camera 99: there is none")


def test_a_video_shows_how_far_it_is(video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, int, int]] = []

    @contextmanager
    def shown(title: str) -> Iterator[Callback]:
        yield lambda done, total: told.append((title, done, total))

    monkeypatch.setattr("i2cnn.cli.video.progress", shown)
    assert main(["predict", str(video), "--every=3", "--json"]) == 0
    assert told == [("two faces.mp4, frames", done, 8) for done in (1, 4, 7)]


def test_ctrl_c_ends_the_camera(capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    def camera(number: int, every: int) -> Iterator[Frame]:
        for i in range(2):
            yield Frame(i, i / 10, cv2.cvtColor(FACES[0], cv2.COLOR_GRAY2BGR))
        raise KeyboardInterrupt

    monkeypatch.setattr("i2cnn.cli.video.read_camera", camera)
    assert main(["predict", "--camera"]) == 0
    assert "camera 0" in capsys.readouterr().out
