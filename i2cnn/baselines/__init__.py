"""The paper's rivals that can be run, and the raw-pixel floor: describe faces, predict a fold."""

from __future__ import annotations

from i2cnn.baselines.rivals import RIVALS, Rival, RivalResult, describe, predict_fold

__all__ = ["RIVALS", "Rival", "RivalResult", "describe", "predict_fold"]
