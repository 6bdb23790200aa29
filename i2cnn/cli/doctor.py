"""What is installed, which engine and device will be used, which models are found."""

from __future__ import annotations

import importlib

from i2cnn.network.engine import choose_device, get_engine
from i2cnn.util.errors import InputError
from i2cnn.util.machine import versions

Check = tuple[str, bool, str]


def checks(engine: str, device: str) -> list[Check]:
    """(subject, is it well, what was found or what to do) for everything a run needs."""
    return [
        *((name, version != "missing", version) for name, version in versions().items()),
        _check("C++ extension", _native),
        _check(f"engine {engine}", lambda: get_engine(engine).__name__),
        _check("device", lambda: choose_device(device)),
        _check("landmark model", _landmark_model),
        _check("embedded faces", _embedded),
        _check("genuine pycaffe (optional)", lambda: get_engine("caffe").__name__, optional=True),
    ]


def _check(subject: str, look, optional: bool = False) -> Check:
    try:
        return subject, True, str(look())
    except (InputError, ImportError) as error:
        return subject, optional, f"{'not there: ' if optional else ''}{error}"


def _native() -> str:
    native = importlib.import_module("i2cnn._native")
    return f"loaded, {native.simd_level()}" if hasattr(native, "simd_level") else "loaded"


def _landmark_model() -> str:
    from i2cnn.faces.finder import find_landmark_model

    path = find_landmark_model()
    if path is None:
        raise InputError(
            "dlib's 68-point model is missing; pip install face_recognition_models "
            "(its training data, iBUG 300-W, excludes commercial use)"
        )
    return f"{path.name} (trained on iBUG 300-W: no commercial use)"


def _embedded() -> str:
    from i2cnn.datasets import load_dataset

    dataset = load_dataset("synthetic", None, "seven")
    return f"{len(dataset.samples)} images, CC0"
