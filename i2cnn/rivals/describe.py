"""What each rival sees of a face: nothing is learned here, so it serves every fold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from i2cnn.faces.table import Face
from i2cnn.patches.schemes import DEEPID, Scheme
from i2cnn.rivals import cspl, events, gabor, hog, lbp, ldp, points68
from i2cnn.rivals.align import HEIGHT, WIDTH, align
from i2cnn.rivals.components import components
from i2cnn.rivals.table import get_rival
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.progress import Callback

#: Describes the face in a picture (H, W[, 3]) by its landmarks (5, 2).
_Descriptor = Callable[[UInt8Array, Float64Array], AnyArray]


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
    for done, row in enumerate(_described(rival.name, faces, root, scheme), 1):
        if done == 1:
            features = np.empty(
                (len(faces), row.size), np.uint8 if row.dtype == np.uint8 else np.float32
            )
        features[done - 1] = row.ravel()
        if update is not None:
            update(done, len(faces))
    return features


def _described(
    rival_name: str, faces: Sequence[Face], root: Path, scheme: Scheme
) -> Iterator[AnyArray]:
    if rival_name == "geometric":
        return points68.displacements(faces, root)
    if rival_name == "itbn":
        return events.displacements(faces, root)
    if rival_name == "hog":
        return _of_pictures(partial(hog.histograms, scheme=scheme), faces, root)
    return _of_pictures(_DESCRIPTORS[rival_name], faces, root)


def _of_pictures(
    describe_one: _Descriptor, faces: Sequence[Face], root: Path
) -> Iterator[AnyArray]:
    """What a function makes of each picture and its landmarks."""
    for face in faces:
        path = root / face.image
        image = read_image(path)
        try:
            yield describe_one(image, face.points)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None


def _of_aligned(describe_one: Callable[[UInt8Array], AnyArray], margin: int = 0) -> _Descriptor:
    """A function of the aligned face, with so many pixels around it, as one of a picture."""
    return lambda image, points: describe_one(align(image, points, margin))


def _pixels(face: UInt8Array) -> Float32Array:
    small = cv2.resize(face, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    pixels = small.astype(np.float32).ravel()
    standard: Float32Array = (pixels - pixels.mean()) / max(float(pixels.std()), 1.0)
    return standard


_DESCRIPTORS: dict[str, _Descriptor] = {
    "pixels": _of_aligned(_pixels),
    "lbp": _of_aligned(lambda face: lbp.region_histograms(lbp.patterns(face)), lbp.RADIUS),
    "boosted-lbp": _of_aligned(lbp.patterns, lbp.RADIUS),
    "gabor": _of_aligned(gabor.magnitudes),
    "bdbn": _of_aligned(lambda face: face.astype(np.float32)),
    "cspl": _of_aligned(lambda face: cspl.patch_histograms(lbp.patterns(face)), lbp.RADIUS),
    "ldp": _of_aligned(ldp.histograms, ldp.RADIUS),
    "sae": components,
}
