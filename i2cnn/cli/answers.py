"""What `i2cnn predict` says for people, and frames with their faces drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rich.cells import cell_len, set_cell_size
from rich.table import Table

from i2cnn.cli.pictures import Picture
from i2cnn.faces.table import FLAGGED
from i2cnn.recogniser.draw import annotate
from i2cnn.recogniser.heat_map import HeatMap
from i2cnn.recogniser.prediction import FacePrediction, meaning_of_scores
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.console import PlainConsole, bold, table_of
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError, unforeseen
from i2cnn.util.images import read_image_noted, write_image
from i2cnn.util.text import printable, show, some_of, warn
from i2cnn.util.threads import in_order

R = TypeVar("R")


@dataclass(frozen=True)
class Answer:
    """Faces named in a picture.

    Parameters
    ----------
    picture : Picture
    faces : list of FacePrediction
        Empty if it shows none, or cannot be used.
    person : str
        Whose they are, where that is told.
    error : str
        Why the picture cannot be used; empty if it can.
    notes : sequence of str
        What a reader should know of the picture: only the first of several in a file was read.
    frame : int, optional
        Number of the frame, from 0, of a video.
    seconds : float
        When it is shown.
    numbers : tuple of int
        Of the faces, where they are followed from frame to frame.
    """

    picture: Picture
    faces: list[FacePrediction]
    person: str = ""
    error: str = ""
    notes: Sequence[str] = ()
    frame: int | None = None
    seconds: float = 0.0
    numbers: tuple[int, ...] = ()

    def warnings_of(self, face: FacePrediction | None) -> list[str]:
        """What a reader should know of a face, or of a picture without one."""
        if face is None:
            return [*self.notes, self.error or "no face found"]
        return [*self.notes, *_doubts(face)]


def note(text: str) -> None:
    """Say one thing that a user should know, on standard error."""
    warn(f"i2cnn: {text}")


def work_ahead(
    work: Callable[[UInt8Array], R], pictures: Sequence[Picture]
) -> Iterator[tuple[Picture, Sequence[str], R | Exception]]:
    """Read pictures and work on them in as many threads as there are cores; results in order.

    What a reader should know of a picture is said on standard error as its turn comes.

    Yields
    ------
    tuple
        A picture, what was said of it, and the work's result or what it raised.
    """

    def read(picture: Picture) -> tuple[Sequence[str], R | Exception]:
        notes: Sequence[str] = ()
        try:
            image, notes = read_image_noted(picture.path)
            return notes, work(image)
        except Exception as error:
            return notes, error

    done = in_order(read, pictures, available_cores())
    for picture, (notes, result) in zip(pictures, done, strict=True):
        for text in notes:
            note(text)
        yield picture, notes, result


def refuse(picture: Picture, error: Exception) -> Answer:
    """Say that a picture cannot be used, on standard error; the answer that says so, too."""
    text = str(error) if isinstance(error, InputError) else unforeseen(error)
    text = text if text.startswith(f"{picture.path}: ") else f"{picture.path}: {text}"
    warn(f"i2cnn: error: {text}")
    return Answer(picture, [], error=text)


def print_picture(answer: Answer, labels: Sequence[str], explain: bool) -> None:
    """A table of the faces of one picture."""
    if not answer.faces:
        _show_none(answer)
        return
    table = table_of("face", *labels)
    for number, p in enumerate(answer.faces, 1):
        cells = [bold(f"{v:.2f}") if k == p.label else f"{v:.2f}" for k, v in p.scores.items()]
        table.add_row(f"{number}: {p.label}", *cells)
    _show_table(str(answer.picture.path), table)
    for number, p in enumerate(answer.faces, 1):
        _show_details(f"face {number}", p, explain)


class FaceLines:
    """A line for each face of many pictures, printed as soon as it is known, below a heading.

    Parameters
    ----------
    pictures : iterable of Picture
    labels : sequence of str
    """

    def __init__(self, pictures: Iterable[Picture], labels: Sequence[str]) -> None:
        self._picture = max(cell_len(printable(picture.path)) for picture in pictures)
        self._label = max(map(cell_len, ("expression", *labels)))
        self._show("picture", "face", "expression", "score", "next", "score")

    def print(self, answer: Answer, explain: bool) -> None:
        """The faces of one picture."""
        if not answer.faces:
            _show_none(answer)
        for number, p in enumerate(answer.faces, 1):
            self._show(printable(answer.picture.path), str(number), *_best_two(p))
            _show_details(f"face {number}", p, explain)

    def _show(self, picture: str, face: str, best: str, score: str, other: str, less: str) -> None:
        name = set_cell_size(picture, self._picture)
        labels = [set_cell_size(label, self._label) for label in (best, other)]
        show(f"{name}  {face:>4}  {labels[0]}  {score:>5}  {labels[1]}  {less:>5}")


def print_people(answers: Iterable[Answer], explain: bool) -> None:
    """A table of the pictures of each person: what each shows, and what comes next."""
    people: dict[str, list[tuple[str, FacePrediction]]] = {}
    for answer in answers:
        if not answer.faces:
            _show_none(answer)
        for face in answer.faces:
            people.setdefault(answer.person, []).append((str(answer.picture.inside), face))
    for person, rows in people.items():
        count = rows[0][1].reference
        how = f"with a reference of {count} pictures" if count else "without a reference"
        table = table_of("picture", "expression", "score", "next", "score")
        for name, p in rows:
            best, *rest = _best_two(p)
            table.add_row(printable(name), bold(best), *rest)
        _show_table(f"{person}, {how}", table)
        for name, p in rows:
            _show_details(name, p, explain)


def _best_two(p: FacePrediction) -> tuple[str, str, str, str]:
    """A face's label and its score, and what comes next."""
    (best, score), (other, less) = sorted(p.scores.items(), key=lambda item: -item[1])[:2]
    return best, f"{score:.2f}", other, f"{less:.2f}"


def _show_details(name: str, p: FacePrediction, explain: bool) -> None:
    for text in _doubts(p):
        show(f"  {name}: {text}")
    if explain:
        show(f"  {name}, for {p.label}: {_reasons(p)}")


def _doubts(face: FacePrediction) -> list[str]:
    """Why a face should be checked, if it should."""
    found = face.detection.found
    return [f"doubtful face, found as {found}; --save draws it"] if found in FLAGGED else []


def _show_none(answer: Answer) -> None:
    if not answer.error:  # else it was told on standard error
        show(f"{answer.picture.path}: no face found")


def print_total(faces: Mapping[Picture, Sequence[FacePrediction]]) -> None:
    """Say how many faces have which label, and which pictures have no answer."""
    labels = Counter(face.label for own in faces.values() for face in own)
    without = [str(picture.path) for picture, own in faces.items() if not own]
    named = ", ".join(f"{count} {label}" for label, count in labels.most_common()) or "none"
    lacking = f"; without an answer: {some_of(without)}" if without else ""
    show(f"faces in {len(faces) - len(without)} of {len(faces)} pictures: {named}{lacking}")


def print_meaning(faces: Sequence[FacePrediction]) -> None:
    """Say below all tables, if there are any, what their scores are."""
    if faces:
        show(meaning_of_scores(faces))


def _show_table(title: str, table: Table) -> None:
    """Print a table and its title, which rich would fold to the table's width."""
    show(printable(title))
    PlainConsole().print(table)


def _reasons(p: FacePrediction) -> str:
    """The patches that spoke most for a face's label, and those that spoke most against it."""
    ranked = sorted(p.patches.items(), key=lambda item: item[1])
    speaking = (
        [f"{patch} {value:+.2f}" for patch, value in part if round(sign * value, 2) > 0]
        for sign, part in ((1, ranked[:-6:-1]), (-1, ranked[:3]))
    )
    most, against = (", ".join(part) or "none" for part in speaking)
    return f"{most}; against it: {against} (shares of the SVM's decisions)"


def save_frame(folder: Path, answer: Answer, image: UInt8Array, maps: Sequence[HeatMap]) -> None:
    """Draw faces into a copy of a video's frame, in a folder of the video's name."""
    path = folder / answer.picture.path.name / f"frame_{answer.frame:06}.png"
    write_image(path, annotate(image, answer.faces, maps, answer.numbers))
