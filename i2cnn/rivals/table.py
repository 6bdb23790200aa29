"""The table of rivals: names, titles, kernels. It loads nothing, so a command line is quick."""

from __future__ import annotations

from dataclasses import dataclass

from i2cnn.svm import KERNELS
from i2cnn.util.errors import InputError


@dataclass(frozen=True)
class Rival:
    """A method that the network is compared with, on the same faces and folds.

    Parameters
    ----------
    name : str
        Key in RIVALS.
    title : str
        For tables.
    kernels : tuple of {"linear", "polynomial", "rbf"}
        Kernels its SVM is reported with; empty for a rival with a classifier of its own.
    protocol : str
        One sentence: what it is and after whom.
    standardised : bool
        Whether each feature is scaled to mean 0 and deviation 1 over the fitted faces.
    classifier : str
        Name of its own classifier; empty for one with SVMs.
    minutes : float
        About how long a fold of 400 faces takes on one CPU core, if that is minutes; 0 for seconds.
    by_default : bool
        Whether it runs unless others are asked for.
    clips : bool
        Whether it needs all frames of a clip, so that still images cannot be named.
    from_first_frame : bool
        Whether it measures a face from its clip's first frame where there are clips.
    """

    name: str
    title: str
    kernels: tuple[str, ...]
    protocol: str
    standardised: bool = True
    classifier: str = ""
    minutes: float = 0.0
    by_default: bool = True
    clips: bool = False
    from_first_frame: bool = False

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of its methods: its kernels, or its own classifier."""
        return self.kernels or (self.classifier,)


RIVALS = {
    rival.name: rival
    for rival in (
        Rival(
            "pixels",
            "raw pixels",
            ("linear", "rbf"),
            "Floor: the gray values of the aligned face at 55 x 75 pixels, each face at mean 0 and "
            "deviation 1.",
        ),
        Rival(
            "lbp",
            "LBP",
            KERNELS,
            "Histograms of uniform LBP(8, 2), 59 bins in each of 42 regions of 18 x 21 pixels, "
            "after Shan, Gong and McOwan (2009).",
        ),
        Rival(
            "boosted-lbp",
            "boosted LBP",
            KERNELS,
            "LBP histograms of the sub-windows that AdaBoost selects for each expression against "
            "the rest, up to 50 each of 16 065, after Shan, Gong and McOwan (2009).",
        ),
        Rival(
            "gabor",
            "Gabor",
            KERNELS,
            "Magnitudes of 40 Gabor filters, 5 scales by 8 orientations, reduced to 28 x 38, after "
            "Bartlett et al. (2003) as in Shan, Gong and McOwan (2009).",
        ),
        Rival(
            "hog",
            "HOG",
            KERNELS,
            "Histograms of oriented gradients of the network's own patches at 64 pixels, without "
            "mirrored copies: 9 orientations, cells of 8 pixels, blocks of 2 x 2, after Dalal and "
            "Triggs (2005).",
            standardised=False,  # blocks are normalised already
        ),
        Rival(
            "ldp",
            "LDP + template matching",
            (),
            "Local directional patterns in 42 regions, nearest mean histogram of an expression in "
            "weighted chi-square distance, after Jabid, Kabir and Chae (2010).",
            classifier="template",
        ),
        Rival(
            "cspl",
            "CSPL",
            KERNELS,
            "LBP histograms of the patches of an 8 x 8 grid that multi-task group-sparse learning "
            "selects, common to all expressions or specific to one, after Zhong et al. (2012).",
            minutes=2.5,
        ),
        Rival(
            "geometric",
            "geometric features + Gaussian TAN Bayes",
            (),
            "52 facial points, from those of the clip's first frame where there are clips, and a "
            "tree-augmented naive Bayes classifier with Gaussians, after Cohen et al. (2003).",
            classifier="tan",
            from_first_frame=True,
        ),
        Rival(
            "sae",
            "FP + SAE",
            (),
            "Autoencoders stacked on eyes, nose and mouth, placed by the landmarks rather than a "
            "parser, with a logistic layer on top, after Lv, Feng and Xu (2014).",
            classifier="logistic",
        ),
        Rival(
            "bdbn",
            "BDBN",
            (),
            "Deep belief networks on 80 patches, boosted and tuned together for each expression "
            "against the rest, after Liu et al. (2014).",
            classifier="boosted",
            minutes=1.0,
            by_default=False,
        ),
        Rival(
            "itbn",
            "ITBN",
            (),
            "Interval temporal Bayesian networks of the events of facial points in a whole clip, "
            "after Wang, Wang and Ji (2013); each of a clip's peak frames gets the clip's label.",
            classifier="clips",
            minutes=1.0,
            by_default=False,
            clips=True,
        ),
    )
}

#: Those that run unless others are asked for.
DEFAULT_RIVALS = tuple(rival.name for rival in RIVALS.values() if rival.by_default)


def get_rival(name: str) -> Rival:
    """The rival of that name; InputError if there is none."""
    if name not in RIVALS:
        raise InputError(f"unknown rival {name!r}; choose one of {', '.join(RIVALS)}")
    return RIVALS[name]
