"""What all layers that bring data into the net share."""

from __future__ import annotations

from typing import ClassVar

from i2cnn.torchcaffe.core.layer import Layer
from i2cnn.torchcaffe.core.position import Position


class DataSource(Layer):
    """A layer without bottoms."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    differentiable = False

    def position(self) -> Position:
        """Where the layer stands, so that a resumed run continues exactly there."""
        return {}

    def restore_position(self, position: Position) -> None:
        """Continue from where :meth:`position` was taken."""

    def close(self) -> None:
        """Stop threads and close files."""
