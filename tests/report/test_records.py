"""JSON files of a run directory, read into types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from i2cnn.report.records import parse_job, read_dataset
from i2cnn.svm.probabilities import Bin
from i2cnn.util.errors import InputError

JOB: dict[str, Any] = {
    "methods": {"rbf": {"accuracy": 0.5, "kernel": "rbf", "C": 10.0, "windows": [[0, 0, 15, 15]]}},
    "steps": {"rbf": {"seconds": 1.5, "peak_bytes": 1000}},
    "provenance": {"inputs": "def", "predictions": {"rbf": "abc"}},
}
METHOD = JOB["methods"]["rbf"]
BIN = {"faces": 2, "expected": 1.5, "right": 1}
TRAINING = {
    "curve": [{"iteration": 2, "train_loss": 2.0, "accuracy": 0.1, "loss": 1.9}],
    "iterations": 2,
    "best_iteration": 2,
    "flat": True,
    "seconds": 3.0,
    "images_per_second": 7.5,
}
DATASET = {
    "name": "folder",
    "task": {"name": "folder", "labels": ["a", "b"]},
    "found": {"images": 2},
    "expected": {},
    "left_out": {"too dark": ["x.png"]},
    "notes": ["a note"],
    "faces_found": {"given": 2},
    "faces_notes": [],
}


def test_a_rivals_job_has_no_training() -> None:
    record = parse_job(JOB, "job.json")
    assert record.training is None
    assert record.choices["rbf"].C == 10
    assert record.digests == {"rbf": "abc"}


def test_a_step_on_the_cpu_has_no_device_memory() -> None:
    step = parse_job(JOB, "job.json").steps["rbf"]
    assert (step.seconds, step.peak_bytes, step.peak_device_bytes) == (1.5, 1000, 0)


def test_a_networks_job_has_its_learning_curve() -> None:
    training = parse_job(JOB | {"training": TRAINING}, "job.json").training
    assert training is not None
    assert training.flat
    assert [point.loss for point in training.curve] == [1.9]


def test_a_calibration_is_read() -> None:
    content = JOB | {"methods": {"rbf": METHOD | {"calibration": [BIN] * 10}}}
    assert parse_job(content, "job.json").choices["rbf"].calibration == (Bin(2, 1.5, 1),) * 10


@pytest.mark.parametrize(
    "content",
    [
        [],
        {},
        JOB | {"steps": {"rbf": 3}},
        JOB | {"training": {"curve": 3}},
        JOB | {"methods": {"rbf": METHOD | {"calibration": [BIN]}}},
        JOB | {"methods": {"rbf": METHOD | {"calibration": [BIN | {"faces": 0}] * 10}}},
        JOB | {"methods": {"rbf": METHOD | {"calibration": [{}] * 10}}},
        JOB | {"methods": {"rbf": {"C": "many", "kernel": "rbf", "accuracy": 1}}},
    ],
)
def test_a_damaged_job_is_refused_by_name(content: Any) -> None:
    with pytest.raises(InputError, match=r"fold_01/job.json: damaged"):
        parse_job(content, "fold_01/job.json")


def test_a_dataset_record_is_read(tmp_path: Path) -> None:
    (tmp_path / "dataset.json").write_text(json.dumps(DATASET))
    record = read_dataset(tmp_path / "dataset.json")
    assert record.task.labels == ("a", "b")
    assert record.left_out == {"too dark": ("x.png",)}
    assert record.faces_found == {"given": 2}


@pytest.mark.parametrize("missing", list(DATASET))
def test_an_incomplete_dataset_record_is_refused(tmp_path: Path, missing: str) -> None:
    content = {key: value for key, value in DATASET.items() if key != missing}
    (tmp_path / "dataset.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="damaged"):
        read_dataset(tmp_path / "dataset.json")
