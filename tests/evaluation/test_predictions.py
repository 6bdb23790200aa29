"""Predictions as files."""

from __future__ import annotations

from pathlib import Path

import pytest

from i2cnn.evaluation.predictions import Prediction, read_predictions, write_predictions
from i2cnn.util.errors import InputError

ROWS = [
    Prediction(1, "a.png", "S1", "happy", "happy"),
    Prediction(2, 'odd, "name".png', "S2", "anger", "fear"),
]


def test_predictions_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "predictions_x.csv"
    write_predictions(path, ROWS)
    assert read_predictions(path) == ROWS


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.csv: no such file"):
        read_predictions(tmp_path / "gone.csv")


def test_a_line_that_is_no_prediction_is_named(tmp_path: Path) -> None:
    path = tmp_path / "predictions_x.csv"
    write_predictions(path, ROWS)
    path.write_text(path.read_text() + "one,a.png,S1,happy,happy\n")
    with pytest.raises(InputError, match=r"predictions_x\.csv:4: not a prediction"):
        read_predictions(path)
