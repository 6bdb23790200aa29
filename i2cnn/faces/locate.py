"""From a data set to its faces: one face per sample, with a box and five landmarks."""

from __future__ import annotations

import numpy as np

from i2cnn.datasets.base import Dataset
from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.faces.table import Box, Face
from i2cnn.util.arrays import Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import check_points, interocular_distance
from i2cnn.util.progress import Callback


def locate_faces(
    dataset: Dataset,
    finder: FaceFinder | None = None,
    use_given_points: bool = True,
    update: Callback | None = None,
) -> tuple[list[Face], list[str]]:
    """Locate the face of each sample of a data set.

    Parameters
    ----------
    dataset : Dataset
    finder : FaceFinder, optional
        Made when first needed.
    use_given_points : bool
        Take the data set's own landmarks where it has them.
    update : callable, optional
        Called with (samples done, samples).

    Returns
    -------
    faces : list of Face
        In the order of the samples.
    notes : list of str
        Images where more than one face was found; the largest was taken.

    Raises
    ------
    InputError
        An image cannot be read, or the data set's own landmarks are not those of a face.
    """
    faces, notes = [], []
    for number, sample in enumerate(dataset.samples, 1):
        path = dataset.root / sample.image
        if use_given_points and sample.points is not None:
            points = np.array(sample.points, np.float64)
            reason = check_points(points)
            if reason:
                raise InputError(f"{path}: the data set's own landmarks: {reason}")
            detection = Detection(_box_around(points), points, "given")
        else:
            finder = finder or FaceFinder()
            detection, count = finder.find_one(read_image(path))
            if count > 1:
                notes.append(f"{sample.image}: {count} faces, the largest was taken")
        faces.append(
            Face(
                sample.image,
                sample.subject,
                sample.sequence,
                sample.frame,
                sample.label,
                detection.box,
                detection.points,
                detection.found,
            )
        )
        if update is not None:
            update(number, len(dataset.samples))
    return faces, notes


def _box_around(points: Float64Array) -> Box:
    """A box like the detector's around known landmarks: 2.3 eye distances wide."""
    iod = interocular_distance(points)
    x, y = points.mean(0)
    return float(x - 1.15 * iod), float(y - 1.2 * iod), 2.3 * iod, 2.3 * iod
