"""The paper's rivals that can be run, and the raw-pixel floor.

:mod:`i2cnn.rivals.describe` describes faces, :mod:`i2cnn.rivals.fold` predicts a fold.
"""

from __future__ import annotations

from i2cnn.rivals.table import DEFAULT_RIVALS, RIVALS, Rival

__all__ = ["DEFAULT_RIVALS", "RIVALS", "Rival"]
