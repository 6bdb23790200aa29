"""Rivals that have a classifier of their own in place of an SVM, by name."""

from __future__ import annotations

from typing import Any, Protocol

from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import AnyArray, IntArray
from i2cnn.util.errors import InputError


class Classifier(Protocol):
    """Fitted on some faces, predicts others; everything random has a fixed seed."""

    def fit(self, features: AnyArray, faces: FittedFaces) -> dict[str, Any]:
        """Learn from faces.

        Parameters
        ----------
        features : ndarray, (n, d)
        faces : FittedFaces
            Whoever tunes keeps their people apart.

        Returns
        -------
        dict
            What was chosen: values that JSON can hold.
        """
        ...

    def predict(self, features: AnyArray) -> IntArray:
        """Classes of faces, (m,)."""
        ...


def make_classifier(rival_name: str, device: str = "cpu") -> Classifier:
    """A rival's own classifier, not yet fitted; PyTorch's work is done on the device.

    Raises
    ------
    InputError
        The rival has none.
    """
    # PyTorch takes seconds to load, so each is imported where it is used.
    if rival_name == "ldp":
        from i2cnn.rivals.ldp import LdpTemplates

        return LdpTemplates()
    if rival_name == "sae":
        from i2cnn.rivals.sae import ComponentSAE

        return ComponentSAE(device)
    if rival_name == "bdbn":
        from i2cnn.rivals.bdbn import BoostedDBN

        return BoostedDBN(device)
    if rival_name == "itbn":
        from i2cnn.rivals.itbn import IntervalNetworks

        return IntervalNetworks()
    if rival_name == "geometric":
        from i2cnn.rivals.tan_bayes import GaussianTAN

        return GaussianTAN()
    raise InputError(f"{rival_name} has no classifier of its own, but SVMs")
