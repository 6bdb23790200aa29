"""What all layers that bring data into the net share."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from i2cnn.torchcaffe.core.layer import Layer


class DataSource(Layer):
    """A layer without bottoms."""

    bottoms = (0, 0)
    tops: ClassVar[tuple[int, int | None]] = (1, None)
    differentiable = False

    def position(self) -> dict[str, np.ndarray]:
        """Where the layer stands, so that a resumed run goes on exactly there."""
        return {}

    def seek(self, position: dict[str, np.ndarray]) -> None:
        """Go to where :meth:`position` was taken."""

    def close(self) -> None:
        """Stop threads and close files."""

    @property
    def turn(self) -> tuple[int, int]:
        """(r, N): of N processes this one takes records r, r + N, ...; in TEST the root has all."""
        if not self.context.train:
            return 0, 1
        return self.context.solver_rank, self.context.solver_count
