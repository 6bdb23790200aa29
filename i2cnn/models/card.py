"""The card of a recogniser: what it was made of, how well it does, and what it can't do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, write_json, write_text

CARD_FILE, CARD_TEXT = "card.json", "card.md"
#: Keys of a measured share in card.json.
_SHARE = ("accuracy", "low", "high")
#: What a label may have that Markdown would not show as it is.
_MARKS = re.compile(r"[\\`*<\[|&]")


@dataclass(frozen=True)
class Share:
    """A measured accuracy with its 95 % interval over people, if that is known; from 0 to 1."""

    accuracy: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        known = self.low is not None and self.high is not None
        return f"{self.accuracy:.1%}" + (f" ({self.low:.1%} to {self.high:.1%})" if known else "")


@dataclass(frozen=True)
class Card:
    """What a user should know of a recogniser.

    Parameters
    ----------
    name, title : str
    line : str
        What it is for, in one line.
    warning : str
        What it can't do, in one line.
    labels : tuple of str
    method, protocol, licence : str
    data : tuple of mapping
        Of each set of pictures: folder, pictures, people (None if nobody knows), licence.
    as_is : Share
        People apart.
    limits : tuple of str
        What it can't do.
    reference : Share or None
        People apart, with a reference of all pictures of the person.
    few : mapping of int to Share
        With a reference of so many pictures of the person, drawn at random.
    one_sided : mapping of int to Share
        With a reference of pictures that show only so many of the expressions.
    calibration : mapping of str to float
        Expected calibration error of its probabilities, `as_is` and with a `reference` of all
        pictures; empty if its scores are no probabilities.
    confusion : tuple of tuple of int
        Tested faces of each true label (rows) by what they were named, without a reference; empty
        where that is not known.
    """

    name: str
    title: str
    line: str
    warning: str
    labels: tuple[str, ...]
    method: str
    protocol: str
    licence: str
    data: tuple[Mapping[str, Any], ...]
    as_is: Share
    limits: tuple[str, ...]
    reference: Share | None = None
    few: Mapping[int, Share] = field(default_factory=dict)
    one_sided: Mapping[int, Share] = field(default_factory=dict)
    calibration: Mapping[str, float] = field(default_factory=dict)
    confusion: tuple[tuple[int, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The content of card.json."""
        names = ("name", "title", "line", "warning", "method", "protocol", "licence")
        return {
            **{name: getattr(self, name) for name in names},
            **{name: list(getattr(self, name)) for name in ("labels", "data", "limits")},
            "as_is": vars(self.as_is),
            "reference": self.reference and vars(self.reference),
            "few": {str(n): vars(share) for n, share in self.few.items()},
            "one_sided": {str(n): vars(share) for n, share in self.one_sided.items()},
            "calibration": dict(self.calibration),
            **({"confusion": [list(row) for row in self.confusion]} if self.confusion else {}),
        }

    def with_few(self, pictures: int) -> Share | None:
        """With a reference of so many pictures, or the next smaller number that was measured."""
        return _nearest(self.few, pictures)

    def with_some(self, expressions: int) -> Share | None:
        """With a reference of so many expressions, or the next smaller number measured."""
        return _nearest(self.one_sided, expressions)

    @property
    def calibration_words(self) -> str:
        """What its scores are."""
        if not self.calibration:
            return "Its scores are not calibrated: they are no probabilities."
        return (
            f"Its scores are probabilities, calibrated on left-out {self._units}; expected "
            f"calibration error {self.calibration['as_is']:.1%} without a reference"
            + (
                f", {self.calibration['reference']:.1%} with one of all pictures."
                if "reference" in self.calibration
                else "."
            )
        )

    @property
    def _units(self) -> str:
        return "people" if all(d["people"] is not None for d in self.data) else "pictures"

    def _confusion_text(self, labels: Sequence[str]) -> list[str]:
        if not self.confusion:
            return []
        rows: list[list[object]] = [
            ["true \\ named", *labels],
            ["---"] * (len(labels) + 1),
            *([label, *row] for label, row in zip(labels, self.confusion, strict=True)),
        ]
        return [
            "## Confusion",
            "Tested faces, without a reference: each row a true label, each column what was named.",
            "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows),
        ]

    def text(self) -> str:
        """The content of card.md."""
        labels = [_MARKS.sub(r"\\\g<0>", label) for label in self.labels]
        rows = [("without a reference", self.as_is)]
        rows += [(f"reference of {n} pictures", share) for n, share in self.few.items()]
        if self.reference is not None:
            rows += [("reference of all pictures", self.reference)]
        rows += [
            (f"reference of pictures of {n} expression{'s' * (n > 1)} only", share)
            for n, share in self.one_sided.items()
        ]
        lines = [
            f"# {self.name}: {self.title}",
            self.line,
            f"**{self.warning}**",
            f"Labels: {', '.join(labels)}. {self.method}",
            "## Accuracy",
            self.protocol,
            "\n".join(
                ["| pictures of the tested person | accuracy (95 % interval) |", "| --- | --- |"]
                + [f"| {what} | {share} |" for what, share in rows]
            ),
            self.calibration_words,
            *self._confusion_text(labels),
            "## What it can't do",
            "\n".join(f"* {limit}" for limit in self.limits),
            "## Data and licence",
            "\n".join(
                f"* {d['folder']}: {d['pictures']} pictures of {_people(d)}. {d['licence']}"
                for d in self.data
            ),
            self.licence,
        ]
        return "\n\n".join(lines) + "\n"


def read_card(folder: Path) -> Card | None:
    """Card of a recogniser's folder; None if it has none.

    Raises
    ------
    InputError
        Its card is damaged.
    """
    path = folder / CARD_FILE
    if not path.is_file():
        return None
    content = read_json(path)
    try:
        for name in ("labels", "data", "limits"):
            content[name] = tuple(content[name])
        content["as_is"] = _share(content["as_is"])
        content["reference"] = content["reference"] and _share(content["reference"])
        errors = {name: float(v) for name, v in content.get("calibration", {}).items()}
        measured = {"as_is", "reference"} if content["reference"] else {"as_is"}
        if set(errors) not in (set(), measured):
            raise ValueError("calibration")
        content["calibration"] = errors
        confusion = tuple(tuple(map(int, row)) for row in content.get("confusion", ()))
        if {len(confusion), *map(len, confusion)} - {len(content["labels"])} and confusion:
            raise ValueError("confusion")
        content["confusion"] = confusion
        for name in ("few", "one_sided"):
            content[name] = {int(n): _share(share) for n, share in content[name].items()}
        return Card(**content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error!r}); copy the whole folder again") from None


def write_card(folder: Path, card: Card) -> None:
    """Write a card into a recogniser's folder, for programs and for people."""
    write_json(folder / CARD_FILE, card.to_json())
    write_text(folder / CARD_TEXT, card.text())


def _people(data: Mapping[str, Any]) -> str:
    return "unknown people" if data["people"] is None else f"{data['people']} people"


def _nearest(measured: Mapping[int, Share], number: int) -> Share | None:
    smaller = [n for n in measured if n <= number]
    return measured[max(smaller)] if smaller else None


def _share(content: Mapping[str, Any]) -> Share:
    accuracy, *ends = (content[name] for name in _SHARE)
    return Share(float(accuracy), *(None if end is None else float(end) for end in ends))
