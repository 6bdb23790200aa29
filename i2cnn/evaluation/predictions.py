"""Predictions of tested faces, and the CSV files that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from i2cnn.util.errors import InputError
from i2cnn.util.files import write_text
from i2cnn.util.tables import csv_rows, csv_text, whole_number


@dataclass(frozen=True)
class Prediction:
    """One face, tested once.

    Parameters
    ----------
    fold : int
        Number of the fold that tested it, counted from 1.
    image : str
        Path of the picture, relative to the data set's root.
    subject : str
        The person shown.
    truth, predicted : str
        The label, and the one that the method named.
    """

    fold: int
    image: str
    subject: str
    truth: str
    predicted: str


_COLUMNS = [field.name for field in fields(Prediction)]


def write_predictions(path: Path, predictions: Sequence[Prediction]) -> None:
    """Write predictions as CSV, atomically."""
    write_text(path, predictions_csv(predictions))


def predictions_csv(predictions: Sequence[Prediction]) -> str:
    """Predictions as CSV, byte for byte as in a file."""
    return csv_text([_COLUMNS, *map(astuple, predictions)])


def read_predictions(path: Path) -> list[Prediction]:
    """Read predictions.

    Raises
    ------
    InputError
        The file is missing, or a line of it, which is named, is not a prediction.
    """
    result = []
    for line, row in csv_rows(path, _COLUMNS):
        try:
            fold = whole_number(row.pop("fold"))
        except ValueError as error:
            raise InputError(f"{path}:{line}: not a prediction (fold: {error})") from None
        result.append(Prediction(fold, **row))
    return result
