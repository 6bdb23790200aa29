"""What all layers that bring data into the net share."""

from __future__ import annotations

from typing import ClassVar

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.layer import Layer


def int32(text: str) -> int:
    """A number that C's int can hold; ValueError if the text is none."""
    number = int(text)
    if not -(2**31) <= number < 2**31:
        raise ValueError(f"{text} does not fit 32 bits")
    return number


class DataSource(Layer):
    """A layer without bottoms."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    differentiable = False

    def log_size(self, place: str) -> None:
        """Log the shape of the batches; `place` is Caffe's file:line."""
        shape = self.reshape([])[0]
        log.info(place, f"output data size: {','.join(map(str, shape))}")
