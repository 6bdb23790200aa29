"""A trained bundle: expressions of the faces in a photograph, explained by patch."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import cv2
import numpy as np

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.jobs import RESULT_FILE
from i2cnn.evaluation.network_job import NetworkJob
from i2cnn.evaluation.settings import Settings
from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.transform import Transform
from i2cnn.patches.extract import face_patches
from i2cnn.patches.schemes import SCHEMES, PatchSet, get_scheme
from i2cnn.svm.gram_svc import PairWeights
from i2cnn.svm.variants import TRAINED
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest, read_json, write_json
from i2cnn.util.images import as_bgr

_NET = "net.caffemodel"
_SVM = "svm.npz"
_FILES = ("deploy.prototxt", "train_val.prototxt", _NET, "mean.binaryproto", _SVM)
_ABOUT = "recogniser.json"
#: A person's own patch scheme goes along.
_SCHEME = "scheme.toml"
_REMEDY = "copy the whole folder again, or repeat the evaluate command that made it"


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
    """Bundle a finished job's net, mean and SVM into a folder that :class:`Recogniser` reads.

    Raises
    ------
    InputError
        The net is not the one that the job trained.
    """
    result = read_json(folder / RESULT_FILE)
    if file_digest(folder / _NET) != result["training"]["net_sha256"]:
        raise InputError(
            f"{folder / _NET}: is not the net that {RESULT_FILE} beside it tells of; delete "
            f"{folder} and repeat the evaluate command"
        )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name in _FILES:
        shutil.copyfile(folder / name, partial / name)
    scheme = settings.scheme
    if scheme not in SCHEMES:
        shutil.copyfile(scheme, partial / _SCHEME)
        scheme = _SCHEME
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
            # The bundle's SVM is the linear one, whichever kernel the evaluation chose.
            "test_accuracy": result["methods"][TRAINED]["linear_accuracy"],
            # So that a folder put together from two recognisers is known for one.
            "files": {name: file_digest(partial / name) for name in _names(scheme)},
        },
    )
    shutil.rmtree(target, ignore_errors=True)
    partial.replace(target)


def bundled_net(target: Path) -> str:
    """SHA-256 of a bundle's net; empty where there is no bundle that can be used."""
    try:
        return _read_about(target)["files"][_NET]
    except InputError:
        return ""


def _names(scheme: str) -> tuple[str, ...]:
    """Files of a bundle beside recogniser.json."""
    return _FILES if scheme in SCHEMES else (*_FILES, _SCHEME)


def _read_about(folder: Path) -> dict[str, Any]:
    """What recogniser.json says, after a check that the folder's other files are its own."""
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; `i2cnn evaluate` makes RUN/recogniser")
    _check_present(folder, (*_FILES, _ABOUT))
    about = read_json(folder / _ABOUT)
    _check_about(folder / _ABOUT, about)
    _check_present(folder, about["files"])
    for name, stored in about["files"].items():
        if file_digest(folder / name) != stored:
            raise InputError(
                f"{folder / name}: damaged, or it is not the one this recogniser was made with; "
                f"{_REMEDY}"
            )
    return about


def _check_present(folder: Path, names: Iterable[str]) -> None:
    absent = [name for name in names if not (folder / name).is_file()]
    if absent:
        raise InputError(
            f"{folder}: not a recogniser ({', '.join(absent)} missing); copy the whole "
            "folder RUN/recogniser"
        )


def _check_about(path: Path, about: Any) -> None:
    """InputError unless recogniser.json has the entries that are worked with, each in its form."""
    if not isinstance(about, dict):
        raise InputError(f"{path}: does not describe a recogniser; {_REMEDY}")
    if "files" not in about:
        raise InputError(
            f"{path}: is of an older version of i2cnn; repeat the evaluate command of its run, "
            "which writes RUN/recogniser again"
        )
    scheme, files = about.get("scheme"), about["files"]
    known = scheme in (*SCHEMES, _SCHEME)
    forms = {
        "labels": _are_distinct(about.get("labels"), str),
        "scheme": known,
        "patches": _are_distinct(about.get("patches"), int),
        "files": isinstance(files, dict) and (not known or set(files) == set(_names(f"{scheme}"))),
    }
    odd = [name for name, well in forms.items() if not well]
    if odd:
        raise InputError(f"{path}: {', '.join(odd)} missing or edited by hand; {_REMEDY}")


def _are_distinct(values: Any, kind: type) -> bool:
    """True for a list of one or more values of one type, each there once."""
    # A boolean is an int to isinstance.
    right = isinstance(values, list) and all(type(v) is kind for v in values)
    return right and 0 < len(set(values)) == len(values)


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
    """

    def __init__(self, folder: str | Path, engine: str = "torch", device: str = "auto") -> None:
        folder = Path(folder)
        self.about = _read_about(folder)
        self.labels: list[str] = self.about["labels"]
        scheme = self.about["scheme"]
        self.scheme = get_scheme(scheme if scheme in SCHEMES else folder / scheme)
        self.patches: list[int] = self.about["patches"]
        self._pairs = _read_pairs(folder / _SVM)
        module = start_engine(engine, device)
        net = module.Net(str(folder / "deploy.prototxt"), TEST, weights=str(folder / _NET))
        self._extractor = FeatureExtractor(net, Transform.from_training_folder(folder))
        self._check_fit(folder, net.blobs[net.outputs[0]].data.shape[1])
        self._chosen = PatchSet(self.scheme, tuple(self.patches))
        self._finder = FaceFinder()

    def _check_fit(self, folder: Path, classes: int) -> None:
        """InputError unless labels, patches, scheme, SVM and net go together."""
        dim = self._extractor.dim
        patches = len(self.scheme)
        pairs, labels, number = self._pairs, len(self.labels), len(self._pairs.pairs)
        if labels != classes:
            fault = f"{labels} labels, but {_NET} has {classes} classes"
        elif not all(0 <= p < patches for p in self.patches):
            fault = f"its patches are not all of the scheme's, 0 to {patches - 1}"
        elif pairs.weights.shape != (number, len(self.patches), dim):
            fault = (
                f"{number} pairs, {len(self.patches)} patches and {dim} features want other "
                f"weights than those of {_SVM}, {pairs.weights.shape}"
            )
        elif pairs.pairs.min() < 0 or pairs.pairs.max() >= labels:
            fault = f"{_SVM} has pairs of other classes than the {labels} labels"
        else:
            return
        raise InputError(f"{folder / _ABOUT}: {fault}; {_REMEDY}")

    def predict(self, image: np.ndarray) -> list[FacePrediction]:
        """Expressions of every face found, from left to right; empty if there is none.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        """
        return [self.predict_face(image, d) for d in self._finder.find_all(image)]

    def predict_face(self, image: np.ndarray, detection: Detection) -> FacePrediction:
        """Expression of a face whose landmarks are known."""
        features = self._extractor(face_patches(image, detection.points, self._chosen))
        shares = self._pairs.contributions(features)
        decisions = shares.sum(axis=1) + self._pairs.intercepts
        votes = _soft_votes(decisions, self._pairs.pairs, len(self.labels))
        hard = _hard_votes(decisions, self._pairs.pairs, len(self.labels))
        best = max(range(len(self.labels)), key=lambda c: (hard[c], votes[c]))
        spoken = np.zeros(shares.shape[1])
        for (a, b), share in zip(self._pairs.pairs, shares, strict=True):
            if best in (a, b):
                spoken += share if best == a else -share
        return FacePrediction(
            detection,
            self.labels[best],
            {label: float(v) for label, v in zip(self.labels, votes, strict=True)},
            {name: float(v) for name, v in zip(self._chosen.names, spoken, strict=True)},
        )


def _read_pairs(path: Path) -> PairWeights:
    try:
        with np.load(path, allow_pickle=False) as file:
            found = PairWeights(file["weights"], file["intercepts"], file["pairs"])
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise InputError(f"{path}: damaged ({error}); {_REMEDY}") from None
    number = found.intercepts.size
    shapes = (found.intercepts.shape, found.pairs.shape, found.weights.shape[:1])
    if number == 0 or shapes != ((number,), (number, 2), (number,)):
        raise InputError(f"{path}: not one weight vector a pair of classes; {_REMEDY}")
    return found


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
