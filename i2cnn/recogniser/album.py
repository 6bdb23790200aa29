"""Albums: the pictures of one person make the reference that each of them is measured from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from i2cnn.faces.finder import Detection
from i2cnn.models.card import Card, Share
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.svm.person_reference import FEWEST_PICTURES, PersonReference
from i2cnn.util.arrays import Float32Array

#: A reference of fewer pictures costs accuracy.
ENOUGH_PICTURES = 5
#: Pictures look alike if more than this share of them is named alike.
_ALIKE = 0.8


@dataclass(frozen=True)
class DescribedFace:
    """A face with its features, which are computed once and used for reference and answer."""

    detection: Detection
    features: Float32Array


def make_reference(
    recogniser: Recogniser, faces: Sequence[DescribedFace], card: Card | None
) -> tuple[PersonReference | None, list[str]]:
    """Reference of the person that all the faces show.

    Parameters
    ----------
    recogniser : Recogniser
    faces : sequence of DescribedFace
    card : Card, optional
        The recogniser's, for what is known of its accuracy.

    Returns
    -------
    PersonReference or None
        None for a single picture: it is better named without a reference.
    notes : list of str
        What a user should know: too few pictures, or pictures that look alike, and their cost.

    Raises
    ------
    InputError
        The recogniser cannot use references.
    """
    recogniser.check_references()
    count = len(faces)
    if count < FEWEST_PICTURES:
        cost = _cost(card, card.as_is if card else None)
        return None, [f"one picture makes no reference; it is named without{cost}"]
    notes = []
    if count < ENOUGH_PICTURES:
        notes.append(
            f"{count} pictures are few for a reference"
            + _cost(card, card.with_few(count) if card else None)
        )
    alone = [recogniser.name(face.features, face.detection).label for face in faces]
    label, number = Counter(alone).most_common(1)[0]
    if number > _ALIKE * count:
        cost = _cost(card, card.with_some(1) if card else None)
        notes.append(
            f"{number} of {count} pictures look alike ({label}, each by itself). What all of them "
            f"show counts as the person's face, so add pictures of other expressions{cost}"
        )
    return recogniser.reference_of(face.features for face in faces), notes


def name_faces(
    recogniser: Recogniser, faces: Sequence[DescribedFace], reference: PersonReference | None
) -> list[FacePrediction]:
    """Expressions of the faces of one person."""
    return [recogniser.name(face.features, face.detection, reference) for face in faces]


def _cost(card: Card | None, share: Share | None) -> str:
    """What the card says of the accuracy, if it says anything."""
    if card is None or card.reference is None or share is None:
        return ""
    return (
        f" (on the faces of its card {share.accuracy:.0%} right, with a good reference "
        f"{card.reference.accuracy:.0%})"
    )
