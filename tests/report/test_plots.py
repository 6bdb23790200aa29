"""Pictures are PNG of a sensible shape, whatever the numbers are."""

from __future__ import annotations

import warnings

import cv2
import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from i2cnn.network.loop import Validation
from i2cnn.report.plots import (
    Bar,
    Line,
    Panel,
    bars_png,
    confusion_png,
    contrast,
    curves_png,
    folds_png,
    ink_on,
    ranks_png,
    regions_png,
)


def size_of(png: bytes) -> tuple[int, int]:
    """Height and width."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return int(image.shape[0]), int(image.shape[1])


def test_a_class_without_faces_divides_by_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        png = confusion_png(np.array([[3, 1], [0, 0]]), ["x", "y"], "a method")
    # As wide as with more classes: the page scales all to one width, and their letters with it.
    three = confusion_png(np.eye(3, dtype=np.int64), ["x", "y", "z"], "a method")
    assert size_of(png)[1] == size_of(three)[1]


def test_a_title_wider_than_its_matrix_is_not_cut_off() -> None:
    png = confusion_png(np.eye(2, dtype=np.int64), ["x", "y"], "SVM (linear) + raw pixels")
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert image[:, -2:].min() == 255


@pytest.mark.parametrize("label", [r"$\frac$", "a $1 b $2", "$", "x_^{", "顔 \x1b", "<b>"])
def test_a_label_is_text_and_no_formula(label: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert size_of(confusion_png(np.eye(2, dtype=np.int64), [label, label], label))
        assert size_of(bars_png([Bar(label, "#123456", 50, 40, 60)], 0.1))
        assert size_of(folds_png({Line(label, "#123456"): {1: 0.5}}, 0.1))
        curve = [Validation(1, 2.0, 0.1, 2.0), Validation(2, 1.0, 0.5, 1.5)]
        assert size_of(curves_png({Line(label, "#123456"): [curve]}, 2))


def test_more_methods_make_a_higher_chart() -> None:
    bars = [Bar(f"method {i}", "#123456", 50, 40, 60, published=55) for i in range(12)]
    few, many = size_of(bars_png(bars[:3], 0.1)), size_of(bars_png(bars, 0.1, winner=True))
    assert few[0] < many[0]
    assert few[1] == many[1]


def test_curves_are_narrow_enough_for_a_telephone() -> None:
    curve = [Validation(1, 2.0, 0.1, 2.0), Validation(2, 1.0, 0.5, 1.5)]
    curves = {Line("k = 1", "#123456"): [curve, curve], Line("k = 5", "#654321"): [curve]}
    height, width = size_of(curves_png(curves, 7))
    assert width < height


def test_a_curve_of_one_point_is_drawn() -> None:
    assert size_of(curves_png({Line("k = 1", "red"): [[Validation(1, 2.0, 0.1, 2.0)]]}, 7))


def test_methods_may_have_different_folds() -> None:
    assert size_of(
        folds_png({Line("one", "red"): {1: 0.5, 2: 0.6}, Line("other", "blue"): {2: 0.4}}, 0.1)
    )


def test_ranks_are_drawn_with_and_without_groups() -> None:
    ranks = {Line(name, "#123456"): rank for name, rank in (("a", 1.5), ("b", 2.0), ("c", 2.5))}
    assert size_of(ranks_png(ranks, [], "people")) == size_of(
        ranks_png(ranks, [[0, 1], [1, 2]], "people")
    )


def test_many_regions_have_more_rows() -> None:
    face = np.full((60, 50), 128, np.uint8)
    corners = np.array([[-9.0, 5], [40, 5], [40, 50], [-9, 50]])
    few, many = (size_of(regions_png(face, [Panel("x", corners)] * n)) for n in (3, 7))
    assert few[0] < many[0]


def test_the_contrast_is_wcags() -> None:
    assert contrast((1, 1, 1), (0, 0, 0)) == pytest.approx(21)
    assert contrast(to_rgb("#777777"), (1, 1, 1)) == pytest.approx(4.48, abs=0.01)


def test_numbers_of_a_confusion_matrix_can_be_read() -> None:
    for share in np.linspace(0, 1, 101):
        cell = colormaps["Greens"](share)[:3]
        assert contrast(cell, to_rgb(ink_on(cell))) >= 4.5
