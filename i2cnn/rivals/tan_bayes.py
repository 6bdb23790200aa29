"""Geometric features and tree-augmented naive Bayes with Gaussians (Cohen et al. 2003).

I. Cohen, N. Sebe, A. Garg, L. S. Chen and T. S. Huang, *Facial expression recognition from video
sequences: temporal and static modeling*, Computer Vision and Image Understanding 91, 2003: motions
of a tracked face against its neutral first frame; given the expression, each is Gaussian and
depends on one other, and the tree of these dependences is the best one (Chow and Liu 1968;
Friedman, Geiger and Goldszmidt 1997): the maximum spanning tree of the mutual information given the
class, which is -sum of P(c) log(1 - r^2) / 2 for Gaussians with correlation r.

The source's tracker fits a face model that was never released; its twelve motion units come from
it. Here dlib's 68 points are located on the aligned face and measured in distances between the
eyes, and from the clip's first frame where there are clips. A first frame that is itself tested as
neutral is then easy to name. Still images have no such frame; there the points are taken as they
are, since what is the same for all faces, as a training mean is, changes nothing in a Gaussian
classifier. The jaw line (points 0 to 16) shows the head's shape rather than an expression and is
left out except the chin. Variances have a floor of a hundredth of the feature's overall variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import AnyArray, Float64Array, IntArray

#: Smallest variance, as a share of the feature's variance over all classes.
FLOOR = 0.01
_LARGEST = 1 - 1e-9


class GaussianTAN:
    """Gaussian naive Bayes in which each feature but one also depends on another one.

    Attributes
    ----------
    classes_ : ndarray of int, (k,)
    parent_ : ndarray of int, (d,)
        The feature that each depends on; -1 for the root.
    slopes_, means_, variances_ : ndarray of float64, (k, d)
        Given class and parent, a feature has the mean
        ``means + slopes * (parent - parent's mean)`` and this variance.
    """

    def fit(self, features: AnyArray, faces: FittedFaces) -> dict[str, Any]:
        """Learn tree and Gaussians; returns the choice. There is nothing to tune."""
        x = features.astype(np.float64)
        self.classes_ = np.unique(faces.labels)
        parts = [x[faces.labels == c] for c in self.classes_]
        floor = FLOOR * x.var(axis=0) + 1e-12
        self.shares_ = np.array([len(part) for part in parts]) / len(x)
        self.means_ = np.stack([part.mean(axis=0) for part in parts])
        covariances = np.stack([np.cov(part.T, bias=True) for part in parts])
        covariances += np.diag(floor)
        self.parent_ = chow_liu(covariances, self.shares_)
        child, parent = np.arange(x.shape[1]), np.maximum(self.parent_, 0)
        own, of_parent = covariances[:, child, child], covariances[:, parent, parent]
        both = np.where(self.parent_ < 0, 0.0, covariances[:, child, parent])
        self.slopes_ = both / of_parent
        self.variances_ = np.maximum(own - both**2 / of_parent, floor)
        return {"parents": self.parent_.tolist(), "dimensions": x.shape[1]}

    def predict(self, features: AnyArray) -> IntArray:
        """Classes of faces."""
        named: IntArray = self.classes_[self.log_joint(features).argmax(axis=1)]
        return named

    def log_joint(self, features: AnyArray) -> Float64Array:
        """log P(class, features) up to a constant, (n, k)."""
        x = features.astype(np.float64)[:, None]
        centred = x - self.means_
        left = centred - self.slopes_ * centred[:, :, np.maximum(self.parent_, 0)]
        terms = left**2 / self.variances_ + np.log(self.variances_)
        joint: Float64Array = np.log(self.shares_) - terms.sum(axis=2) / 2
        return joint


def chow_liu(covariances: Float64Array, shares: Float64Array) -> IntArray:
    """The tree of features with the most mutual information given the class.

    Parameters
    ----------
    covariances : ndarray of float64, (k, d, d)
    shares : ndarray of float64, (k,)
        Of the classes.

    Returns
    -------
    ndarray of int, (d,)
        Parent of each feature; -1 for feature 0, the root.
    """
    spread = np.sqrt(np.diagonal(covariances, axis1=1, axis2=2))
    correlations = covariances / (spread[:, :, None] * spread[:, None])
    squares = np.minimum(correlations**2, _LARGEST)
    information = -np.tensordot(shares, np.log1p(-squares), 1) / 2
    # The larger the information the smaller the weight, and none is 0, which means no edge.
    weights = information.max() + 1 - information
    np.fill_diagonal(weights, 0)
    _, parents = breadth_first_order(minimum_spanning_tree(weights), 0, directed=False)
    return np.where(parents < 0, -1, parents).astype(np.int_)
