"""Reads frames of videos and cameras, by OpenCV's FFmpeg."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from i2cnn.util.arrays import UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import quiet_opencv
from i2cnn.util.picture_files import MAX_PIXELS

#: Names of files that are taken for videos.
VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg")
#: What their contents begin with. FFmpeg would also read playlists, which name other files.
_STARTS = re.compile(
    rb"....(ftyp|moov|mdat|wide|free|skip)|RIFF....AVI |\x1aE\xdf\xa3|\0\0\x01[\xba\xb3]",
    re.DOTALL,
)
#: Frames that a file may announce beyond those that it has, since some count wrongly.
_LOST = 0.05


@dataclass(frozen=True)
class Frame:
    """A frame of a video.

    Parameters
    ----------
    number : int
        From 0.
    seconds : float
        From the beginning.
    image : ndarray of uint8, (H, W, 3) in B, G, R
    total : int
        Frames that the video announces; 0 if it doesn't, as a camera.
    """

    number: int
    seconds: float
    image: UInt8Array
    total: int = 0


def is_video(path: Path) -> bool:
    """True if a file's name is a video's."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def read_video(path: Path, every: int = 1, start: int = 0) -> Iterator[Frame]:
    """Every so many-th frame of a video, from frame `start` on.

    Raises
    ------
    InputError
        The file is missing, no video that can be read, or its frames are too large; or, after the
        frames that could be read, that it ends before its end.
    """
    _check_file(path)
    # FFmpeg writes about damaged frames on standard error, many times.
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    with quiet_opencv():
        capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    try:
        if not capture.isOpened():
            raise InputError(f"{path}: no video that can be read; convert it to MP4 (H.264)")
        width, height = (
            capture.get(which) for which in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        )
        if not 0 < width * height <= MAX_PIXELS:
            raise InputError(f"{path}: frames of {width:.0f}x{height:.0f} pixels are not read")
        announced = max(0, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
        number = 0
        while capture.grab():
            if number >= start and number % every == 0:
                seconds = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
                read, image = capture.retrieve()
                if read:
                    yield Frame(number, seconds, np.asarray(image, np.uint8), announced)
            number += 1
        if number == 0 or number < announced * (1 - _LOST):
            raise InputError(
                f"{path}: ends after {number} of {announced} frames; the file is damaged, copy "
                "it again"
            )
    finally:
        capture.release()


def read_camera(number: int, every: int = 1) -> Iterator[Frame]:
    """Every so many-th frame of a camera, without end; InputError if there is none."""
    with quiet_opencv():  # which would tell for each of its ways to a camera why it is none
        capture = cv2.VideoCapture(number)
    try:
        if not capture.isOpened():
            raise InputError(f"camera {number}: there is none, or another program uses it")
        begin, count = time.monotonic(), 0
        while capture.grab():
            if count % every == 0:
                read, image = capture.retrieve()
                if read:
                    yield Frame(count, time.monotonic() - begin, np.asarray(image, np.uint8))
            count += 1
        raise InputError(f"camera {number}: gives no more pictures")
    finally:
        capture.release()


def _check_file(path: Path) -> None:
    """InputError unless a file begins as a video does."""
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: is not a regular file; give a video")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    if not _STARTS.match(start):
        raise InputError(f"{path}: no video that can be read; convert it to MP4 (H.264)")
