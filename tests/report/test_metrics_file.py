"""metrics.json: what other programs rely on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from i2cnn.report.metrics_file import to_json, write_metrics
from tests.helpers.reports import report_of, row_of, training_of


def test_its_keys_are_a_promise() -> None:
    assert list(to_json(report_of([row_of("k60_trained", 0.5)]))) == [
        "run_digest",
        "profile",
        "departures",
        "settings",
        "dataset",
        "labels",
        "folds",
        "folds_digest",
        "folds_done",
        "jobs_done",
        "jobs_total",
        "methods",
        "flat",
        "chance",
        "paper",
        "leak_audit",
        "versions",
        "machine",
    ]


def test_a_method_has_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    write_metrics(path, report_of([row_of("k60_trained", 0.4, 0.6, flat_folds=(2,))]))
    (method,) = json.loads(path.read_text())["methods"]
    assert method["id"] == "k60_trained"
    assert method["mean"] == 0.5
    assert method["seed_means"] == [0.4, 0.6]
    assert method["folds"] == {"1": 0.45, "2": 0.5, "3": 0.55}
    assert method["interval95"] == [0.4, 0.6]
    assert method["interval95_wilson"] == [0.3, 0.7]
    assert method["flat_folds"] == [2]


def test_flat_trainings_are_listed() -> None:
    trainings = [training_of(60, 2, 1, flat=True), training_of(60, 1)]
    content = to_json(report_of([row_of("k60_trained", 0.5)], trainings=trainings))
    assert content["flat"] == [{"k": 60, "fold": 2, "seed": 1}]


def test_published_numbers_name_our_method() -> None:
    content = to_json(report_of([row_of("k60_trained", 0.5)], dataset="ckplus"))
    rows = json.loads(json.dumps(content["paper"]))
    assert {"method": "I2CNN-60", "accuracy": 98.3, "ours": "k60_trained"}.items() <= rows[
        0
    ].items()


def test_the_calibration_error_is_there_where_it_is_known() -> None:
    report = replace(report_of([row_of("k60_trained", 0.5)]), calibration={60: 0.042})
    assert to_json(report)["calibration_error"] == {"60": 0.042}
