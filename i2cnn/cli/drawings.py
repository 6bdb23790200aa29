"""Pictures with their faces drawn, which `i2cnn predict --save` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from i2cnn.cli.answers import Answer, note
from i2cnn.cli.pictures import Picture
from i2cnn.models.card import read_card
from i2cnn.pages.faces_by_label import PAGE_FILE, FacesByLabel
from i2cnn.recogniser.draw import annotate
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import read_image_noted, write_image


class Drawings:
    """A folder of pictures with their faces drawn and, of several, a page of all faces.

    Parameters
    ----------
    folder : Path
    pictures : sequence of Picture
        All that there will be.
    recogniser : Recogniser
    explain : bool
        True to draw heat maps, too.
    """

    def __init__(
        self, folder: Path, pictures: Sequence[Picture], recogniser: Recogniser, explain: bool
    ) -> None:
        self._folder = folder
        self._names = drawing_names(pictures)
        self._recogniser = recogniser
        self._explain = explain
        card = read_card(recogniser.bundle.folder)
        self._page = FacesByLabel("" if card is None else card.warning)

    def save(self, answer: Answer, faces: Sequence[FacePrediction]) -> None:
        """Draw faces into a copy of an answer's picture: the answer's, and those known before."""
        picture = answer.picture
        if not answer.faces:
            self._page.leave_out(answer.error or f"{picture.path}: no face found")
        if answer.error:
            return
        image, _ = read_image_noted(picture.path)  # its notes were told before
        maps = [self._recogniser.heat_map(face) for face in faces] if self._explain else []
        drawing = self._names[picture]
        write_image(self._folder / drawing, annotate(image, faces, maps))
        self._page.add(image, str(picture.inside), drawing, answer.faces, answer.person)

    def write_page(self, done_before: int) -> None:
        """Write the page, which lacks the pictures of an earlier command that this one resumed."""
        if len(self._names) < 2:
            return
        earlier = f"Pictures that were done before are not shown here: {done_before}."
        path = self._folder / PAGE_FILE
        self._page.write(path, earlier if done_before else "")
        note(f"all faces by label: {path}")


def drawing_names(pictures: Sequence[Picture]) -> dict[Picture, Path]:
    """Where each picture's drawing is inside the folder of drawings, as the pictures are in theirs.

    Of two that would have one name, the second gets a number, which is told.
    """
    names: dict[Path, Picture] = {}
    for picture in pictures:
        stem, number = picture.path.stem, 1
        name = picture.inside.with_name(f"{stem}_expressions.png")
        while name in names:
            number += 1
            name = picture.inside.with_name(f"{stem}_expressions_{number}.png")
        if number > 1:
            note(f"{picture.path}: its drawing is {name}")
        names[name] = picture
    return {picture: name for name, picture in names.items()}
