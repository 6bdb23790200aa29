"""Settings that convolution and pooling share: kernel, stride and pad per axis."""

from __future__ import annotations

from typing import TypeVar

from i2cnn.torchcaffe.core.layer import Layer
from i2cnn.torchcaffe.proto import ConvolutionParameter, PoolingParameter
from i2cnn.torchcaffe.sizes import MAX_COUNT

Pair = tuple[int, int]
T = TypeVar("T", bound=tuple[int, ...])


class Spatial(Layer):
    """Reads kernel, stride and pad, which Caffe accepts in two spellings."""

    def pair(
        self, param: ConvolutionParameter | PoolingParameter, name: str, short: str, default: int
    ) -> Pair:
        """(height, width) of a setting given as `name` (once or twice) or `short`_h, `short`_w."""
        value = getattr(param, name)
        repeated = hasattr(value, "__len__")  # in ConvolutionParameter; not in PoolingParameter
        values = list(value) if repeated else [value]
        h, w = f"{short}_h", f"{short}_w"
        if param.HasField(h) or param.HasField(w):
            if values if repeated else param.HasField(name):
                raise self.fail(f"give either {name} or {h} and {w}, not both")
            return self._checked((getattr(param, h), getattr(param, w)), name)
        values = values or [default]
        return self._checked((values[0], values[-1]), name)

    def each(self, axes: int, name: str, short: str, default: int) -> tuple[int, ...]:
        """A setting of a convolution by spatial axis, given once, or once for each axis.

        Two axes may have it as `short`_h and `short`_w.
        """
        p = self.param.convolution_param
        if short and (p.HasField(f"{short}_h") or p.HasField(f"{short}_w")):
            if axes != 2:
                raise self.fail(f"{short}_h and {short}_w need two spatial axes, not {axes}")
            return self.pair(p, name, short, default)
        values = tuple(getattr(p, name)) or (default,)
        if len(values) not in (1, axes):
            raise self.fail(
                f"{name} must be specified once, or once per spatial dimension ({name} specified "
                f"{len(values)} times; {axes} spatial dims)"
            )
        return self._checked(values * axes if len(values) == 1 else values, name)

    def _checked(self, values: T, name: str) -> T:
        if max(values, default=0) > MAX_COUNT:
            raise self.fail(f"{name} {max(values)} is above Caffe's limit of {MAX_COUNT}")
        return values

    def padded(self, size: int, pad: int) -> int:
        """Length of an axis with padding at both ends."""
        length = size + 2 * pad
        if length > MAX_COUNT:
            raise self.fail(f"an axis of {size} with pad {pad} is above Caffe's limit {MAX_COUNT}")
        return length
