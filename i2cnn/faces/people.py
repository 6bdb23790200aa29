"""Groups faces by who they show, by dlib's face descriptor.

The descriptor is 128 numbers of a network that Davis King trained for dlib and gave to the public
domain; it comes with the package `face_recognition_models` (CC0).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from i2cnn.faces.detector import find_model
from i2cnn.faces.finder import Detection, FaceFinder
from i2cnn.util.arrays import Float64Array, IntArray, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_bgr
from i2cnn.util.turns import Turns

MODEL_NAME = "dlib_face_recognition_resnet_model_v1.dat"
#: Mean distance of two groups' descriptors below which they are one person. Chosen on 102 people
#: with two photographs each, and on albums of ten rendered people, of whom many look alike: these
#: are named as well with the groups of 0.40 to 0.44 as with the people told.
DISTANCE = 0.43
#: Above it they are certainly two: dlib's own threshold, which took no person of those albums for
#: two, and two strangers on photographs for one in 1 of 150 cases.
CERTAIN = 0.6


class FaceDescriptor:
    """dlib's descriptor of whom a face shows; threads may share one, and it pickles.

    Parameters
    ----------
    finder : FaceFinder
        Its landmark model aligns the faces.

    Raises
    ------
    InputError
        The descriptor's model is missing.
    """

    def __init__(self, finder: FaceFinder) -> None:
        import dlib

        model = find_model(MODEL_NAME)
        if model is None:
            raise InputError(
                f"{MODEL_NAME}: dlib's face descriptor is missing; pip install "
                "face_recognition_models, or say who is who by --people one or subfolders"
            )
        self._finder = finder
        self._net: Any = dlib.face_recognition_model_v1(str(model))
        self._turn = Turns()

    def __reduce__(self) -> tuple[type[FaceDescriptor], tuple[FaceFinder]]:
        return FaceDescriptor, (self._finder,)

    def __call__(self, image: UInt8Array, detection: Detection) -> Float64Array:
        """The descriptor (128,) of a face.

        Parameters
        ----------
        image : ndarray of uint8, (H, W) or (H, W, 3) in B, G, R
        detection : Detection
        """
        rgb = np.ascontiguousarray(as_bgr(image)[:, :, ::-1])
        marks = self._finder.marks(image, detection)
        with self._turn:
            return np.array(self._net.compute_face_descriptor(rgb, marks), np.float64)


def group_by_person(descriptors: Sequence[Float64Array], distance: float = DISTANCE) -> IntArray:
    """Number of each face's person, from 0, persons with more faces first.

    Groups are joined, nearest first, while their mean distance is at most `distance`.
    """
    if len(descriptors) < 2:
        return np.zeros(len(descriptors), np.int_)
    from scipy.cluster.hierarchy import fcluster, linkage

    groups = fcluster(linkage(np.stack(descriptors), "average"), distance, "distance")
    _, first, inverse, counts = np.unique(
        groups, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.lexsort((first, -counts))
    ranks: IntArray = np.argsort(order)
    persons: IntArray = ranks[inverse]
    return persons
