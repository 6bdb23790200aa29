"""The network's own answer: each patch's softmax, averaged over a face's patches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.network.profiles import CLASSIFIER
from i2cnn.torchcaffe.formats.storage import read_weights
from i2cnn.util.arrays import Float32Array, Float64Array
from i2cnn.util.errors import InputError


def softmax_vote(features: Float32Array, weights: Path) -> Float64Array:
    """Probability of each class, by the mean over patches of the net's softmax.

    Parameters
    ----------
    features : ndarray of float32, (faces, k, dim)
        fc7, of which the net's last layer makes its scores in phase TEST.
    weights : Path
        The net's .caffemodel.

    Returns
    -------
    ndarray, (faces, classes)

    Raises
    ------
    InputError
        The weights have no such layer, or not for these features.
    """
    layer = read_weights(weights).get(CLASSIFIER, [])
    if len(layer) != 2 or layer[0].shape[1:] != features.shape[2:]:
        raise InputError(f"{weights}: has no layer {CLASSIFIER} for {features.shape[2]} features")
    matrix, bias = layer
    probabilities = np.empty((len(features), len(bias)))
    for face, rows in enumerate(features):  # a face at a time: the features may lie on a disk
        scores = rows.astype(np.float64) @ matrix.T + bias
        exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities[face] = np.mean(
            exponentials / exponentials.sum(axis=1, keepdims=True), axis=0
        )
    return probabilities
