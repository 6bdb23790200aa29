"""Caffe's random numbers: a 32-bit Mersenne twister under Boost's distributions.

With the same seed the same numbers come out as in genuine Caffe 1.0 on the CPU, so that initial
weights, crops and mirrors of a run follow from `random_seed` alone.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_STRIPS = 128
_TAIL = np.longdouble("3.4426198558966521214")
_EXP_STRIPS = 256
_EXP_TAIL = np.longdouble("7.6971174701310497140")


def _normal_tables() -> tuple[np.ndarray, np.ndarray]:
    """Edges x and heights y of the ziggurat's equal-area strips under exp(-x^2/2)."""

    def density(x: Any) -> Any:
        return np.exp(-x * x / 2)

    # Area of a strip: the lowest one is a rectangle plus the tail beyond it.
    from scipy.special import erfc

    tail = np.sqrt(np.longdouble(np.pi) / 2) * np.longdouble(erfc(float(_TAIL / np.sqrt(2.0))))
    area = _TAIL * density(_TAIL) + tail
    x = np.zeros(_STRIPS + 1, np.longdouble)
    x[0] = area / density(_TAIL)
    x[1] = _TAIL
    for i in range(1, _STRIPS - 1):
        x[i + 1] = np.sqrt(-2 * np.log(area / x[i] + density(x[i])))
    y = density(x)
    y[0] = 0
    return x.astype(np.float64), y.astype(np.float64)


def _exponential_tables() -> tuple[np.ndarray, np.ndarray]:
    """The same under exp(-x)."""
    area = _EXP_TAIL * np.exp(-_EXP_TAIL) + np.exp(-_EXP_TAIL)
    x = np.zeros(_EXP_STRIPS + 1, np.longdouble)
    x[0] = area / np.exp(-_EXP_TAIL)
    x[1] = _EXP_TAIL
    for i in range(1, _EXP_STRIPS - 1):
        x[i + 1] = -np.log(area / x[i] + np.exp(-x[i]))
    y = np.exp(-x)
    y[0] = 0
    return x.astype(np.float64), y.astype(np.float64)


_NORMAL_X, _NORMAL_Y = _normal_tables()
_NORMAL_X32 = _NORMAL_X.astype(np.float32)
_EXP_X, _EXP_Y = _exponential_tables()
_CHUNK = 1 << 22
_F = np.float32


class CaffeRNG:
    """Caffe's generator.

    Parameters
    ----------
    seed : int or None
        `random_seed`; None or a negative number takes one from the system, as Caffe does.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is None or seed < 0:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._twister = np.random.RandomState(seed & 0xFFFFFFFF)

    def draw(self, n: int) -> np.ndarray:
        """The next `n` 32-bit numbers, uint32."""
        return self._twister.randint(0, 2**32, size=n, dtype=np.uint32)

    def state(self) -> tuple[np.ndarray, int]:
        """What :meth:`restore` needs to go on from here."""
        _, keys, position, *_ = self._twister.get_state(legacy=True)
        return np.asarray(keys, np.uint32), int(position)

    def restore(self, keys: np.ndarray, position: int) -> None:
        """Go on from a state."""
        self._twister.set_state(("MT19937", np.asarray(keys, np.uint32), int(position), 0, 0.0))

    def uniform(self, n: int, low: float, high: float) -> np.ndarray:
        """`n` float32 numbers in [low, high] (boost::uniform_real up to nextafter(high))."""
        bottom = _F(low)
        top = np.nextafter(_F(high), _F(np.inf))
        out = np.empty(n, np.float32)
        done = 0
        while done < n:
            unit = self.draw(n - done).astype(np.float32) * _F(2.0**-32)
            values = unit * (top - bottom) + bottom
            # Rounding can reach the open end; Boost then draws again.
            values = values[values < top]
            out[done : done + len(values)] = values
            done += len(values)
        return out

    def bernoulli(self, n: int, p: float, *, single: bool = False) -> np.ndarray:
        """`n` booleans, true with probability `p` (boost::bernoulli_distribution).

        Caffe compares in double precision for dropout masks and in `single` precision for sparse
        fillers, where draws just above `p` are rounded down to it.
        """
        if p == 0:
            return np.zeros(n, bool)
        if single:
            return self.draw(n).astype(np.float32) <= _F(p) * _F(2.0**32)
        return self.draw(n) <= np.uint32(min(p, 1.0) * (2**32 - 1))

    def gaussian(self, n: int, mean: float, std: float) -> np.ndarray:
        """`n` float32 normal numbers by the ziggurat of boost::normal_distribution (1.74)."""
        out = np.empty(n, np.float32)
        for start in range(0, n, _CHUNK):
            part = out[start : start + _CHUNK]
            self._gaussian_chunk(part)
        return out * _F(std) + _F(mean)

    def _gaussian_chunk(self, out: np.ndarray) -> None:
        """Fill `out`, then leave the generator where one-by-one drawing would have left it.

        Nearly all draws fall inside their strip and give one number each. The others (1 in 50)
        take further draws; they are visited in order, and what they consumed is cut out.
        """
        before = self.state()
        draws = self.draw(len(out) + len(out) // 16 + 1024)
        strip = (draws & 255) >> 1
        x = ((draws >> 8).astype(np.float32) * _F(2.0**-24)) * _NORMAL_X32[strip]
        keep = np.ones(len(draws), bool)
        end = 0
        for position in np.flatnonzero(x >= _NORMAL_X[strip + 1]):
            if position < end:
                continue
            if position + 64 > len(draws):
                break
            value, end = _normal_outside(draws, int(position), int(strip[position]), x[position])
            keep[position + 1 : end] = False
            if value is None:
                keep[position] = False
            else:
                x[position] = value
        x *= (draws & 1).astype(np.float32) * 2 - 1
        chosen = np.flatnonzero(keep)[: len(out)]
        out[:] = x[chosen]
        last = int(chosen[-1]) + 1
        while last < len(draws) and not keep[last]:
            # Draws after the last number belong to it only if it was an outside one.
            if last >= end:
                break
            last += 1
        self.restore(*before)
        self.draw(last)


def _normal_outside(
    draws: np.ndarray, position: int, strip: int, x: np.float32
) -> tuple[np.float32 | None, int]:
    """A draw beyond the inner part of its strip: (its value or None, position after it)."""
    if strip == 0:
        end = position + 1
        while True:
            along, end = _exponential(draws, end)
            height, end = _exponential(draws, end)
            along = along / _NORMAL_X32[1]
            if _F(2) * height > along * along:
                return along + _NORMAL_X32[1], end
    unit = _F(draws[position + 1]) * _F(2.0**-32)
    y = _F(_NORMAL_Y[strip]) + unit * _F(_NORMAL_Y[strip + 1] - _NORMAL_Y[strip])
    inside = y < np.exp(-(x * x / _F(2)))
    return (x if inside else None), position + 2


def _exponential(draws: np.ndarray, position: int) -> tuple[np.float32, int]:
    """One float32 exponential number from the draws at `position`, and the position after it."""
    shift = _F(0)
    while True:
        draw = int(draws[position])
        position += 1
        strip = draw & 255
        x = _F(draw >> 8) * _F(2.0**-24) * _F(_EXP_X[strip])
        if x < _F(_EXP_X[strip + 1]):
            return shift + x, position
        if strip == 0:
            shift += _F(_EXP_X[1])
            continue
        unit = _F(draws[position]) * _F(2.0**-32)
        position += 1
        y = _F(_EXP_Y[strip]) + unit * _F(_EXP_Y[strip + 1] - _EXP_Y[strip])
        if y < np.exp(-x):
            return shift + x, position
