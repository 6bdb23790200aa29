"""What a report says in plain words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from i2cnn.report import words
from i2cnn.report.comparisons import CHANCE, Comparison, Pair
from i2cnn.report.paired import Difference
from i2cnn.report.pictures import draw_pictures
from i2cnn.report.run_report import ReferenceReport
from tests.helpers.reports import report_of, row_of, training_of

NETWORK, UNTRAINED, RIVAL = "k60_trained", "k60_untrained", "rival_hog_rbf"


def pair_of(second: str, value: float, p: float, p_holm: float) -> Pair:
    difference = Difference(value, value - 0.1, value + 0.1, p)
    return Pair(NETWORK, second, difference, p_holm)


def compared(*pairs: Pair, people: int = 12) -> Comparison:
    return Comparison("", people, 12, {}, pairs, pairs)


def test_the_data_sets_name_is_the_title() -> None:
    report = report_of([row_of(NETWORK, 0.5)], dataset="ckplus")
    assert words.heading(report) == "CK+: 6 facial expressions"
    assert words.heading(report_of([row_of(NETWORK, 0.5)])).startswith("Rendered faces: 6")


def test_the_summary_says_what_was_found_and_on_whom() -> None:
    (text,) = words.summary(report_of([row_of(NETWORK, 0.8)]))
    assert text.startswith(
        "On rendered faces, I2CNN-60, trained names 80.0 % of 12 faces of 3 unseen"
    )
    assert "(95 % interval 70.0 to 90.0 %). The profile is paper: the paper's AlexNet" in text
    assert "changed" not in text
    assert text.endswith("the most frequent expression would reach 16.7 %.")


def test_rivals_alone_have_a_summary() -> None:
    report = report_of([row_of("rival_lbp_rbf", 0.6), row_of(RIVAL, 0.7)])
    report = replace(report, settings=replace(report.settings, patch_counts=(), rivals=("hog",)))
    (text,) = words.summary(report)
    assert text.startswith("On rendered faces, rival_hog_rbf names 70.0 %")
    assert "%). No network was trained. Always" in text
    assert report.profile_words == "No network was trained"
    assert "confusion_rival_hog_rbf.png" in draw_pictures(report)


def test_the_summary_compares_with_chance_the_untrained_net_and_the_best_rival() -> None:
    rows = [row_of(NETWORK, 0.8), row_of(UNTRAINED, 0.7), row_of(RIVAL, 0.9)]
    rows.append(row_of("rival_lbp_rbf", 0.6))
    pairs = compared(
        pair_of(UNTRAINED, 0.1, 0.004, 0.016),
        pair_of(RIVAL, -0.1, 0.2, 0.6),
        pair_of("rival_lbp_rbf", 0.2, 0.001, 0.004),
        pair_of(CHANCE, 0.63, 0.0001, 0.0004),
    )
    first, second = words.summary(report_of(rows, comparisons=[pairs]))
    assert first.endswith("would reach 16.7 %: the network is 63.0 points above that (p < 0.001).")
    assert second == (
        "The trained network is 10.0 points above its untrained self (p = 0.004, corrected 0.016). "
        "The best of the other methods, rival_hog_rbf, reaches 90.0 %: the network is 10.0 points "
        "below that, which may be chance (p = 0.20, corrected 0.60)."
    )


def test_the_summary_says_where_a_rival_rests_on_other_folds() -> None:
    rival = row_of(RIVAL, 0.9)
    further = {**rival.scores.fold_accuracies, 99: 0.9}
    rows = [
        row_of(NETWORK, 0.8),
        replace(rival, scores=replace(rival.scores, fold_accuracies=further)),
    ]
    pairs = compared(pair_of(RIVAL, -0.05, 0.2, 0.6))
    text = " ".join(words.summary(report_of(rows, comparisons=[pairs])))
    assert "reaches 90.0 %: on the same faces the network is 5.0 points below that" in text


@pytest.mark.parametrize(("people", "said"), [(4, True), (5, True), (6, False)])
def test_the_summary_says_when_people_are_too_few_for_any_verdict(people: int, said: bool) -> None:
    # Six people who all differ alike reach p = 2 / 64 = 0.03; five only 0.06.
    pairs = compared(pair_of(CHANCE, 0.63, 2 / 2**people, 1.0), people=people)
    text = words.summary(report_of([row_of(NETWORK, 0.8)], comparisons=[pairs]))[0]
    assert text.endswith(f"less than {words.p_words(2 / 2**people)}.") == said


def test_the_summary_sets_references_apart() -> None:
    plain, referenced = row_of(NETWORK, 0.7), row_of("k60_trained", 0.95)
    twin = ReferenceReport(plain, referenced, 0.25, (0.2, 0.3), {}, {})
    report = report_of([plain], references=[twin], reference="person")
    _, text = words.summary(report)
    assert text == (
        "Measured from all pictures of the tested person (unlabelled), I2CNN-60, trained reaches "
        "95.0 %, +25.0 points (95 % interval +20.0 to +30.0)."
    )
    alone = report_of([plain], references=[replace(twin, interval=None)], reference="person")
    assert words.summary(alone)[1].endswith("reaches 95.0 %, +25.0 points.")


def test_neutral_pictures_are_not_called_unlabelled() -> None:
    plain = row_of(NETWORK, 0.7)
    twin = ReferenceReport(plain, plain, 0.0, None, {}, {})
    report = report_of([plain], references=[twin], reference="neutral")
    assert words.summary(report)[1].startswith(
        "Measured from the tested person's neutral pictures, which are not tested themselves, I2CNN"
    )
    assert "No label" not in report.reference_labels


@pytest.mark.parametrize(
    ("value", "p", "p_holm", "expected"),
    [
        (0.05, 0.01, 0.01, "A is 5.0 points above B (p = 0.010)"),
        (
            -0.05,
            0.3,
            1.0,
            "A is 5.0 points below B, which may be chance (p = 0.30, corrected 1.00)",
        ),
        (0.0001, 1.0, 1.0, "A is on a level with B, which may be chance (p = 1.00)"),
    ],
)
def test_a_verdict(value: float, p: float, p_holm: float, expected: str) -> None:
    assert words.verdict(pair_of(RIVAL, value, p, p_holm), "A", "B") == expected


def test_the_calibration_error_is_told_where_it_is_known() -> None:
    report = report_of([row_of(NETWORK, 0.9)])
    assert words.calibration(report) == ""
    calibrated = replace(report, calibration={60: 0.042, 5: 0.1})
    assert "calibration error on the tested faces: 4.2 % (k = 60), 10.0 % (k = 5)." in (
        words.calibration(calibrated)
    )


def test_confusions_are_named_true_first() -> None:
    row = row_of(NETWORK, 0.5)
    row.scores.confusion[0, 3] = 4
    row.scores.confusion[1, 0] = 7
    found = words.confusions(report_of([row]))
    assert found == [("disgust → anger", 7), ("anger → happy", 4)]


def test_curves_of_several_k_have_a_warning() -> None:
    one, two, five = training_of(60, 1), training_of(1, 1), training_of(5, 1)
    assert words.key_of_curves(report_of([row_of(NETWORK, 0.5)], trainings=[one])) == ""
    report = report_of([row_of(NETWORK, 0.5)], trainings=[one, two])
    assert "k = 1 looks best here" in words.key_of_curves(report)
    # Without k = 1, and where it is not the best, nothing of the kind is said.
    report = report_of([row_of(NETWORK, 0.5)], trainings=[one, five])
    assert words.key_of_curves(report).endswith("accuracies of faces are in the tables.")
