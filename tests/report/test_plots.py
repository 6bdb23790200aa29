"""Pictures are PNG of a sensible shape, whatever the numbers are."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest

from i2cnn.report.plots import Bar, Curve, bars_png, confusion_png, curves_png, folds_png


def size_of(png: bytes) -> tuple[int, int]:
    """Height and width."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return int(image.shape[0]), int(image.shape[1])


def test_a_class_without_faces_divides_by_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        png = confusion_png(np.array([[3, 1], [0, 0]]), ["x", "y"], "a method")
    height, width = size_of(png)
    assert height == pytest.approx(width, rel=0.25)


@pytest.mark.parametrize("label", [r"$\frac$", "a $1 b $2", "$", "x_^{", "顔 \x1b", "<b>"])
def test_a_label_is_text_and_no_formula(label: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size_of(confusion_png(np.eye(2, dtype=np.int64), [label, label], label))
        assert size_of(bars_png([Bar(label, "rival", 50, 40, 60)], 0.1, label))
        assert size_of(folds_png({label: {1: 0.5}}, 0.1))
        curve = Curve([1, 2], [2.0, 1.0], [2.0, 1.5], [0.1, 0.5])
        assert size_of(curves_png({label: [curve]}, 2))


def test_more_methods_make_a_higher_chart() -> None:
    bars = [Bar(f"method {i}", "rival", 50, 40, 60, published=55) for i in range(12)]
    few, many = size_of(bars_png(bars[:3], 0.1, "few")), size_of(bars_png(bars, 0.1, "many"))
    assert few[0] < many[0]


def test_a_group_of_unknown_name_is_drawn() -> None:
    assert size_of(bars_png([Bar("m", "another", 50, 40, 60)], 0.1, "t"))


def test_curves_stand_side_by_side() -> None:
    curve = Curve([1, 2], [2.0, 1.0], [2.0, 1.5], [0.1, 0.5])
    height, width = size_of(curves_png({"k = 1": [curve, curve], "k = 5": [curve]}, 7))
    assert width > 2 * height


def test_a_curve_of_one_point_is_drawn() -> None:
    one = size_of(curves_png({"k = 1": [Curve([1], [2.0], [2.0], [0.1])]}, 7))
    assert one[1] > one[0]


def test_methods_may_have_different_folds() -> None:
    assert size_of(folds_png({"one": {1: 0.5, 2: 0.6}, "other": {2: 0.4}}, 0.1))
