"""`i2cnn predict`: expressions of the faces in photographs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from typing import Any

from i2cnn.cli.album import predict_album, predict_with
from i2cnn.cli.answers import (
    Answer,
    check_names,
    entries,
    note,
    print_json,
    print_people,
    print_picture,
    refuse,
    save_drawing,
)
from i2cnn.cli.pictures import Picture, find_pictures
from i2cnn.models import FOR_A_PICTURE, FOR_AN_ALBUM
from i2cnn.models.card import read_card
from i2cnn.recogniser.recogniser import FacePrediction, Recogniser
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image


def predict(options: argparse.Namespace) -> int:
    """Print the expressions of the faces in photographs.

    Status 1 if a picture cannot be read or has no face; the others are still answered.
    """
    pictures = find_pictures(options.images)
    if options.save:
        check_names(pictures)
    recogniser = _recogniser(options, len(pictures))
    people = bool(options.people or options.reference)
    values: list[dict[str, Any]] = []
    shown: list[Answer] = []
    faces: dict[Picture, list[FacePrediction]] = {}
    for answer in _answers(options, recogniser, pictures):
        faces.setdefault(answer.picture, []).extend(answer.faces)
        if options.json:
            values += entries(answer, options.explain, people)
        elif people:
            shown.append(answer)
        else:
            print_picture(answer, recogniser.labels, options.explain)
    if options.json:
        print_json(values)
    else:
        print_people(shown, options.explain)
    if options.save:
        for picture, found in faces.items():
            save_drawing(options.save, picture, found)
    return 0 if all(faces.get(picture) for picture in pictures) else 1


def _recogniser(options: argparse.Namespace, pictures: int) -> Recogniser:
    """The recogniser that was chosen, or the one that ships for so many pictures."""
    album = bool(options.people or options.reference)
    default = FOR_AN_ALBUM if album or pictures > 1 else FOR_A_PICTURE
    recogniser = Recogniser(options.model or default, options.engine, options.device)
    card = read_card(recogniser.bundle.folder)
    if card is not None:
        note(card.warning)
    if options.model is None and not album:
        note(
            "for seven expressions, give several pictures of a person and --people one "
            f"(the recogniser {FOR_AN_ALBUM})"
            if default == FOR_A_PICTURE
            else "each face is named by itself; --people one, auto or subfolders makes references "
            "of these pictures"
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
    for picture in pictures:
        try:
            yield Answer(picture, recogniser.predict(read_image(picture.path)))
        except InputError as error:
            refuse(picture.path, error)
