"""Text in pictures."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.util import captions
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


def test_a_missing_font_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captions, "_FONT", "none.ttf")
    captions._font.cache_clear()
    with pytest.raises(InputError, match=r"none\.ttf is missing: matplotlib comes with it"):
        draw_text(np.zeros((9, 9, 3), np.uint8), "a", (0, 8), 12, (0, 0, 0))
