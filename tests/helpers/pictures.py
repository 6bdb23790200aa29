"""Pictures for tests."""

from __future__ import annotations

import numpy as np


def smooth_image(seed: int, height: int, width: int) -> np.ndarray:
    """A random gray image without pixel noise, on which sampling positions matter little."""
    rng = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = sum(
        np.sin(2 * np.pi * (a * x + b * y) + c)
        for a, b, c in zip(
            rng.uniform(-3, 3, 4), rng.uniform(-3, 3, 4), rng.rand(4) * 6, strict=True
        )
    )
    return np.clip(128 + 30 * waves, 0, 255).astype(np.uint8)
