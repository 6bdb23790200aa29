"""Which pictures a report has."""

from __future__ import annotations

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
        "learning_curves.png",
        "folds.png",
    }
    assert all(png.startswith(b"\x89PNG") for png in pictures.values())


def test_rivals_alone_have_no_learning_curves() -> None:
    pictures = draw_pictures(report_of([row_of("rival_gabor_rbf", 0.5)]))
    assert set(pictures) == {"methods.png"}
