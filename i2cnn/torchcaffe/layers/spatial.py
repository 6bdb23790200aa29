"""Settings that convolution and pooling share: kernel, stride and pad per axis."""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.torchcaffe.core.layer import Layer
from i2cnn.torchcaffe.proto import ConvolutionParameter, PoolingParameter
from i2cnn.torchcaffe.sizes import MAX_COUNT

Pair = tuple[int, int]


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
        return self.two(values, name, default)

    def two(self, values: Sequence[int], name: str, default: int) -> Pair:
        """(height, width) of a setting given no, one or two times."""
        if not values:
            return default, default
        if len(values) > 2:
            raise self.fail(f"{name} is given {len(values)} times; an image has two axes")
        return self._checked((values[0], values[-1]), name)

    def _checked(self, pair: Pair, name: str) -> Pair:
        if max(pair) > MAX_COUNT:
            raise self.fail(f"{name} {max(pair)} is above Caffe's limit of {MAX_COUNT}")
        return pair

    def padded(self, size: int, pad: int) -> int:
        """Length of an axis with padding at both ends."""
        length = size + 2 * pad
        if length > MAX_COUNT:
            raise self.fail(f"an axis of {size} with pad {pad} is above Caffe's limit {MAX_COUNT}")
        return length
