"""Where a pixel of one blob lies in another, for nets written as a NetSpec.

A map is (axis, scale, shift): the first spatial axis less one, and per spatial axis, as a number or
an array, ``output = scale * input + shift``. Axis None, with scale 1 and shift 0, is the identity
over any axes. :func:`crop` uses it to lay one feature map onto another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.pycaffe.net_spec import Function, Top, layers

#: Layers whose tops lie on their bottoms pixel by pixel.
PASS_THROUGH_LAYERS = [
    "AbsVal",
    "BatchNorm",
    "Bias",
    "BNLL",
    "Dropout",
    "Eltwise",
    "ELU",
    "Log",
    "LRN",
    "Exp",
    "MVN",
    "Power",
    "ReLU",
    "PReLU",
    "Scale",
    "Sigmoid",
    "Split",
    "TanH",
    "Threshold",
]
_LEGACY = {f"{what}_{side}" for what in ("pad", "kernel", "stride") for side in "hw"}

#: Axis, scale, shift.
Map = tuple[int | None, Any, Any]
IDENTITY: Map = (None, 1, 0)


class UndefinedMapException(CaffeError):
    """A layer moves pixels in no way that has a map."""


class AxisMismatchException(CaffeError):
    """Two maps are over different axes."""


class UnfitCropError(CaffeError, AssertionError):
    """One feature map cannot be laid onto another; an AssertionError in pycaffe."""


def conv_params(fn: Function) -> tuple[int, Any, Any, Any]:
    """Axis, stride, extent of the kernel and pad of a convolution or pooling."""
    params = fn.params.get("convolution_param", fn.params)
    if _LEGACY & (set(params) | set(fn.params)):
        raise UnfitCropError(
            f"{fn.type_name}: coordinates are not mapped through settings of height and width; "
            "give pad, kernel_size and stride as lists"
        )

    def each(name: str, default: int) -> Any:
        return np.array(params.get(name, default), ndmin=1)

    extent = (np.array(params["kernel_size"], ndmin=1) - 1) * each("dilation", 1) + 1
    return params.get("axis", 1), each("stride", 1), extent, each("pad", 0)


def crop_params(fn: Function) -> tuple[int, Any]:
    """First cropped axis and offsets of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map from a layer's bottom to its top.

    Raises
    ------
    UndefinedMapException
        The layer has none, as InnerProduct.
    """
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, extent, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (extent - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, extent, pad = conv_params(fn)
        return axis, stride, (extent - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"{fn.type_name} has no map of coordinates")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map that applies `next_map` first, then `base_map`."""
    axis, scale, shift = base_map
    next_axis, next_scale, next_shift = next_map
    if axis is not None and next_axis is not None and axis != next_axis:
        raise AxisMismatchException(f"maps over axis {axis} and axis {next_axis} do not compose")
    joint = next_axis if axis is None else axis
    return joint, scale * next_scale, scale * next_shift + shift


def inverse(coord_map: Map) -> Map:
    """The map in the other direction."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map from one top to another, through a blob that both depend on.

    Raises
    ------
    InputError
        No chain of layers with maps leads from one to the other.
    """
    known = dict(_maps(top_from))
    for top, found in _maps(top_to):
        if top in known:
            return compose(found, inverse(known[top]))
    raise CaffeError("Could not compute map between tops; are they connected by spatial layers?")


def _maps(start: Top) -> Iterator[tuple[Top, Map]]:
    """A top and all that it depends on, with their maps to it."""
    maps = {start: IDENTITY}
    waiting = {start}
    while waiting:
        top = waiting.pop()
        yield top, maps[top]
        # A Crop layer's second bottom gives only a size.
        bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
        try:
            for bottom in bottoms:
                maps[bottom] = compose(maps[top], coord_map(top.fn))
                waiting.add(bottom)
        except UndefinedMapException:
            continue


def crop(top_from: Top, top_to: Top) -> Any:
    """A Crop layer that cuts `top_from` to the size and place of `top_to`.

    Raises
    ------
    UnfitCropError
        Their scales differ, or the offset would be negative or a fraction.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    shifts = np.atleast_1d(shift)
    if not np.all(scale == 1):
        raise UnfitCropError(f"scale mismatch on crop (a = {scale})")
    if not np.all(shifts <= 0):
        raise UnfitCropError(f"cannot crop negative offset (b = {shift})")
    if not np.all(np.round(shifts) == shifts):
        raise UnfitCropError(f"cannot crop noninteger offset (b = {shift})")
    # Where only layers that keep the place of pixels are between, Crop's own default.
    first = {} if axis is None else {"axis": axis + 1}
    offset = [-int(number) for number in np.round(shifts)]
    return layers.Crop(top_from, top_to, crop_param={**first, "offset": offset})
