"""What `i2cnn predict` prints and draws."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from i2cnn.cli.pictures import Picture
from i2cnn.recogniser.draw import annotate
from i2cnn.recogniser.recogniser import FacePrediction
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image


@dataclass(frozen=True)
class Answer:
    """Faces named in a picture.

    Parameters
    ----------
    picture : Picture
    faces : list of FacePrediction
        Empty if it shows none.
    person : str
        Whose they are, where that is told.
    """

    picture: Picture
    faces: list[FacePrediction]
    person: str = ""


def note(text: str) -> None:
    """Say one thing that a user should know, on standard error."""
    print(f"i2cnn: {text}", file=sys.stderr)


def refuse(path: Path, error: InputError) -> None:
    """Say that a picture cannot be used, on standard error."""
    text = str(error)
    text = text if text.startswith(f"{path}: ") else f"{path}: {text}"
    print(f"i2cnn: error: {text}", file=sys.stderr)


def entries(answer: Answer, explain: bool, people: bool) -> list[dict[str, Any]]:
    """An entry of `predict --json` for each face, or one that says there is none."""
    faces: Sequence[FacePrediction | None] = answer.faces or [None]
    return [
        {
            "image": str(answer.picture.path),
            **({"person": answer.person or None} if people else {}),
            "box": list(p.detection.box) if p else None,
            "found": p.detection.found if p else None,
            "label": p.label if p else None,
            "scores": p.scores if p else {},
            **({"reference": p.reference if p else 0} if people else {}),
            **({"patches": p.patches if p else {}} if explain else {}),
        }
        for p in faces
    ]


def print_json(values: Sequence[dict[str, Any]]) -> None:
    """Print the entries of all pictures."""
    print(json.dumps(values, indent=1))


def print_picture(answer: Answer, labels: Sequence[str], explain: bool) -> None:
    """A table of the faces of one picture."""
    if not answer.faces:
        print(f"{answer.picture.path}: no face found")
        return
    table = _table(str(answer.picture.path), ("face", *labels))
    for number, p in enumerate(answer.faces, 1):
        cells = [f"[bold]{v:.2f}[/]" if k == p.label else f"{v:.2f}" for k, v in p.scores.items()]
        table.add_row(f"{number}: {p.label}", *cells)
    console = Console(highlight=False)
    console.print(table)
    for number, p in enumerate(answer.faces if explain else (), 1):
        console.print(f"  face {number}, for {p.label}: {_reasons(p)}", markup=False)


def print_people(answers: Iterable[Answer], explain: bool) -> None:
    """A table of the pictures of each person: what each shows, and what comes next."""
    people: dict[str, list[tuple[str, FacePrediction]]] = {}
    for answer in answers:
        if not answer.faces:
            print(f"{answer.picture.path}: no face found")
        for face in answer.faces:
            people.setdefault(answer.person, []).append((str(answer.picture.inside), face))
    console = Console(highlight=False)
    for person, rows in people.items():
        count = rows[0][1].reference
        how = f"with a reference of {count} pictures" if count else "without a reference"
        table = _table(f"{person}, {how}", ("picture", "expression", "score", "next", "score"))
        for name, p in rows:
            (best, score), (other, less) = sorted(p.scores.items(), key=lambda item: -item[1])[:2]
            table.add_row(escape(name), f"[bold]{best}[/]", f"{score:.2f}", other, f"{less:.2f}")
        console.print(table)
        for name, p in rows if explain else ():
            console.print(f"  {name}, for {p.label}: {_reasons(p)}", markup=False)


def _table(title: str, columns: Sequence[str]) -> Table:
    table = Table(title=escape(title), caption="Scores are shares of the SVM's votes.")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right", overflow="fold")
    return table


def _reasons(p: FacePrediction) -> str:
    """The five patches that spoke most for a face's label."""
    ranked = sorted(p.patches.items(), key=lambda item: -item[1])
    return ", ".join(f"{patch} {value:+.2f}" for patch, value in ranked[:5])


def save_drawing(folder: Path, picture: Picture, faces: Sequence[FacePrediction]) -> None:
    """Draw faces into a copy of their picture."""
    write_image(folder / drawing_name(picture), annotate(read_image(picture.path), faces))


def drawing_name(picture: Picture) -> Path:
    """Where a picture's drawing is, inside the folder of drawings."""
    return picture.inside.with_name(f"{picture.path.stem}_expressions.png")


def check_names(pictures: Sequence[Picture]) -> None:
    """Refuse pictures whose drawings would have one name."""
    names: dict[Path, Path] = {}
    for picture in pictures:
        name = drawing_name(picture)
        other = names.setdefault(name, picture.path)
        if other != picture.path:
            raise InputError(
                f"{other} and {picture.path} would both be saved as {name}; use two commands with "
                "different --save folders"
            )
