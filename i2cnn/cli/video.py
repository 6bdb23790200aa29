"""`i2cnn predict` of videos and cameras: frame by frame, faces followed."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from i2cnn.cli.answers import Answer, note, save_frame
from i2cnn.cli.pictures import Picture
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.recogniser.video import VideoRecogniser
from i2cnn.util.console import PlainConsole, table_of
from i2cnn.util.errors import InputError
from i2cnn.util.progress import progress
from i2cnn.util.text import printable, show
from i2cnn.util.videos import Frame, is_video, read_camera, read_video


def check_videos(options: argparse.Namespace) -> bool:
    """True if videos or a camera are to be read; InputError for what does not go with them."""
    videos = [path for path in options.images if is_video(path)]
    if not options.images and options.camera is None:
        raise InputError("give pictures, folders, a video, or --camera")
    if options.camera is not None and options.images:
        raise InputError("give pictures, videos, or --camera; not two of them at a time")
    if not videos and options.camera is None:
        if options.people == "follow":
            raise InputError("--people follow is for videos and cameras")
        return False
    if len(videos) < len(options.images):
        raise InputError("give pictures and videos in two commands")
    if options.reference or options.people not in (None, "follow"):
        raise InputError("in videos, --people follow makes references; no other way is offered")
    return True


def predict_videos(
    options: argparse.Namespace, recogniser: Recogniser, done: dict[str, int]
) -> Iterator[Answer]:
    """Answers of every frame that is read, and what each followed face showed, in the end.

    Parameters
    ----------
    options : argparse.Namespace
    recogniser : Recogniser
    done : dict of str to int
        Last frame of each file that was answered before.
    """
    if options.camera is not None:
        picture = Picture(Path(f"camera {options.camera}"), Path())
        yield from _named(
            options, recogniser, picture, read_camera(options.camera, options.every), whole=True
        )
        return
    for path in options.images:
        start = done.get(printable(path), -1) + 1
        if start:
            note(f"{options.csv} has {path} up to frame {start - 1} already")
        frames = read_video(path, options.every, start)
        # Answers that are printed on a terminal are the progress.
        if _has_table(options) or not sys.stdout.isatty():
            frames = _with_progress(frames, f"{path.name}, frames")
        yield from _named(options, recogniser, Picture(path, path.parent), frames, not start)


def _with_progress(frames: Iterator[Frame], title: str) -> Iterator[Frame]:
    """Frames of a video, and a bar of how many were read."""
    with progress(title) as update:
        for frame in frames:
            yield frame
            if frame.total:
                update(min(frame.number + 1, frame.total), frame.total)


def _named(
    options: argparse.Namespace,
    recogniser: Recogniser,
    picture: Picture,
    frames: Iterator[Frame],
    whole: bool,
) -> Iterator[Answer]:
    """Answers of frames, and their table; `whole` if none were answered by an earlier command."""
    video = VideoRecogniser(recogniser, options.people == "follow")
    shown: dict[int, Counter[str]] = {}
    refused = False
    times: dict[int, list[float]] = {}
    try:
        for frame, named in video.name(frames):
            for number, face in named:
                shown.setdefault(number, Counter())[face.label] += 1
                times.setdefault(number, []).append(frame.seconds)
            answer = Answer(
                picture,
                [face for _, face in named],
                frame=frame.number,
                seconds=frame.seconds,
                numbers=tuple(number for number, _ in named),
            )
            if options.save:
                maps = [recogniser.heat_map(f) for f in answer.faces] if options.explain else []
                save_frame(options.save, answer, frame.image, maps)
            yield answer
    except KeyboardInterrupt:
        if options.camera is None:
            raise
    except InputError as error:
        yield Answer(picture, [], error=str(error))
        note(f"error: {error}")
        refused = True
    if _has_table(options) and (shown or (whole and not refused)):
        _print_faces(picture, recogniser.labels, shown, times)


def _has_table(options: argparse.Namespace) -> bool:
    return not options.json and options.csv != "-"


def _print_faces(
    picture: Picture,
    labels: Sequence[str],
    shown: dict[int, Counter[str]],
    times: dict[int, list[float]],
) -> None:
    """A table of the followed faces: from when to when, and how much of it each expression."""
    show(picture.path)
    table = table_of("face", "seconds", "frames", *labels)
    for number, counts in shown.items():
        first, last, total = times[number][0], times[number][-1], counts.total()
        parts = [f"{counts[label] / total:.0%}" for label in labels]
        table.add_row(f"{number}", f"{first:.1f} to {last:.1f}", f"{total}", *parts)
    if shown:
        PlainConsole().print(table)
    else:
        show("  no face found in any frame")
