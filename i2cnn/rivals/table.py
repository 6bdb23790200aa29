"""The table of rivals: names, titles, kernels. It loads nothing, so a command line is quick."""

from __future__ import annotations

from dataclasses import dataclass

from i2cnn.util.errors import InputError

KERNELS = ("linear", "polynomial", "rbf")


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
        Kernels its SVM is reported with.
    protocol : str
        One sentence: what it is and after whom.
    standardised : bool
        Whether each feature is scaled to mean 0 and deviation 1 over the fitted faces.
    """

    name: str
    title: str
    kernels: tuple[str, ...]
    protocol: str
    standardised: bool = True


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
    )
}


def get_rival(name: str) -> Rival:
    """The rival of that name; InputError if there is none."""
    if name not in RIVALS:
        raise InputError(f"unknown rival {name!r}; choose one of {', '.join(RIVALS)}")
    return RIVALS[name]
