"""A picture as the face detector is shown it: scaled, padded, turned, or a face's surroundings.

Every view knows where its pixels are in the picture, and none is larger than it is told to be.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from i2cnn.util.arrays import Float64Array, UInt8Array

#: Brightness of what is outside the picture.
_OUTSIDE = 128


@dataclass(frozen=True)
class View:
    """A view of a picture.

    Parameters
    ----------
    pixels : ndarray of uint8, (H, W)
        Gray, C-contiguous.
    matrix : ndarray of float64, (2, 3)
        From positions (x, y) in the view to positions in the picture, in pixels; a similarity.
    """

    pixels: UInt8Array
    matrix: Float64Array

    @classmethod
    def of(cls, gray: UInt8Array) -> View:
        """The picture itself."""
        return cls(np.ascontiguousarray(gray), np.eye(2, 3))

    @property
    def scale(self) -> float:
        """Pixels of the picture per pixel of the view."""
        return float(np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    def to_picture(self, points: Float64Array) -> Float64Array:
        """Positions (N, 2) in the picture of positions (N, 2) in the view."""
        placed: Float64Array = points @ self.matrix[:, :2].T + self.matrix[:, 2]
        return placed

    def resized(self, factor: float, most: int) -> View:
        """Larger or smaller by a factor, which is lowered so that it has at most so many pixels."""
        factor = min(factor, float(np.sqrt(most / self.pixels.size)))
        height, width = self.pixels.shape
        if factor == 1 or round(factor * min(height, width)) < 1:
            return self
        how = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        pixels = cv2.resize(self.pixels, None, fx=factor, fy=factor, interpolation=how)
        # The centre of pixel p is at factor * (p + 0.5) - 0.5 in the new view.
        step, shift = 1 / factor, (1 / factor - 1) / 2
        matrix = np.array([[step, 0, shift], [0, step, shift]])
        return self._seen(np.asarray(pixels, np.uint8), matrix)

    def padded(self, most: int) -> View:
        """With a border of half its longer side, first made smaller if need be."""
        height, width = self.pixels.shape
        longer = max(height, width)
        area = (height + longer) * (width + longer)
        small = self.resized(min(1.0, float(np.sqrt(most / area))), most)
        border = max(small.pixels.shape) // 2
        pixels = np.pad(small.pixels, border, constant_values=_OUTSIDE)
        return small._seen(pixels, np.array([[1.0, 0, -border], [0, 1, -border]]))

    def levelled(self, degrees: float, side: int | None = None) -> View:
        """Turned about its centre, so that eyes at so many degrees (clockwise) become level.

        Parameters
        ----------
        degrees : float
        side : int, optional
            The view is a square of this side; by default it holds everything.
        """
        height, width = self.pixels.shape
        c, s = abs(np.cos(np.radians(degrees))), abs(np.sin(np.radians(degrees)))
        shape = (round(c * width + s * height), round(s * width + c * height))
        new = shape if side is None else (side, side)
        centre = ((width - 1) / 2, (height - 1) / 2)
        turn = cv2.getRotationMatrix2D(centre, degrees, 1)
        turn[:, 2] += (np.array(new) - 1) / 2 - centre
        pixels = cv2.warpAffine(self.pixels, turn, new, borderValue=_OUTSIDE)
        matrix = np.asarray(cv2.invertAffineTransform(turn), np.float64)
        return self._seen(np.asarray(pixels, np.uint8), matrix)

    def around(self, centre: Float64Array, width: float, side: int) -> View:
        """A square around a place in the picture.

        Parameters
        ----------
        centre : ndarray, (2,)
            x and y in the picture.
        width : float
            Of the square, in pixels of the picture.
        side : int
            Of the view, in its own pixels.
        """
        own = max(1, round(width / self.scale))
        if own > 2 * side:  # so that a large face costs no more than a small one
            return self.resized(side / own, self.pixels.size)._cut(centre, width, side)
        return self._cut(centre, width, side)

    def tiles(self, side: int, overlap: int) -> Iterator[View]:
        """Parts of this view that cover it, so that each thing in it lies whole in one of them.

        Parameters
        ----------
        side : int
            Longest side of a tile, in pixels of this view.
        overlap : int
            Things of this size or smaller lie whole in a tile; below `side`.
        """
        height, width = self.pixels.shape
        for top, bottom in _spans(height, side, overlap):
            for left, right in _spans(width, side, overlap):
                matrix = np.array([[1.0, 0, left], [0, 1, top]])
                yield self._seen(np.ascontiguousarray(self.pixels[top:bottom, left:right]), matrix)

    def _cut(self, centre: Float64Array, width: float, side: int) -> View:
        own = max(1, round(width / self.scale))
        x, y = cv2.invertAffineTransform(self.matrix) @ (*centre, 1)
        left, top = round(x - own / 2), round(y - own / 2)
        square = np.full((own, own), _OUTSIDE, np.uint8)
        inside = self.pixels[max(0, top) : max(0, top + own), max(0, left) : max(0, left + own)]
        below, right = max(0, -top), max(0, -left)
        square[below : below + inside.shape[0], right : right + inside.shape[1]] = inside
        cut = self._seen(square, np.array([[1.0, 0, left], [0, 1, top]]))
        return cut.resized(side / own, side * side)

    def _seen(self, pixels: UInt8Array, matrix: Float64Array) -> View:
        """A view of this one; `matrix` leads from it to this one."""
        linear = self.matrix[:, :2] @ matrix
        linear[:, 2] += self.matrix[:, 2]
        return View(pixels, linear)


def _spans(length: int, most: int, overlap: int) -> list[tuple[int, int]]:
    """Starts and ends of equal parts of a length, none longer than `most`, which overlap."""
    number = max(1, -(-(length - overlap) // (most - overlap)))
    part = -(-(length + (number - 1) * overlap) // number)
    starts = (min(i * (part - overlap), max(0, length - part)) for i in range(number))
    return [(start, min(length, start + part)) for start in starts]
