"""Caffe's random numbers: a 32-bit Mersenne twister under Boost's distributions.

With the same seed the same numbers come out as in genuine Caffe 1.0 on the CPU, so that initial
weights, crops and mirrors of a run follow from `random_seed` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from i2cnn.util.arrays import Float32Array

Draws = npt.NDArray[np.uint32]
Doubles = npt.NDArray[np.float64]
Curve = Callable[[Any], Any]


def _ziggurat(
    strips: int, tail: str, beyond: Curve, density: Curve, inverse: Curve
) -> tuple[Doubles, Doubles]:
    """Edges x and heights y of strips of one area under a density.

    The lowest one is a rectangle up to `tail`, and `beyond(tail)`, the area from there on.
    """
    x = np.zeros(strips + 1, np.longdouble)
    x[1] = np.longdouble(tail)
    area = x[1] * density(x[1]) + beyond(x[1])
    x[0] = area / density(x[1])
    for i in range(1, strips - 1):
        x[i + 1] = inverse(area / x[i] + density(x[i]))
    y = density(x)
    y[0] = 0
    return x.astype(np.float64), y.astype(np.float64)


_NORMAL_X, _NORMAL_Y = _ziggurat(
    128,
    "3.4426198558966521214",
    lambda x: np.sqrt(np.longdouble(np.pi) / 2) * np.longdouble(math.erfc(float(x / np.sqrt(2.0)))),
    lambda x: np.exp(-x * x / 2),
    lambda y: np.sqrt(-2 * np.log(y)),
)
_EXP_X, _EXP_Y = _ziggurat(
    256, "7.6971174701310497140", lambda x: np.exp(-x), lambda x: np.exp(-x), lambda y: -np.log(y)
)
_NORMAL_X32 = _NORMAL_X.astype(np.float32)
_CHUNK = 1 << 22
#: Draws from here on round to 1 as float32, which Boost discards where it needs [0, 1).
_ROUNDS_TO_ONE = 2**32 - 128
_F = np.float32


class CaffeRNG:
    """Caffe's generator.

    Parameters
    ----------
    seed : int or None
        `random_seed`; None or a negative number takes a seed from the system, as Caffe does.
    """

    def __init__(self, seed: int | None = None) -> None:
        if seed is None or seed < 0:
            seed = int(np.random.SeedSequence().generate_state(1)[0])
        self._twister = np.random.RandomState(seed & 0xFFFFFFFF)

    def draw(self, n: int) -> Draws:
        """The next `n` 32-bit numbers, uint32."""
        return self._twister.randint(0, 2**32, size=n, dtype=np.uint32)

    def state(self) -> tuple[Draws, int]:
        """What :meth:`restore` needs to continue from here."""
        _, keys, position, *_ = self._twister.get_state(legacy=True)
        return np.asarray(keys, np.uint32), int(position)

    def restore(self, keys: Draws, position: int) -> None:
        """Continue from a state; ValueError if it is none."""
        keys = np.asarray(keys, np.uint32)
        if keys.shape != (624,) or not 0 <= position <= 624:  # NumPy would read beyond its keys
            raise ValueError("not the state of a Mersenne twister")
        self._twister.set_state(("MT19937", keys, position, 0, 0.0))

    def uniform(self, n: int, low: float, high: float) -> Float32Array:
        """`n` float32 numbers in [low, high] (boost::uniform_real up to nextafter(high))."""
        bottom = _F(low)
        top = np.nextafter(_F(high), _F(np.inf))
        out = np.empty(n, np.float32)
        done = 0
        while done < n:
            values = _unit(self.draw(n - done)) * (top - bottom) + bottom
            # Rounding can reach the open end; Boost then draws again.
            values = values[values < top]
            out[done : done + len(values)] = values
            done += len(values)
        return out

    def bernoulli(self, n: int, p: float, *, single: bool = False) -> npt.NDArray[np.bool_]:
        """`n` booleans, true with probability `p` (boost::bernoulli_distribution).

        Caffe compares in double precision for dropout masks and in `single` precision for sparse
        fillers, where draws just above `p` are rounded down to it.
        """
        if p == 0:
            return np.zeros(n, bool)
        if single:
            below: npt.NDArray[np.bool_] = self.draw(n).astype(np.float32) <= _F(p) * _F(2.0**32)
        else:
            below = self.draw(n) <= np.uint32(min(p, 1.0) * (2**32 - 1))
        return below

    def gaussian(self, n: int, mean: float, std: float) -> Float32Array:
        """`n` float32 normal numbers by the ziggurat of boost::normal_distribution (1.74)."""
        out = np.empty(n, np.float32)
        for start in range(0, n, _CHUNK):
            part = out[start : start + _CHUNK]
            self._gaussian_chunk(part)
        out *= _F(std)
        out += _F(mean)
        return out

    def _gaussian_chunk(self, out: Float32Array) -> None:
        """Fill `out`, then leave the generator where one-by-one drawing would have left it.

        Nearly all draws fall inside their strip and give one number each. The others (1 in 80)
        take further draws; they are visited in order, and what they consumed is cut out.
        """
        before = self.state()
        draws = self.draw(len(out) + len(out) // 16 + 1024)
        strip = ((draws & 255) >> 1).astype(np.intp)
        x = ((draws >> 8).astype(np.float32) * _F(2.0**-24)) * _NORMAL_X32[strip]
        outside = np.flatnonzero(x >= _NORMAL_X[strip + 1])
        outside = outside[outside < len(draws) - 64]
        accepted = _in_wedge(strip[outside], x[outside], _unit(draws[outside + 1]))
        ends: dict[int, int] = {}
        dropped: list[int] = []
        end = 0
        for position, accept in zip(outside.tolist(), accepted.tolist(), strict=True):
            if position < end:
                continue
            if strip[position] == 0:
                x[position], end = _normal_tail(draws, position + 1)
            elif draws[position + 1] >= _ROUNDS_TO_ONE:
                unit, end = _next_unit(draws, position + 1)
                accept = bool(_in_wedge(strip[position], x[position], unit))
            else:
                end = position + 2
            dropped.extend(range(position + 1, end))
            if accept or strip[position] == 0:
                ends[position] = end
            else:
                dropped.append(position)
        keep = np.ones(len(draws), bool)
        keep[dropped] = keep[-64:] = False
        x *= (draws & 1).astype(np.float32) * 2 - 1
        chosen = np.flatnonzero(keep)[: len(out)]
        out[:] = x[chosen]
        last = int(chosen[-1])
        self.restore(*before)
        self.draw(ends.get(last, last + 1))


def _unit(draws: Draws) -> Float32Array:
    """Draws as float32 in [0, 1]."""
    unit: Float32Array = draws.astype(np.float32) * _F(2.0**-32)
    return unit


def _next_unit(draws: Draws, position: int) -> tuple[np.float32, int]:
    """A float32 in [0, 1) from the draws at `position`, and the position after it."""
    while draws[position] >= _ROUNDS_TO_ONE:
        position += 1
    return _F(draws[position]) * _F(2.0**-32), position + 1


def _exp(x: Any) -> Any:
    """Exponential rounded once, as the C library's expf; NumPy's for float32 is less accurate."""
    return np.exp(np.float64(x)).astype(np.float32)


def _in_wedge(strip: Any, x: Any, unit: Any) -> Any:
    """Whether the point at `x`, `unit` of the strip's height up, lies under exp(-x^2/2).

    The curve lies between a tangent and a chord. Boost compares with those first; since rounding
    to float32 could make a difference, so do we.
    """
    x0, y0 = _NORMAL_X32[strip], _NORMAL_Y[strip].astype(np.float32)
    y = y0 + unit * (_NORMAL_Y[strip + 1] - _NORMAL_Y[strip]).astype(np.float32)
    chord = (_NORMAL_X[strip] - _NORMAL_X[strip + 1]).astype(np.float32) * unit - (x0 - x)
    tangent = y - (y0 + (x0 - x) * y0 * x0)
    convex = _NORMAL_X[strip] >= 1
    above = np.where(convex, chord, tangent)
    below = np.where(convex, tangent, chord)
    return (above < 0) & ((below < 0) | (y < _exp(-(x * x / _F(2)))))


def _normal_tail(draws: Draws, position: int) -> tuple[np.float32, int]:
    """A number beyond the lowest strip's edge, by two exponential ones."""
    while True:
        along, position = _exponential(draws, position)
        height, position = _exponential(draws, position)
        along = along / _NORMAL_X32[1]
        if _F(2) * height > along * along:
            return along + _NORMAL_X32[1], position


def _exponential(draws: Draws, position: int) -> tuple[np.float32, int]:
    """One float32 exponential number from the draws at `position`, and the position after it."""
    shift = _F(0)
    while True:
        draw = int(draws[position])
        position += 1
        strip = draw & 255
        x0, x1 = _F(_EXP_X[strip]), _F(_EXP_X[strip + 1])
        y0, y1 = _F(_EXP_Y[strip]), _F(_EXP_Y[strip + 1])
        x = _F(draw >> 8) * _F(2.0**-24) * x0
        if x < x1:
            return shift + x, position
        if strip == 0:
            shift += x1
            continue
        unit, position = _next_unit(draws, position)
        y = y0 + unit * _F(_EXP_Y[strip + 1] - _EXP_Y[strip])
        chord = _F(_EXP_X[strip] - _EXP_X[strip + 1]) * unit - (x0 - x)
        tangent = y - (y1 + (x1 - x) * y1)
        if chord < 0 and (tangent < 0 or y < _exp(-x)):
            return x + shift, position
