"""Which pictures a report has."""

from __future__ import annotations

from i2cnn.report.comparisons import Comparison, Pair
from i2cnn.report.paired import Difference
from i2cnn.report.pictures import draw_pictures
from tests.helpers.reports import report_of, row_of, training_of


def test_a_full_run_has_every_picture() -> None:
    ids = ["k60_trained", "k60_untrained", "rival_lbp_rbf", "k60_region"]
    report = report_of(
        [row_of(i, 0.5) for i in ids], dataset="ckplus", trainings=[training_of(60, 1)]
    )
    pictures = draw_pictures(report)
    assert set(pictures) == {
        "confusion_k60_trained.png",
        "confusion_rival_lbp_rbf.png",
        "methods.png",
        "patches.png",
        "regions.png",
        "learning_curves.png",
        "folds.png",
    }
    assert all(picture.png.startswith(b"\x89PNG") for picture in pictures.values())


def test_pictures_say_what_they_show_to_those_who_cannot_see_them() -> None:
    report = report_of([row_of("rival_lbp_rbf", 0.4), row_of("k60_trained", 0.5)])
    pictures = draw_pictures(report)
    assert pictures["methods.png"].alt == (
        "Bars, the best first: I2CNN-60, trained 50.0 %, rival_lbp_rbf 40.0 %. Chance is 16.7 %."
    )
    assert all(picture.alt.endswith(".") for picture in pictures.values())


def test_comparisons_have_a_picture_each() -> None:
    pairs = (Pair("k60_trained", "rival_lbp_rbf", Difference(0.1, 0.0, 0.2, 0.2), 0.4),)
    ranks = {"k60_trained": 1.25, "rival_lbp_rbf": 1.75}
    compared = [Comparison(reference, 4, 12, ranks, pairs, ()) for reference in ("", "person")]
    rows = [row_of("k60_trained", 0.5), row_of("rival_lbp_rbf", 0.4)]
    pictures = draw_pictures(report_of(rows, comparisons=compared))
    assert pictures["ranks.png"].alt == (
        "Mean ranks over people, the best first: I2CNN-60, trained 1.2, rival_lbp_rbf 1.8. "
        "Not significantly different: I2CNN-60, trained to rival_lbp_rbf."
    )
    assert "ranks_reference.png" in pictures


def test_rivals_alone_have_no_learning_curves() -> None:
    pictures = draw_pictures(report_of([row_of("rival_gabor_rbf", 0.5)]))
    assert set(pictures) == {"methods.png", "confusion_rival_gabor_rbf.png"}
