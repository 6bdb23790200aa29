"""Scores by hand: folds, repetitions, intervals; the paper's tables around them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.evaluation.predictions import Prediction, read_predictions, write_predictions
from i2cnn.report.paper import PUBLISHED, published
from i2cnn.report.scores import chance, score, wilson
from i2cnn.report.tables import paper_tables
from i2cnn.util.errors import InputError

ROWS = [
    Prediction(1, "a.png", "A", "x", "x"),
    Prediction(1, "b.png", "A", "y", "x"),
    Prediction(2, "c.png", "B", "y", "y"),
    Prediction(2, "d.png", "B", "y", "y"),
]


def test_scores_by_hand(tmp_path) -> None:
    write_predictions(tmp_path / "p.csv", ROWS)
    assert read_predictions(tmp_path / "p.csv") == ROWS
    found = score([ROWS], ["x", "y"])
    assert found.fold_accuracies == {1: 0.5, 2: 1.0}
    assert found.mean == found.pooled == 0.75
    assert found.confusion.tolist() == [[1, 0], [1, 2]]
    assert found.macro_f1 == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert found.std == pytest.approx(np.std([0.5, 1], ddof=1))
    assert found.bootstrap is None
    assert found.interval == wilson(3, 4)
    assert chance(["x", "y", "y", "y"]) == 0.75
    # Wilson's interval for 8 of 10, from the textbook formula.
    assert wilson(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)


def test_repetitions_are_averaged_not_pooled() -> None:
    perfect = [replace(p, predicted=p.truth) for p in ROWS]
    found = score([ROWS, perfect], ["x", "y"])
    assert found.seed_means == (0.75, 1.0)
    assert found.mean == 0.875
    assert found.fold_accuracies == {1: 0.75, 2: 1.0}
    assert found.std == pytest.approx(np.std([0.5, 1], ddof=1) / 2)
    # Four faces, tested twice, are four faces.
    assert found.wilson == wilson(3.5, 4)
    with pytest.raises(InputError, match="no predictions"):
        score([[]], ["x", "y"])


def test_the_interval_is_over_people() -> None:
    """Ten people, all faces of each right or all wrong: the interval is that of ten, not of 100."""
    rows = [
        Prediction(1, f"{p}_{i}.png", str(p), "x", "x" if p < 7 else "y")
        for p in range(10)
        for i in range(10)
    ]
    found = score([rows], ["x", "y"])
    assert found.pooled == 0.7
    low, high = found.interval
    # Binomial of 10 at 0.7: 95 % lie between 4 and 10 (exclusive of the far tails).
    assert low == pytest.approx(0.4, abs=0.01)
    assert high == pytest.approx(1.0, abs=0.11)
    assert found.wilson[1] - found.wilson[0] < 0.6 * (high - low)


def test_every_published_number_is_in_the_facts() -> None:
    for (_, task), rows in PUBLISHED.items():
        assert task in ("six", "seven")
        assert {r.ours for r in rows} >= {"k60_trained", "k5_trained", "k1_trained"}
        assert all(50 < r.accuracy < 100 for r in rows)
    numbers = {r.ours: r.accuracy for r in published("ckplus", "six")}
    assert (numbers["k60_trained"], numbers["k1_trained"]) == (98.3, 92.2)
    # The text's percentages of improvement (paper.md) are relative to the single patch.
    for key, percent in (
        (("jaffe", "seven"), 19.76),
        (("ckplus", "six"), 6.62),
        (("ckplus", "seven"), 7.25),
    ):
        numbers = {r.ours: r.accuracy for r in PUBLISHED[key]}
        gain = 100 * (numbers["k60_trained"] / numbers["k1_trained"] - 1)
        assert gain == pytest.approx(percent, abs=0.01)


def run_of(dataset: str, task: str, labels: int, methods: dict[str, float]) -> dict:
    return {
        "settings": {"dataset": dataset},
        "profile": "paper",
        "departures": [],
        "labels": ["l"] * labels,
        "dataset": {"task": {"name": task}},
        "methods": [
            {
                "id": key,
                "method": key,
                "group": "rival" if key.startswith("rival") else "trained",
                "mean": value,
                "flat_folds": [],
                "std": 0.05,
                "seed_means": [value],
                "folds": {"1": value, "2": value},
                "interval95": [value - 0.1, value + 0.1],
            }
            for key, value in methods.items()
        ],
    }


def test_tables_put_ours_beside_the_published() -> None:
    jaffe = run_of("jaffe", "seven", 7, {"k60_trained": 0.7, "k1_trained": 0.6})
    ck = run_of("ckplus", "six", 6, {"k60_trained": 0.9, "rival_lbp_rbf": 0.91})
    compared, third, fourth = paper_tables({Path("a"): jaffe, Path("b"): ck})
    assert compared.columns == ("JAFFE (7)", "CK+ (6)")
    assert compared.beside == (True, True)
    rows = {row.method: row.cells for row in compared.rows}
    assert rows["I2CNN-60"][0].published == 75.2806
    assert rows["I2CNN-60"][0].difference == pytest.approx(-5.2806)
    assert rows["I2CNN-60"][1].difference == pytest.approx(-8.3)
    lbp = rows["SVM (RBF) + LBP [22]"]
    assert (lbp[0].published, lbp[0].ours) == (None, None)
    assert (lbp[1].published, lbp[1].ours) == (92.6, 91)
    assert not rows["BDBN [23]"][1].certain
    assert [row.method for row in third.rows] == ["I2CNN-60", "I2CNN-1 (conventional CNN)"]
    assert [row.cells[0].published for row in fourth.rows] == [75.2806, 70.9825, 62.8602]
    assert fourth.rows[1].cells[0].ours is None


def test_tables_of_data_the_paper_did_not_use() -> None:
    run = run_of("synthetic", "seven", 7, {"k60_trained": 0.7, "k5_trained": 0.65})
    compared, _, fourth = paper_tables({Path("run"): run})
    assert compared.beside == (False,)
    assert [row.method for row in compared.rows] == ["I2CNN-60"]
    assert [row.method for row in fourth.rows] == ["I2CNN-60", "I2CNN-5"]
    assert all(cell.published is None for row in fourth.rows for cell in row.cells)
