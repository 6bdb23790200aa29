"""The image files of the extension, read back by two decoders."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import lmdb
import numpy as np
import pytest
from PIL import Image

from i2cnn import _native
from i2cnn.patches.extract import extract_patches
from i2cnn.patches.schemes import DEEPID
from i2cnn.torchcaffe.proto import Datum
from tests.helpers.faces import face_points
from tests.helpers.pictures import smooth_image
from tests.helpers.simd import LEVELS

PATCHES = range(12)


def write(folder: Path, image: np.ndarray, encoding: str, size: int, quality: int) -> list[bytes]:
    """Files of the first patches, mirror pairs beside each other."""
    folder.mkdir()
    writer = _native.PatchWriter(
        str(folder), DEEPID.boxes, DEEPID.mouth, size, encoding, quality, 2
    )
    keys = [f"{p:02d}" for p in PATCHES]
    writer.add(image, face_points(120, 100, 70, 0.1), list(PATCHES), keys, 0)
    writer.finish()
    with lmdb.open(str(folder), readonly=True, lock=False) as env, env.begin() as txn:
        return [bytes(Datum.FromString(value).data) for _, value in txn.cursor()]


def decode(file: bytes) -> np.ndarray:
    """Pixels as OpenCV orders them, the same by Pillow."""
    image = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_UNCHANGED)
    theirs = np.asarray(Image.open(io.BytesIO(file)))
    if theirs.ndim == 3:
        theirs = theirs[..., ::-1]
    # Decoders of JPEG may interpolate colour in their own ways.
    assert np.abs(image.astype(int) - theirs).mean() < 0.5
    return image


def picture(color: bool) -> np.ndarray:
    noise = np.random.RandomState(0).randint(0, 90, (260, 240))
    planes = [np.uint8(smooth_image(s, 260, 240) // 2 + noise) for s in range(3)]
    return np.stack(planes, axis=2) if color else planes[0]


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("size", [64, 19])
def test_png_is_without_loss(color: bool, size: int, tmp_path: Path) -> None:
    image = picture(color)
    files = write(tmp_path / "db", image, "png", size, 95)
    expected = extract_patches(image, face_points(120, 100, 70, 0.1), size=size)
    for p, file in zip(PATCHES, files, strict=True):
        np.testing.assert_array_equal(decode(file), expected[p])


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize(("size", "quality"), [(64, 95), (19, 95), (40, 20), (48, 100)])
def test_jpeg_is_libjpegs(color: bool, size: int, quality: int, tmp_path: Path) -> None:
    files = write(tmp_path / "db", picture(color), "jpeg", size, quality)
    expected = extract_patches(picture(color), face_points(120, 100, 70, 0.1), size=size)
    for p, file in zip(PATCHES, files, strict=True):
        theirs = cv2.imencode(".jpg", expected[p], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        # Two builds of libjpeg-turbo may differ by a rounding of the transform.
        assert np.abs(decode(file).astype(int) - decode(theirs.tobytes())).mean() < 0.2
        assert len(file) == pytest.approx(len(theirs), rel=0.02)


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
@pytest.mark.parametrize("color", [False, True])
def test_files_are_the_same_with_all_instructions(
    encoding: str, color: bool, tmp_path: Path
) -> None:
    files = []
    for level in LEVELS:
        _native.set_simd(level)
        files.append(write(tmp_path / level, picture(color), encoding, 64, 95))
    _native.set_simd("auto")
    assert all(f == files[0] for f in files)
