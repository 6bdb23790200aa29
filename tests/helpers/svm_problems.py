"""Made-up features for SVMs."""

from __future__ import annotations

import numpy as np


def problem(classes: int, seed: int = 0, spread: float = 0.6):
    rng = np.random.RandomState(seed)
    labels = np.repeat(np.arange(classes), 20)
    features = rng.randn(len(labels), 5, 8).astype(np.float32)
    features += spread * labels[:, None, None] * rng.randn(5, 8).astype(np.float32)
    groups = np.array([f"s{i % 10}" for i in range(len(labels))])
    return features, labels, groups
