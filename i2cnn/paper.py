"""The paper's numbers, in percent, to stand beside ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published accuracy.

    Parameters
    ----------
    method : str
    accuracy : float
        Percent.
    source : str
        Table of the paper.
    certain : bool
        False where the paper's columns run together and the cell's column is a guess.
    """

    method: str
    accuracy: float
    source: str
    certain: bool = True


#: (data set, task) -> the paper's rows.
PUBLISHED: dict[tuple[str, str], tuple[Published, ...]] = {
    ("jaffe", "seven"): (
        Published("I2CNN-60", 75.2806, "Tables 1, 4"),
        Published("I2CNN-5", 70.9825, "Table 4"),
        Published("I2CNN-1 (conventional CNN)", 62.8602, "Tables 3, 4"),
        Published("SVM (RBF) + boosted LBP [22]", 81.0, "Table 1"),
        Published("SVM (linear) + boosted LBP [22]", 79.8, "Table 1"),
        Published("SVM (polynomial) + boosted LBP [22]", 79.8, "Table 1"),
    ),
    ("ckplus", "six"): (
        Published("I2CNN-60", 98.3, "Tables 2, 4"),
        Published("I2CNN-5", 94.7, "Table 4"),
        Published("I2CNN-1 (conventional CNN)", 92.2, "Tables 3, 4"),
        Published("BDBN [23]", 96.7, "Table 2", False),
        Published("SVM (RBF) + boosted LBP [22]", 95.1, "Table 2"),
        Published("SVM (RBF) + LBP [22]", 92.6, "Table 2"),
        Published("SVM (RBF) + Gabor [22]", 89.8, "Table 2"),
        Published("CSPL + SVM [56]", 89.9, "Table 2", False),
    ),
    ("ckplus", "seven"): (
        Published("I2CNN-60", 96.2, "Tables 2, 4"),
        Published("I2CNN-5", 93.5, "Table 4"),
        Published("I2CNN-1 (conventional CNN)", 89.7, "Tables 3, 4"),
        Published("SVM (RBF) + boosted LBP [22]", 91.4, "Table 2"),
        Published("FP + SAE [3]", 91.1, "Table 2", False),
        Published("SVM (RBF) + LBP [22]", 88.9, "Table 2"),
        Published("SVM (RBF) + Gabor [22]", 86.8, "Table 2"),
        Published("LDP + template matching [57]", 86.9, "Table 2", False),
        Published("ITBN [58]", 86.3, "Table 2", False),
        Published("geometric features + Gaussian TAN Bayes [13]", 73.2, "Table 2", False),
    ),
}


def published(dataset: str, task: str) -> tuple[Published, ...]:
    """The paper's rows for a data set and task; empty for data the paper did not use."""
    return PUBLISHED.get((dataset, task), ())
