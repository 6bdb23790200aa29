"""Features of faces as a transformer of scikit-learn, for pipelines of one's own."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from i2cnn.faces.finder import shared_finder
from i2cnn.models import find_model
from i2cnn.recogniser.bundle import ABOUT_FILE, load_bundle
from i2cnn.recogniser.features import Describer
from i2cnn.util.arrays import Float32Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import as_picture


class PatchFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Describes faces by the features of a recogniser's patches: its network's, or HOG.

    Nothing is fitted. A network that was trained on people whom a cross-validation tests makes them
    look easy: train it on others. HOG, the features of `faces-7` and `smile`, needs no training.

    Parameters
    ----------
    model : str or Path
        Name of a recogniser that ships, or the folder RUN/recogniser; only its features are used.
    engine, device : str
        As for :class:`i2cnn.recogniser.recogniser.Recogniser`.

    Examples
    --------
    >>> features = PatchFeatures()
    >>> features.transform([]).shape
    (0, 52920)
    """

    def __init__(
        self, model: str | Path = "faces-7", engine: str = "torch", device: str = "auto"
    ) -> None:
        self.model = model
        self.engine = engine
        self.device = device

    def fit(self, X: Sequence[Any], y: Any = None) -> PatchFeatures:
        """Load the features' network, if they have one; InputError if that is impossible."""
        self._describer()
        return self

    def transform(self, X: Sequence[Any]) -> Float32Array:
        """Features of faces.

        Parameters
        ----------
        X : sequence of picture, or of (picture, points)
            Pictures as :meth:`i2cnn.Recogniser.predict` takes them, and five landmarks (5, 2) each.
            Without landmarks, those of the largest face are taken.

        Returns
        -------
        ndarray of float32, (faces, patches * dim)

        Raises
        ------
        InputError
            A picture cannot be used, or shows no face.
        """
        describer, patches = self._describer()
        rows = np.empty((len(X), patches * describer.dim), np.float32)
        for number, given in enumerate(X):
            picture, points = given if isinstance(given, tuple) else (given, None)
            image = as_picture(picture)
            if points is None:
                detection, found = shared_finder().find_one(image)
                if not found:
                    raise InputError(f"picture {number}, counted from 0, shows no face")
                points = detection.points
            rows[number] = describer.describe(image, np.asarray(points, np.float64)).ravel()
        return rows

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.no_validation = True
        tags.input_tags.two_d_array = False
        return tags

    def _describer(self) -> tuple[Describer, int]:
        folder = find_model(self.model)
        about = folder / ABOUT_FILE
        written = about.stat().st_mtime_ns if about.is_file() else 0
        return _loaded(folder.absolute(), written, self.engine, self.device)


@functools.lru_cache(4)
def _loaded(folder: Path, written: int, engine: str, device: str) -> tuple[Describer, int]:
    """The describer of a recogniser, and the number of its patches; kept for further folds.

    One that has been written again meanwhile, at another time, is another one.
    """
    bundle = load_bundle(folder)
    describer = bundle.features.describer(bundle.folder, bundle.patches, engine, device)
    return describer, len(bundle.patches)
