"""The rivals: what describes a face, and an SVM on it that is fitted and tuned within a fold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from i2cnn.faces.table import Face
from i2cnn.rivals import boosting, gabor, lbp
from i2cnn.rivals.align import HEIGHT, WIDTH, aligned_faces
from i2cnn.rivals.table import get_rival
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.util.errors import InputError

#: A number with less spread than this share of the largest is left at its scale.
_LEAST_SPREAD = 1e-6

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class RivalResult:
    """What a rival says of a fold's tested faces, and what was chosen on the fitted ones.

    Parameters
    ----------
    predicted : ndarray of int, (m,)
    choice : dict
        Values that JSON can hold: kernel, C, gamma or degree, inner_accuracy, dimensions.
    windows : ndarray of int, (w, 4), optional
        Sub-windows that boosted LBP selected: left, top, width and height in pixels of the
        aligned face.
    """

    predicted: np.ndarray
    choice: dict[str, Any]
    windows: np.ndarray | None = None


def describe(
    rival_name: str, faces: Sequence[Face], root: Path, progress: Progress | None = None
) -> np.ndarray:
    """What a rival sees of each face; nothing is learnt here, so it is good for every fold.

    Parameters
    ----------
    rival_name : str
        One of RIVALS.
    faces : sequence of Face
    root : Path
        Folder that the faces' images start from.
    progress : callable, optional
        Called with (faces done, faces).

    Returns
    -------
    ndarray, (faces, d)
        float32: pixels 4125, lbp 2478, gabor 42 560 numbers a face. boosted-lbp: the 16 500
        patterns of the aligned face as uint8, of which :func:`predict_fold` counts what it needs.

    Raises
    ------
    InputError
        Names the image that cannot be used.
    """
    rival = get_rival(rival_name)
    if not faces:
        raise InputError("there are no faces to describe")
    margin = lbp.RADIUS if rival.name in ("lbp", "boosted-lbp") else 0
    describe_one = _DESCRIBE[rival.name]
    described: Iterator[np.ndarray] = (
        describe_one(face) for face in aligned_faces(faces, root, margin, progress)
    )
    first = next(described)
    features = np.empty((len(faces), len(first)), first.dtype)
    features[0] = first
    for i, row in enumerate(described, 1):
        features[i] = row
    return features


def _pixels(face: np.ndarray) -> np.ndarray:
    small = cv2.resize(face, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    pixels = small.astype(np.float32).ravel()
    return (pixels - pixels.mean()) / max(float(pixels.std()), 1.0)


_DESCRIBE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "pixels": _pixels,
    "lbp": lambda face: lbp.region_histograms(lbp.patterns(face)),
    "boosted-lbp": lambda face: lbp.patterns(face).ravel(),
    "gabor": gabor.magnitudes,
}


def predict_fold(
    rival_name: str,
    features: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    fitted: np.ndarray,
    tested: np.ndarray,
    kernel: str,
) -> RivalResult:
    """Fit a rival on a fold's training and validation faces and predict its test faces.

    Whatever is learnt (selected sub-windows, scaling, C, gamma, degree) is learnt from the fitted
    faces; the tuning keeps people apart too. As Hsu, Chang and Lin (2003) advise, each number is
    scaled before the SVM: to mean 0 and deviation 1 over the fitted faces. The inner accuracy of
    boosted-lbp is optimistic, for its sub-windows were selected on all fitted faces.

    Parameters
    ----------
    rival_name, kernel : str
        One of RIVALS, and one of its kernels.
    features : ndarray, (n, d)
        From :func:`describe`; may be memory-mapped.
    labels : ndarray of int, (n,)
    subjects : ndarray of str, (n,)
    fitted, tested : ndarray of int
        Rows of the two sides.

    Raises
    ------
    InputError
        The kernel is not one of the rival's, the features belong to other faces, or the fitted
        faces have one class or one subject only.
    """
    rival = get_rival(rival_name)
    if kernel not in rival.kernels:
        raise InputError(
            f"{rival.name} has no kernel {kernel!r}; choose one of {', '.join(rival.kernels)}"
        )
    if len(features) != len(labels):
        raise InputError(
            f"{rival.name}: features of {len(features)} faces for {len(labels)} labels; "
            "remove the stored features, they are of another set"
        )
    labels, subjects = np.asarray(labels), np.asarray(subjects)
    in_pixels = None
    known, new = features[fitted], features[tested]
    if rival.name == "boosted-lbp":
        windows = _selected(known.tobytes(), labels[fitted].astype(np.int64).tobytes())
        known, new = (_histograms(codes).joined(windows) for codes in (known, new))
        in_pixels = _in_pixels(windows)
    known, new = _standardise(known, new)
    model = GramSVC((kernel,)).fit(_products(known, known), labels[fitted], subjects[fitted])
    predicted = model.predict(_products(new, known), np.einsum("ij,ij->i", new, new))
    best = model.choice_
    choice = {"kernel": best.kernel, "C": best.C, "inner_accuracy": best.accuracy}
    choice |= {"gamma": best.gamma} if kernel == "rbf" else {}
    choice |= {"degree": best.degree} if kernel == "polynomial" else {}
    return RivalResult(predicted, choice | {"dimensions": known.shape[1]}, in_pixels)


def _products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a @ b.T).astype(np.float64)


def _standardise(known: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides scaled by the known one's mean and deviation; what never varies becomes 0."""
    mean, spread = known.mean(axis=0), known.std(axis=0)
    scale = np.zeros_like(spread)
    np.divide(1, spread, out=scale, where=spread > _LEAST_SPREAD * spread.max())
    return (known - mean) * scale, (new - mean) * scale


def _histograms(codes: np.ndarray) -> boosting.WindowHistograms:
    return boosting.WindowHistograms(codes.reshape(-1, HEIGHT, WIDTH))


@functools.lru_cache(maxsize=1)
def _selected(codes: bytes, labels: bytes) -> np.ndarray:
    """Selected sub-windows; kept so that a fold's kernels share one selection."""
    histograms = _histograms(np.frombuffer(codes, np.uint8))
    return boosting.select_windows(histograms, np.frombuffer(labels, np.int64))


def _in_pixels(windows: np.ndarray) -> np.ndarray:
    left, top, right, bottom = windows.T * boosting.CELL
    return np.stack([left, top, right - left, bottom - top], axis=1)
