"""A trained bundle: expressions of the faces in a photograph, explained by patch."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from i2cnn.ablations import TRAINED
from i2cnn.engine import choose_device, get_engine, set_device
from i2cnn.errors import InputError
from i2cnn.faces import Detection, FaceFinder
from i2cnn.features import Transform, face_patches, net_features
from i2cnn.files import read_json, write_json
from i2cnn.images import as_bgr
from i2cnn.job import RESULT_FILE, NetworkJob
from i2cnn.labels import Task
from i2cnn.patches import SCHEMES, get_scheme
from i2cnn.settings import Settings
from i2cnn.svm import PairWeights
from i2cnn.torchcaffe.proto import TEST

_FILES = ("deploy.prototxt", "train_val.prototxt", "net.caffemodel", "mean.binaryproto", "svm.npz")
_ABOUT = "recogniser.json"
#: A person's own patch scheme goes along.
_SCHEME = "scheme.toml"


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


def save_recogniser(
    target: Path, folder: Path, settings: Settings, task: Task, job: NetworkJob
) -> None:
    """Bundle a finished job's net, mean and SVM into a folder that :class:`Recogniser` reads."""
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(folder / name, partial / name)
    scheme = settings.scheme
    if scheme not in SCHEMES:
        shutil.copyfile(scheme, partial / _SCHEME)
        scheme = _SCHEME
    result = read_json(folder / RESULT_FILE)
    write_json(
        partial / _ABOUT,
        {
            "labels": list(task.labels),
            "scheme": scheme,
            "patches": list(get_scheme(settings.scheme).select(job.k)),
            "profile": settings.profile,
            "dataset": settings.dataset,
            "run_digest": settings.digest,
            "job": job.folder,
            "net_sha256": result["training"]["net_sha256"],
            # The bundle's SVM is the linear one, whichever kernel the evaluation chose.
            "test_accuracy": result["methods"][TRAINED]["linear_accuracy"],
        },
    )
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def bundled_net(target: Path) -> str:
    """SHA-256 of a bundle's net; empty where there is no bundle."""
    about = target / _ABOUT
    return read_json(about).get("net_sha256", "") if about.is_file() else ""


class Recogniser:
    """Finds faces in a picture and names their expressions.

    Parameters
    ----------
    folder : Path
        Bundle of :func:`save_recogniser`.
    engine, device : str
        As for :func:`i2cnn.engine.get_engine` and :func:`i2cnn.engine.choose_device`.
    """

    def __init__(self, folder: Path, engine: str = "torch", device: str = "auto") -> None:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; `i2cnn evaluate` makes RUN/recogniser")
        absent = [n for n in (*_FILES, _ABOUT) if not (folder / n).is_file()]
        if absent:
            raise InputError(
                f"{folder}: not a recogniser ({', '.join(absent)} missing); copy the whole "
                "folder RUN/recogniser"
            )
        self.about: dict[str, Any] = read_json(folder / _ABOUT)
        try:
            self.labels: list[str] = self.about["labels"]
            self.scheme: str = self.about["scheme"]
            self.patches: list[int] = self.about["patches"]
        except KeyError as error:
            raise InputError(f"{folder / _ABOUT}: {error} is missing") from None
        if self.scheme not in SCHEMES:
            self.scheme = str(folder / self.scheme)
        self._pairs = _read_pairs(folder / "svm.npz")
        self._transform = Transform.from_job(folder)
        module = get_engine(engine)
        set_device(module, choose_device(device))
        self._net = module.Net(
            str(folder / "deploy.prototxt"), TEST, weights=str(folder / "net.caffemodel")
        )
        self._finder = FaceFinder()

    def predict(self, image: np.ndarray) -> list[FacePrediction]:
        """Expressions of every face found, from left to right; empty if there is none.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        """
        return [self.predict_face(image, d) for d in self._finder.find_all(image)]

    def predict_face(self, image: np.ndarray, detection: Detection) -> FacePrediction:
        """Expression of a face whose landmarks are known."""
        chosen = face_patches(image, detection.points, self.patches, self.scheme)
        features = net_features(self._net, self._transform(chosen))
        shares = self._pairs.contributions(features)
        decisions = shares.sum(axis=1) + self._pairs.intercepts
        votes = _soft_votes(decisions, self._pairs.pairs, len(self.labels))
        hard = _hard_votes(decisions, self._pairs.pairs, len(self.labels))
        best = max(range(len(self.labels)), key=lambda c: (hard[c], votes[c]))
        spoken = np.zeros(shares.shape[1])
        for (a, b), share in zip(self._pairs.pairs, shares, strict=True):
            if best in (a, b):
                spoken += share if best == a else -share
        names = get_scheme(self.scheme).names
        return FacePrediction(
            detection,
            self.labels[best],
            {label: float(v) for label, v in zip(self.labels, votes, strict=True)},
            {names[p]: float(v) for p, v in zip(self.patches, spoken, strict=True)},
        )


def _read_pairs(path: Path) -> PairWeights:
    try:
        with np.load(path, allow_pickle=False) as file:
            return PairWeights(file["weights"], file["intercepts"], file["pairs"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); copy the recogniser again") from None


def _soft_votes(decisions: np.ndarray, pairs: np.ndarray, classes: int) -> np.ndarray:
    """Each pair's vote, divided between its two classes by a logistic of the decision value."""
    votes = np.zeros(classes)
    for (a, b), decision in zip(pairs, decisions, strict=True):
        share = 1 / (1 + np.exp(-np.clip(2 * decision, -50, 50)))
        votes[a] += share
        votes[b] += 1 - share
    return votes / votes.sum()


def _hard_votes(decisions: np.ndarray, pairs: np.ndarray, classes: int) -> np.ndarray:
    votes = np.zeros(classes)
    for (a, b), decision in zip(pairs, decisions, strict=True):
        votes[a if decision > 0 else b] += 1
    return votes


def annotate(image: np.ndarray, predictions: Sequence[FacePrediction]) -> np.ndarray:
    """Copy of a picture with boxes, landmarks, labels and scores, (H, W, 3)."""
    canvas = as_bgr(image).copy()
    unit = max(1.0, min(canvas.shape[:2]) / 500)
    for prediction in predictions:
        x, y, width, height = (round(v) for v in prediction.detection.box)
        thick = max(1, round(2 * unit))
        cv2.rectangle(canvas, (x, y), (x + width, y + height), (60, 200, 60), thick, cv2.LINE_AA)
        for px, py in prediction.detection.points:
            centre = (round(float(px)), round(float(py)))
            cv2.circle(canvas, centre, thick + 1, (60, 220, 255), -1, cv2.LINE_AA)
        text = f"{prediction.label} {prediction.scores[prediction.label]:.2f}"
        _caption(canvas, text, x, y, 0.6 * unit)
    return canvas


def _caption(canvas: np.ndarray, text: str, x: int, y: int, size: float) -> None:
    """Text on a dark ground above (x, y), moved so that it stays inside the picture."""
    font, thick = cv2.FONT_HERSHEY_SIMPLEX, max(1, round(1.6 * size))
    (width, height), base = cv2.getTextSize(text, font, size, thick)
    left = min(max(0, x), max(0, canvas.shape[1] - width - 8))
    bottom = max(y, height + base + 8)
    cv2.rectangle(
        canvas, (left, bottom - height - base - 8), (left + width + 8, bottom), (40, 40, 40), -1
    )
    cv2.putText(
        canvas,
        text,
        (left + 4, bottom - base - 3),
        font,
        size,
        (255, 255, 255),
        thick,
        cv2.LINE_AA,
    )
