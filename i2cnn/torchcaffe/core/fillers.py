"""Caffe's fillers: initial values of parameters."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from i2cnn.torchcaffe.core.rng import CaffeRNG
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import FillerParameter
from i2cnn.util.arrays import Float32Array

Shape = tuple[int, ...]

#: A range of this width is finite as a float32.
_WIDEST = 3.4e38


def fill(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    """Initial values of a parameter.

    Parameters
    ----------
    rng : CaffeRNG
        The net's generator; drawn from in Caffe's order.
    filler : FillerParameter
        Type and settings; the default is the constant 0.
    shape : tuple of int
        Shape of the parameter.

    Returns
    -------
    ndarray of float32

    Raises
    ------
    InputError
        The filler's type is unknown or does not fit the shape.
    """
    if filler.type not in _FILLERS:
        raise CaffeError(
            f"unknown filler type {filler.type!r} (known types: {', '.join(sorted(_FILLERS))})"
        )
    if 0 in shape:
        raise CaffeError(f"the {filler.type} filler has nothing to fill in the shape {shape}")
    if not shape and (
        filler.type not in ("constant", "uniform", "gaussian") or filler.sparse != -1
    ):
        raise CaffeError(f"the {filler.type} filler needs a shape of at least one dimension")
    values = _FILLERS[filler.type](rng, filler, shape)
    return np.asarray(values.reshape(shape), np.float32, order="C")


def _constant(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    if not filler.value:
        return np.zeros(shape, np.float32)  # takes no memory before it is used
    return np.full(shape, filler.value, np.float32)


def _uniform(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    if not 0 <= filler.max - filler.min < _WIDEST:  # neither of NaN
        raise CaffeError(
            f"the uniform filler cannot draw from min {filler.min:g} to max {filler.max:g}"
        )
    return rng.uniform(math.prod(shape), filler.min, filler.max)


def _gaussian(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    if not filler.std > 0:
        raise CaffeError(f"the gaussian filler needs a std above 0, not {filler.std:g}")
    values = rng.gaussian(math.prod(shape), filler.mean, filler.std)
    if filler.sparse != -1:
        if not 0 <= filler.sparse <= shape[0]:
            raise CaffeError(
                f"the gaussian filler's sparse {filler.sparse} is not from 0 to the number of "
                f"outputs, {shape[0]}"
            )
        # Keeps each value with the probability that leaves each output `sparse` inputs.
        values *= rng.bernoulli(len(values), filler.sparse / shape[0], single=True)
    return values


def _fan(filler: FillerParameter, shape: Shape) -> np.float32:
    """Number of inputs or outputs by which the variance is normalised."""
    count = math.prod(shape)
    fan_in = count // shape[0]
    fan_out = count // shape[1] if len(shape) > 1 else count
    if filler.variance_norm == FillerParameter.AVERAGE:
        fan: np.float32 = np.float32(fan_in + fan_out) / np.float32(2)
    elif filler.variance_norm == FillerParameter.FAN_OUT:
        fan = np.float32(fan_out)
    else:
        fan = np.float32(fan_in)
    return fan


def _xavier(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    bound = float(np.sqrt(np.float32(3) / _fan(filler, shape)))
    return rng.uniform(math.prod(shape), -bound, bound)


def _msra(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    return rng.gaussian(math.prod(shape), 0, float(np.sqrt(np.float32(2) / _fan(filler, shape))))


def _positive_unitball(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    values = rng.uniform(math.prod(shape), 0, 1).reshape(shape[0], -1)
    # Caffe adds one by one; NumPy's sum would round differently.
    return values / np.cumsum(values, axis=1, dtype=np.float32)[:, -1:]


def _bilinear(rng: CaffeRNG, filler: FillerParameter, shape: Shape) -> Float32Array:
    if len(shape) != 4 or shape[2] != shape[3]:
        raise CaffeError(f"the bilinear filler needs a square 4-d kernel, not shape {shape}")
    size = shape[3]
    f = (size + 1) // 2
    centre = np.float32((size - 1) / (2.0 * f))
    line = 1 - np.abs(np.arange(size, dtype=np.float32) / np.float32(f) - centre)
    return np.array(np.broadcast_to(np.outer(line, line), shape))


_FILLERS: dict[str, Callable[[CaffeRNG, FillerParameter, Shape], Float32Array]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
