"""The names that `import i2cnn` offers."""

from __future__ import annotations

import doctest
import importlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import i2cnn

PROGRAM = Path(__file__).parent / "programs" / "modules_after.py"


def test_import_loads_the_standard_library_only() -> None:
    result = subprocess.run(
        [sys.executable, str(PROGRAM)], capture_output=True, text=True, check=True
    )
    assert set(result.stdout.split()) & {"numpy", "cv2", "torch", "rich", "google"} == set()


@pytest.mark.parametrize("name", i2cnn.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(i2cnn, name) is not None
    assert name in dir(i2cnn)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Recognizer'"):
        i2cnn.Recognizer  # noqa: B018


@pytest.mark.parametrize(
    "module",
    [
        "i2cnn.datasets",
        "i2cnn.recogniser.patch_features",
        "i2cnn.torchcaffe.pycaffe",
        "i2cnn.torchcaffe.pycaffe.net_spec",
    ],
)
def test_examples_in_docstrings_give_what_they_say(module: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(module))
    assert tried
    assert not failed


def test_patches_of_an_embedded_face_are_cut_by_the_public_names() -> None:
    from i2cnn.util.images import read_image

    dataset = i2cnn.load_dataset("synthetic", None)
    sample = dataset.samples[0]
    image = read_image(dataset.root / sample.image)
    scheme = i2cnn.get_scheme("deepid")
    patches = i2cnn.extract_patches(image, np.array(sample.points), scheme)
    assert patches.shape[:3] == (len(scheme), 256, 256)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({}, "PASSIVE"),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE"),
        ({"GOMP_SPINCOUNT": "1000"}, "None"),
    ],
)
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(
    given: dict[str, str], found: str
) -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
    environment = {k: v for k, v in os.environ.items() if k not in names}
    # OpenMP reads it as torch is imported, which every module of the package does later.
    program = (
        "import os, sys, i2cnn; assert 'torch' not in sys.modules; "
        "print(os.environ.get('OMP_WAIT_POLICY'))"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert result.stdout.strip() == found
