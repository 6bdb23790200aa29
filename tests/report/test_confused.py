"""Thumbnails of wrongly named faces."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from i2cnn.evaluation.predictions import Prediction
from i2cnn.faces.table import Face
from i2cnn.report.confused import ConfusedFace, confused_faces
from i2cnn.report.make_report import make_report
from i2cnn.report.results import Results, read_results
from tests.helpers.runs import write_run

WRONG = {"A, fear.png": "happy", "B, fear.png": "happy", "A, anger.png": "disgust"}


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """A run with three wrong predictions, and pictures of all its faces."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    inputs = write_run(tmp_path / "run", root=pictures)
    for face in inputs.faces:
        cv2.imwrite(str(pictures / face.image), np.full((60, 60), 128, np.uint8))
    results = read_results(tmp_path / "run")
    jobs = [
        replace(done, predictions={m: [_named(p) for p in r] for m, r in done.predictions.items()})
        for done in results.jobs
    ]
    return replace(results, jobs=jobs)


def _named(prediction: Prediction) -> Prediction:
    return replace(prediction, predicted=WRONG.get(prediction.image, prediction.truth))


def _faces_of(results: Results) -> list[ConfusedFace]:
    return confused_faces(results, make_report(results))


def _with_boxes(results: Results, box: tuple[float, float, float, float]) -> Results:
    faces: list[Face] = [replace(face, box=box) for face in results.inputs.faces]
    return replace(results, inputs=replace(results.inputs, faces=faces))


def test_frequent_confusions_come_first(results: Results) -> None:
    shown = [face.prediction.image for face in _faces_of(results)]
    assert shown == ["A, fear.png", "B, fear.png", "A, anger.png"]


def test_a_thumbnail_keeps_the_boxs_shape(results: Results) -> None:
    png = _faces_of(_with_boxes(results, (5, 5, 20, 40)))[0].png
    thumbnail = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert thumbnail is not None
    assert thumbnail.shape == (220, 110)


def test_a_flat_box_has_a_thumbnail(results: Results) -> None:
    assert len(_faces_of(_with_boxes(results, (0, 5, 60, 0.6)))) == 3


def test_a_picture_that_has_moved_is_left_out(results: Results) -> None:
    (results.inputs.root / "A, fear.png").unlink()
    assert [face.prediction.image for face in _faces_of(results)] == ["B, fear.png", "A, anger.png"]


def test_a_box_outside_the_picture_is_left_out(results: Results) -> None:
    assert _faces_of(_with_boxes(results, (100, 100, 20, 20))) == []


def test_a_picture_that_is_none_any_more_does_not_lose_the_report(results: Results) -> None:
    (results.inputs.root / "A, fear.png").write_text("no picture")
    assert [f.prediction.image for f in _faces_of(results)] == ["B, fear.png", "A, anger.png"]
