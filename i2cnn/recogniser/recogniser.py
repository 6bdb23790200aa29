"""Names the expressions of the faces in a picture, and explains them patch by patch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.training_folder import NET_FILE
from i2cnn.patches.extract import face_patches
from i2cnn.recogniser.bundle import ABOUT_FILE, REMEDY, Bundle, load_bundle
from i2cnn.svm.pair_weights import SVM_FILE
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.arrays import Float32Array, Float64Array, IntArray, UInt8Array
from i2cnn.util.errors import InputError


@dataclass(frozen=True)
class FacePrediction:
    """Expression of one face.

    Parameters
    ----------
    detection : Detection
        Box, points and how the face was found.
    label : str
        The class with the most votes of the one-against-one SVM.
    scores : dict of str to float
        Softened share of the votes, adding up to 1. Not calibrated probabilities.
    patches : dict of str to float
        How much each patch spoke for the label, over the pairs it takes part in; exact, since
        the SVM is linear. Positive is for, negative against.
    """

    detection: Detection
    label: str
    scores: dict[str, float]
    patches: dict[str, float]


class Recogniser:
    """Finds faces in a picture and names their expressions.

    Parameters
    ----------
    folder : str or Path
        A recogniser that `i2cnn evaluate` or the demo wrote: RUN/recogniser.
    engine : {"torch", "caffe"}
        As for :func:`i2cnn.network.engine.get_engine`.
    device : str
        As for :func:`i2cnn.network.engine.choose_device`.

    Raises
    ------
    InputError
        The folder's files are missing, damaged, or do not go together.

    Attributes
    ----------
    bundle : Bundle
        What it was read from.
    labels : tuple of str
        In class order.
    """

    def __init__(self, folder: str | Path, engine: str = "torch", device: str = "auto") -> None:
        self.bundle = load_bundle(Path(folder))
        self.labels = self.bundle.labels
        module = start_engine(engine, device)
        net = module.Net(str(self.bundle.deploy), TEST, weights=str(self.bundle.weights))
        self._extractor = FeatureExtractor(net, self.bundle.transform)
        classes = net.blobs[net.outputs[0]].data.shape[1]
        _check_fit(self.bundle, classes, self._extractor.dim)
        self._finder = FaceFinder()

    def predict(self, image: UInt8Array) -> list[FacePrediction]:
        """Expressions of every face found, from left to right; empty if there is none.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        """
        return [self.predict_face(image, d) for d in self._finder.find_all(image)]

    def predict_face(self, image: UInt8Array, detection: Detection) -> FacePrediction:
        """Expression of a face whose landmarks are known.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        detection : Detection
        """
        patches, pairs = self.bundle.patches, self.bundle.pairs
        features = self._extractor(face_patches(image, detection.points, patches))
        shares = pairs.contributions(features)
        decisions = shares.sum(axis=1) + pairs.intercepts
        soft = _soft_votes(decisions, pairs.pairs, len(self.labels))
        hard = _hard_votes(decisions, pairs.pairs, len(self.labels))
        best = max(range(len(self.labels)), key=lambda c: (hard[c], soft[c]))
        spoken = _votes_by_patch(shares, pairs.pairs, best)
        return FacePrediction(
            detection,
            self.labels[best],
            {label: float(v) for label, v in zip(self.labels, soft, strict=True)},
            {name: float(v) for name, v in zip(patches.names, spoken, strict=True)},
        )


def _check_fit(bundle: Bundle, classes: int, dim: int) -> None:
    """InputError unless labels, patches, SVM and net go together."""
    pairs, labels, number = bundle.pairs, len(bundle.labels), len(bundle.pairs.pairs)
    if labels != classes:
        fault = f"{labels} labels, but {NET_FILE} has {classes} classes"
    elif pairs.weights.shape != (number, len(bundle.patches), dim):
        fault = (
            f"{number} pairs, {len(bundle.patches)} patches and {dim} features need other "
            f"weights than those of {SVM_FILE}, {pairs.weights.shape}"
        )
    elif pairs.pairs.min() < 0 or pairs.pairs.max() >= labels:
        fault = f"{SVM_FILE} has pairs of other classes than the {labels} labels"
    else:
        return
    raise InputError(f"{bundle.folder / ABOUT_FILE}: {fault}; {REMEDY}")


def _soft_votes(decisions: Float32Array, pairs: IntArray, classes: int) -> Float64Array:
    """Each pair's vote, divided between its two classes by a logistic of the decision value."""
    votes: Float64Array = np.zeros(classes)
    for (a, b), decision in zip(pairs, decisions, strict=True):
        share = 1 / (1 + np.exp(-np.clip(2 * decision, -50, 50)))
        votes[a] += share
        votes[b] += 1 - share
    votes /= votes.sum()
    return votes


def _hard_votes(decisions: Float32Array, pairs: IntArray, classes: int) -> Float64Array:
    """Number of pairs that each class wins."""
    votes = np.zeros(classes)
    for (a, b), decision in zip(pairs, decisions, strict=True):
        votes[a if decision > 0 else b] += 1
    return votes


def _votes_by_patch(shares: Float32Array, pairs: IntArray, label: int) -> Float64Array:
    """Sum of each patch's shares (pairs, patches) in the decisions for a class, (patches,)."""
    spoken = np.zeros(shares.shape[1])
    for (a, b), share in zip(pairs, shares, strict=True):
        if label in (a, b):
            spoken += share if label == a else -share
    return spoken
