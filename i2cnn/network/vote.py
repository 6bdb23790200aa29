"""The network's own answer: each patch's softmax, averaged over a face's patches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.faces.table import Face
from i2cnn.network.features import FeatureExtractor, inputs_ahead
from i2cnn.patches.schemes import PatchSet
from i2cnn.util.arrays import Float64Array


def softmax_votes(
    extractor: FeatureExtractor, faces: Sequence[Face], root: Path, chosen: PatchSet
) -> Float64Array:
    """Probability of each class, by the mean over patches of the net's softmax.

    Parameters
    ----------
    extractor : FeatureExtractor
    faces : sequence of Face
    root : Path
        Folder that the image paths start from.
    chosen : PatchSet
        The patches of each face.

    Returns
    -------
    ndarray, (faces, classes)

    Raises
    ------
    InputError
        An image or its landmarks cannot be used (named).
    """
    return np.stack(
        [
            extractor.probabilities(inputs).mean(axis=0, dtype=np.float64)
            for inputs in inputs_ahead(extractor, faces, root, chosen)
        ]
    )
