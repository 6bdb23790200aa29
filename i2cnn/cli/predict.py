"""`i2cnn predict`: expressions of the faces in photographs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from i2cnn.cli.album import predict_album, predict_with
from i2cnn.cli.answers import (
    Answer,
    FaceLines,
    note,
    print_meaning,
    print_people,
    print_picture,
    print_total,
    refuse,
    work_ahead,
)
from i2cnn.cli.pictures import Picture, check_no_picture, find_pictures, unread_videos
from i2cnn.cli.records import CsvFile, entries, print_json
from i2cnn.cli.video import check_videos, predict_videos
from i2cnn.models import FOR_A_PICTURE, FOR_AN_ALBUM
from i2cnn.models.card import read_card
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.progress import progress
from i2cnn.util.text import printable

if TYPE_CHECKING:
    from i2cnn.cli.drawings import Drawings


def predict(options: argparse.Namespace) -> int:
    """Print the expressions of the faces in photographs, each as soon as it is known.

    Status 1 if a picture cannot be read or has no face; the others are still answered.
    """
    video = check_videos(options)
    _check_outputs(options, video)
    if video:
        return _predict_videos(options)
    pictures = find_pictures(options.images)
    for path in options.images:
        if videos := unread_videos(path):
            note(f"{path}: {videos}")
    recogniser = _recogniser(options, len(pictures))
    drawings = _drawings(options, recogniser, pictures)
    people = bool(options.people or options.reference)
    faces: dict[Picture, list[FacePrediction]] = {picture: [] for picture in pictures}
    with _csv_file(options, recogniser.labels, people) as table:
        if table is not None and table.done:
            pictures = [p for p in pictures if printable(p.path) not in table.done]
            note(f"{options.csv} has {len(table.done)} pictures already")
        many = len(pictures) > 1
        shows_lines = many and not people and _has_tables(options)
        lines = FaceLines(pictures, recogniser.labels) if shows_lines else None
        answers = groupby(_answers(options, recogniser, pictures), lambda answer: answer.person)
        for _, group in answers:
            shown: list[Answer] = []
            for answer in group:
                own = faces[answer.picture]
                for entry in entries(answer, len(own) + 1, people, options.explain):
                    if options.json:
                        print_json(entry)
                    if table is not None:
                        table.write(entry)
                own += answer.faces
                if drawings is not None:
                    drawings.save(answer, own)
                if people:
                    shown.append(answer)
                elif lines is not None:
                    lines.print(answer, options.explain)
                elif _has_tables(options):
                    print_picture(answer, recogniser.labels, options.explain)
            if _has_tables(options):
                print_people(shown, options.explain)
    if drawings is not None:
        drawings.write_page(0 if table is None else len(table.done))
    if _has_tables(options):
        if many:
            print_total({picture: faces[picture] for picture in pictures})
        print_meaning([face for own in faces.values() for face in own])
    return 0 if all(faces[picture] for picture in pictures) else 1


def _predict_videos(options: argparse.Namespace) -> int:
    """Print what the faces of videos, or of a camera, show.

    Status 1 if one cannot be read or shows no face in any frame; the others are still answered.
    """
    follow = options.people == "follow"
    recogniser = _recogniser(options, 1, "the video and --people follow")
    failed = False
    with _csv_file(options, recogniser.labels, follow, video=True) as table:
        done = {} if table is None else table.done
        shows = dict.fromkeys(done, True)  # the frames that are left may well show nobody
        for answer in predict_videos(options, recogniser, done):
            failed |= bool(answer.error)
            name = printable(answer.picture.path)
            shows[name] = bool(shows.get(name) or answer.faces)
            for entry in entries(answer, 1, follow, options.explain):
                if options.json:
                    print_json(entry)
                if table is not None:
                    table.write(entry)
    return int(failed or not all(shows.values()))


def _check_outputs(options: argparse.Namespace, video: bool) -> None:
    """InputError for outputs that cannot be written, before anything else is done."""
    if options.json and options.csv == "-":
        raise InputError("--json and --csv - both print; give one of them, or --csv FILE")
    if options.csv not in (None, "-"):
        check_writable(Path(options.csv))
        check_no_picture(Path(options.csv))
        if Path(options.csv).suffix.lower() in (".xls", ".xlsx", ".ods"):
            raise InputError(
                f"{options.csv}: CSV is written; name it .csv, and spreadsheets open it"
            )
    if options.explain and not (options.json or options.save) and (video or options.csv == "-"):
        raise InputError(
            f"--explain: {'the table of a video' if video else '--csv -'} has no patches; give "
            "--json instead, or --save DIR as well"
        )
    if options.save:
        if options.save.exists() and not options.save.is_dir():
            raise InputError(f"{options.save}: is a file; --save takes a folder")
        check_writable(options.save / "drawing")
    if options.resume and options.csv in (None, "-"):
        raise InputError("--resume goes on with a table; give it with --csv FILE")
    if options.resume and (options.reference or options.people not in (None, "follow")):
        raise InputError("--resume: references are made of all pictures, so nothing is left out")


def _drawings(
    options: argparse.Namespace, recogniser: Recogniser, pictures: Sequence[Picture]
) -> Drawings | None:
    if not options.save:
        return None
    from i2cnn.cli.drawings import Drawings  # the page's templates take 0.1 s to import

    return Drawings(options.save, pictures, recogniser, options.explain)


def _has_tables(options: argparse.Namespace) -> bool:
    """True if the answers are printed for people."""
    return not options.json and options.csv != "-"


def _csv_file(
    options: argparse.Namespace, labels: Sequence[str], people: bool, video: bool = False
) -> AbstractContextManager[CsvFile | None]:
    if not options.csv:
        return nullcontext()
    return CsvFile(options.csv, labels, people, video, options.resume)


def _recogniser(
    options: argparse.Namespace,
    pictures: int,
    for_seven: str = "several pictures of a person and --people one",
) -> Recogniser:
    """The recogniser that was chosen, or the one that ships for so many pictures.

    `for_seven` is what to give for seven expressions.
    """
    album = bool(options.people or options.reference)
    default = FOR_AN_ALBUM if album or pictures > 1 else FOR_A_PICTURE
    recogniser = Recogniser(options.model or default, options.engine, options.device, options.whole)
    card = read_card(recogniser.bundle.folder)
    note(
        f"{options.model} has no card: nobody knows what it learned from"
        if card is None
        else card.warning
    )
    if options.model is None and not album:
        note(
            f"for seven expressions, give {for_seven} (the recogniser {FOR_AN_ALBUM})"
            if default == FOR_A_PICTURE
            else "each face is named by itself; --people one, auto or subfolders makes references "
            f"of these pictures; --model {FOR_A_PICTURE} learned happy and neutral from photographs"
        )
    return recogniser


def _answers(
    options: argparse.Namespace, recogniser: Recogniser, pictures: Sequence[Picture]
) -> Iterator[Answer]:
    if options.people:
        return predict_album(recogniser, pictures, options.people)
    if options.reference:
        return predict_with(recogniser, pictures, options.reference)
    return _one_by_one(recogniser, pictures)


def _one_by_one(recogniser: Recogniser, pictures: Sequence[Picture]) -> Iterator[Answer]:
    """Every face of each picture, without references."""
    # On a terminal, the answers are the progress.
    shows = nullcontext(None) if sys.stdout.isatty() else progress("pictures")
    with shows as update:
        named = work_ahead(recogniser.predict, pictures)
        for number, (picture, notes, faces) in enumerate(named, 1):
            if isinstance(faces, Exception):
                yield refuse(picture, faces)
            else:
                yield Answer(picture, faces, notes=notes)
            if update is not None:
                update(number, len(pictures))
