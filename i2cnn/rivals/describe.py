"""What each rival sees of a face: nothing is learned here, so it serves every fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from i2cnn.faces.table import Face
from i2cnn.patches.schemes import DEEPID, Scheme
from i2cnn.rivals import cspl, events, gabor, hog, lbp, ldp, points68
from i2cnn.rivals.align import HEIGHT, WIDTH, aligned_faces
from i2cnn.rivals.components import components
from i2cnn.rivals.table import get_rival
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.progress import Callback


def describe(
    rival_name: str,
    faces: Sequence[Face],
    root: Path,
    scheme: Scheme = DEEPID,
    update: Callback | None = None,
) -> AnyArray:
    """Describe each face as a rival does.

    Parameters
    ----------
    rival_name : str
        One of RIVALS.
    faces : sequence of Face
    root : Path
        Folder that the faces' images start from.
    scheme : Scheme
        Of the patches that HOG describes; the others see the aligned face.
    update : callable, optional
        Called with (faces done, faces).

    Returns
    -------
    ndarray, (faces, d)
        float32: pixels 4125, lbp 2478, gabor 42 560, ldp 2352, cspl 3776, geometric 104, sae 1232,
        bdbn 16 500 values per face, itbn 760 per clip; hog 1764 per patch that is not a mirrored
        copy. boosted-lbp: the 16 500 patterns of the aligned face as uint8, of which a fold counts
        what it needs.

    Raises
    ------
    InputError
        Names the image that cannot be used.
    """
    rival = get_rival(rival_name)
    if not faces:
        raise InputError("there are no faces to describe")
    if rival.name == "hog":
        described = _pictures_described(
            lambda image, points: hog.histograms(image, points, scheme).ravel(), faces, root, update
        )
    elif rival.name == "sae":
        described = _pictures_described(components, faces, root, update)
    elif rival.name == "geometric":
        described = _counted(points68.displacements(faces, root), len(faces), update)
    elif rival.name == "itbn":
        described = _counted(events.displacements(faces, root), len(faces), update)
    else:
        described = _faces_described(rival.name, faces, root, update)
    first = next(described)
    features = np.empty((len(faces), len(first)), first.dtype)
    features[0] = first
    for i, row in enumerate(described, 1):
        features[i] = row
    return features


def _faces_described(
    rival_name: str, faces: Sequence[Face], root: Path, update: Callback | None
) -> Iterator[AnyArray]:
    margin, describe_one = _DESCRIPTORS[rival_name]
    for face in aligned_faces(faces, root, margin, update):
        yield describe_one(face)


def _pictures_described(
    describe_one: Callable[[UInt8Array, Float64Array], AnyArray],
    faces: Sequence[Face],
    root: Path,
    update: Callback | None,
) -> Iterator[AnyArray]:
    """What a function makes of each picture and its landmarks."""
    for number, face in enumerate(faces, 1):
        path = root / face.image
        try:
            yield describe_one(read_image(path), face.points)
        except InputError as error:
            # Reading a picture names the file, sampling it does not.
            named = str(error).startswith(str(path))
            raise error if named else InputError(f"{path}: {error}") from None
        if update is not None:
            update(number, len(faces))


def _counted(
    described: Iterator[Float64Array], number: int, update: Callback | None
) -> Iterator[AnyArray]:
    """Rows of float32, with each reported."""
    for done, points in enumerate(described, 1):
        yield points.astype(np.float32).ravel()
        if update is not None:
            update(done, number)


def _pixels(face: UInt8Array) -> Float32Array:
    small = cv2.resize(face, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    pixels = small.astype(np.float32).ravel()
    standard: Float32Array = (pixels - pixels.mean()) / max(float(pixels.std()), 1.0)
    return standard


def _region_histograms(face: UInt8Array) -> Float32Array:
    return lbp.region_histograms(lbp.patterns(face))


def _values(face: UInt8Array) -> Float32Array:
    return face.astype(np.float32).ravel()


def _patch_histograms(face: UInt8Array) -> Float32Array:
    return cspl.patch_histograms(lbp.patterns(face))


def _patterns(face: UInt8Array) -> UInt8Array:
    return lbp.patterns(face).ravel()


#: By rival: pixels of the image that are needed around the aligned face, and the description.
_DESCRIPTORS: dict[str, tuple[int, Callable[[UInt8Array], AnyArray]]] = {
    "pixels": (0, _pixels),
    "lbp": (lbp.RADIUS, _region_histograms),
    "boosted-lbp": (lbp.RADIUS, _patterns),
    "gabor": (0, gabor.magnitudes),
    "bdbn": (0, _values),
    "cspl": (lbp.RADIUS, _patch_histograms),
    "ldp": (ldp.RADIUS, ldp.histograms),
}
