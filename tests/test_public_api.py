"""The names that `import i2cnn` offers."""

from __future__ import annotations

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


def test_patches_of_an_embedded_face_are_cut_by_the_public_names() -> None:
    from i2cnn.util.images import read_image

    dataset = i2cnn.load_dataset("synthetic", None)
    sample = dataset.samples[0]
    image = read_image(dataset.root / sample.image)
    scheme = i2cnn.get_scheme("deepid")
    patches = i2cnn.extract_patches(image, np.array(sample.points), scheme)
    assert patches.shape[:3] == (len(scheme), 256, 256)
