"""`i2cnn doctor`: what is installed, what is missing and where, which engine and device run.

Whatever else is missing, this module needs the standard library only.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import platform
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from i2cnn import __version__
from i2cnn.util.text import show


class Finding(NamedTuple):
    """One line of the answer."""

    good: bool
    subject: str
    text: str


#: Distribution, its module, and what needs it.
DEPENDENCIES = (
    ("numpy", "numpy", "everything"),
    ("scipy", "scipy", "rivals and the recogniser"),
    ("scikit-learn", "sklearn", "SVMs"),
    ("scikit-image", "skimage", "the rivals LBP and Gabor"),
    ("torch", "torch", "networks by torchcaffe"),
    ("protobuf", "google.protobuf", "prototxt, LMDB records and .caffemodel files"),
    ("lmdb", "lmdb", "reading databases of patches"),
    ("h5py", "h5py", "HDF5 layers and snapshots"),
    ("opencv-python", "cv2", "pictures"),
    ("Pillow", "PIL", "pictures"),
    ("dlib-bin", "dlib", "finding faces"),
    ("threadpoolctl", "threadpoolctl", "jobs in several processes"),
    ("rich", "rich", "progress and tables"),
    ("jinja2", "jinja2", "reports"),
    ("matplotlib", "matplotlib", "reports"),
    *([("tomli", "tomli", "patch schemes")] if sys.version_info < (3, 11) else []),
)


def doctor(options: argparse.Namespace) -> int:
    """Print what was found; status 1 if something that a run needs is missing."""
    bad = 0
    for good, subject, text in findings(options.engine, options.device):
        show(f"{'ok' if good else 'MISSING':8}{subject:24}{text}")
        bad += not good
    show(f"{bad} missing" if bad else "Everything that a run needs is here.")
    return 1 if bad else 0


def findings(engine: str, device: str) -> Iterator[Finding]:
    """A finding for everything a run needs."""
    yield Finding(True, "i2cnn", f"{__version__} on Python {platform.python_version()}")
    for distribution, module, purpose in DEPENDENCIES:
        yield _dependency(distribution, module, purpose)
    yield _check("C++ extension", _native)
    yield _check(f"engine {engine}", lambda: _engine(engine))
    yield _check("device", lambda: _device(device))
    yield _check("landmark model", _landmark_model)
    yield _check("prototxt templates", _templates)
    yield _check("embedded faces", _embedded)
    found = _check("genuine pycaffe", lambda: _engine("caffe"))
    yield found if found.good else Finding(True, found.subject, f"optional, not here: {found.text}")


def _dependency(distribution: str, module: str, purpose: str) -> Finding:
    finding = _check(distribution, lambda: importlib.import_module(module).__name__)
    if not finding.good:
        advice = f"{finding.text}; needed for {purpose}: pip install {distribution}"
        return finding._replace(text=advice)
    try:
        return finding._replace(text=importlib.metadata.version(distribution))
    except importlib.metadata.PackageNotFoundError:
        return finding._replace(text="installed under another name")


def _check(subject: str, look: Callable[[], str]) -> Finding:
    # A broken installation can raise anything while it is imported.
    try:
        return Finding(True, subject, look())
    except Exception as error:
        return Finding(False, subject, str(error) or type(error).__name__)


def _native() -> str:
    try:
        native = importlib.import_module("i2cnn._native")
    except ImportError as error:
        raise ImportError(
            f"{error}; needed for patches: pip install i2cnn again, or in a checkout `make setup`"
        ) from None
    return f"loaded, {native.simd_level()}"


def _engine(name: str) -> str:
    from i2cnn.network.engine import get_engine

    return get_engine(name).__name__


def _device(name: str) -> str:
    from i2cnn.network.engine import choose_device

    return choose_device(name)


def _landmark_model() -> str:
    from i2cnn.faces.detector import find_landmark_model
    from i2cnn.util.errors import InputError

    path = find_landmark_model()
    if path is None:
        raise InputError(
            "dlib's 68-point model is missing; pip install face_recognition_models "
            "(its training data, iBUG 300-W, excludes commercial use)"
        )
    return f"{path.name} (trained on iBUG 300-W: no commercial use)"


def _templates() -> str:
    from i2cnn.network import PROFILES
    from i2cnn.network.profiles import template_dir

    for profile in PROFILES:
        template_dir(profile)
    return f"profiles {', '.join(PROFILES)}"


def _embedded() -> str:
    from i2cnn.datasets import load_dataset

    return f"{len(load_dataset('synthetic', None, 'seven').samples)} images, CC0"
