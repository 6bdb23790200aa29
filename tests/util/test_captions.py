"""Text in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from i2cnn.util import fonts
from i2cnn.util.captions import draw_text, text_size
from i2cnn.util.errors import InputError


def drawn(text: str, place: tuple[int, int] = (4, 20), size: int = 14) -> np.ndarray:
    canvas = np.zeros((30, 90, 3), np.uint8)
    draw_text(canvas, text, place, size, (10, 20, 200))
    return canvas


def test_a_text_lies_on_its_base_line_in_its_colour() -> None:
    rows, columns, _ = np.nonzero(drawn("mmm"))
    width, above, below = text_size("mmm", 14)
    assert rows.max() == 19
    assert rows.min() >= 20 - above
    assert 4 <= columns.min() < columns.max() < 4 + width
    assert below > 0
    assert drawn("mmm").reshape(-1, 3).max(axis=0).tolist() == pytest.approx([10, 20, 200], abs=12)


def test_letters_of_other_alphabets_are_told_apart() -> None:
    pictures = [drawn(letter).tobytes() for letter in "öñŁжλ?"]
    assert len(set(pictures)) == 6


def test_bytes_that_are_no_text_are_escaped_and_the_rest_is_cut_off() -> None:
    assert (drawn("\udcff\n") == drawn("\\xff\\n")).all()
    assert drawn("m" * 40).any()
    assert not drawn("m", (90, 20)).any()
    assert not drawn("m", (4, 200)).any()
    assert drawn("m", (4, 3)).any()


@pytest.fixture
def forgotten() -> Iterator[None]:
    """No font is remembered, before the test and after it."""
    remembered = (fonts.font_of, fonts._default)
    for function in remembered:
        function.cache_clear()
    yield
    for function in remembered:
        function.cache_clear()


def test_letters_that_the_font_lacks_are_drawn_in_one_of_the_systems(
    forgotten: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lacking = "\u20d2\u2a03a"
    monkeypatch.setattr(fonts, "_system_fonts", list)
    boxes = drawn(lacking)
    other = fonts.font_of("").with_name("STIXGeneral.ttf")
    monkeypatch.setattr(fonts, "_system_fonts", lambda: [Path("none.ttf"), other])
    fonts.font_of.cache_clear()
    assert fonts.font_of(lacking) == other
    assert fonts.font_of(f"{lacking} 顔") == other  # which neither has
    assert fonts.font_of("öñŁжλ") == fonts.font_of("") != other
    assert (drawn(lacking) != boxes).any()


def test_a_missing_font_is_told(forgotten: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_FONT", "none.ttf")
    with pytest.raises(InputError, match=r"none\.ttf is missing: matplotlib comes with it"):
        draw_text(np.zeros((9, 9, 3), np.uint8), "a", (0, 8), 12, (0, 0, 0))
