"""The paper's numbers, as typed in here."""

from __future__ import annotations

import pytest

from i2cnn.report.paper import PUBLISHED, protocol, published
from i2cnn.rivals import RIVALS

KEYS = list(PUBLISHED)


@pytest.mark.parametrize("key", KEYS)
def test_every_task_has_the_papers_three_numbers_of_patches(key: tuple[str, str]) -> None:
    rows = published(*key)
    assert {r.ours for r in rows} >= {"k60_trained", "k5_trained", "k1_trained"}
    assert all(50 < r.accuracy < 100 for r in rows)


@pytest.mark.parametrize(
    ("key", "percent"),
    [(("jaffe", "seven"), 19.76), (("ckplus", "six"), 6.62), (("ckplus", "seven"), 7.25)],
)
def test_the_gain_over_one_patch_is_that_of_the_papers_text(
    key: tuple[str, str], percent: float
) -> None:
    numbers = {r.ours: r.accuracy for r in published(*key)}
    gain = 100 * (numbers["k60_trained"] / numbers["k1_trained"] - 1)
    assert gain == pytest.approx(percent, abs=0.01)


def test_data_that_the_paper_did_not_use_have_no_numbers() -> None:
    assert published("synthetic", "seven") == ()


def test_the_protocol_is_that_of_the_cited_work() -> None:
    rows = {r.method: protocol(r) for r in published("ckplus", "six")}
    assert rows["I2CNN-60"].startswith("this paper")
    assert rows["SVM (RBF) + LBP [22]"].startswith("Shan")
    assert "last three frames, 6 classes" in rows["BDBN [23]"]


@pytest.mark.parametrize("key", KEYS)
def test_every_rival_has_a_protocol_and_a_method_here(key: tuple[str, str]) -> None:
    ids = {f"rival_{r.name}_{method}" for r in RIVALS.values() for method in r.methods}
    for row in published(*key):
        assert protocol(row) != "not stated in the paper"
        assert row.ours in ids or row.ours.endswith("_trained")
