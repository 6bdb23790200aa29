"""Files of a network job that its steps, and the networks of several seeds together, share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.network.training_folder import NET_FILE, UNTRAINED_FILE
from i2cnn.svm.variants import TRAINED, UNTRAINED
from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path
from i2cnn.util.npz import DAMAGES

#: Weights of the nets that are scored.
WEIGHTS = {TRAINED: NET_FILE, UNTRAINED: UNTRAINED_FILE}
#: Probabilities by the network's softmax.
VOTES_FILE = "votes.npy"


def features_file(net: str) -> str:
    """Name of a net's features."""
    return f"features_{net}.npy"


def summary_file(net: str) -> str:
    """Name of what a net's SVMs came to, until job.json has it."""
    return f"svm_{net}.json"


def gram_file(net: str) -> str:
    """Name of a net's Gram matrix, about the faces' mean and at mean 1."""
    return f"gram_{net}.npy"


def save_array(path: Path, array: Float64Array) -> None:
    """Write a .npy file of float32, atomically."""
    with atomic_path(path) as partial, open(partial, "wb") as file:
        np.save(file, array.astype(np.float32))


def load_array(path: Path) -> Float64Array:
    """What :func:`save_array` wrote, as float64.

    Raises
    ------
    InputError
        The file is missing or damaged.
    """
    try:
        array: Float64Array = np.load(path, allow_pickle=False).astype(np.float64)
    except FileNotFoundError:
        raise InputError(
            f"{path}: missing; earlier versions did not keep it. Delete {path.parent} and "
            "repeat the command to do that job again"
        ) from None
    except DAMAGES as error:
        raise InputError(f"{path}: damaged ({error}); delete {path.parent}") from None
    return array
