"""The paper's numbers, in percent, to stand beside ours."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Published:
    """A published accuracy.

    Parameters
    ----------
    method : str
        Name of the method, as in the paper.
    accuracy : float
        In percent.
    tables : tuple of int
        Numbers of the paper's tables that list it.
    ours : str
        Id of the corresponding method here; empty if there is none.
    certain : bool
        False where the paper's columns run together and the number's column is a guess.
    """

    method: str
    accuracy: float
    tables: tuple[int, ...]
    ours: str = ""
    certain: bool = True

    @property
    def text(self) -> str:
        """The accuracy as tables have it, with a question mark unless it is certain."""
        return f"{self.accuracy:g}" + ("" if self.certain else " ?")


def _own(k60: float, k5: float, k1: float, comparison: int) -> tuple[Published, ...]:
    return (
        Published("I2CNN-60", k60, (comparison, 3, 4), "k60_trained"),
        Published("I2CNN-5", k5, (4,), "k5_trained"),
        Published("I2CNN-1 (conventional CNN)", k1, (3, 4), "k1_trained"),
    )


#: The works that Tables 1 and 2 cite, and how they measured, as far as it is known: which pictures,
#: classes and folds, and whether people were kept apart.
PROTOCOLS = {
    "[3]": "Lv, Feng and Xu 2014; pictures, folds and people not known here",
    "[13]": "Cohen et al. 2003; CK, 53 people, frames of clips, 7 classes, people apart",
    "[22]": "Shan, Gong and McOwan 2009; CK, last three frames and the first as neutral, or all of "
    "JAFFE; 6 or 7 classes, 10 folds, people apart",
    "[23]": "Liu et al. 2014; CK+, last three frames, 6 classes, each against the rest, 8 folds, "
    "people apart",
    "[56]": "Zhong et al. 2012; CK+, peak frames, 6 classes, 10 folds, people apart",
    "[57]": "Jabid, Kabir and Chae 2010; CK, last three frames and the first as neutral, 7 "
    "classes; folds and people not known here",
    "[58]": "Wang, Wang and Ji 2013; CK+, whole clips, 7 classes with contempt and without "
    "neutral, 15 folds, people apart",
}

#: (data set, task) -> the paper's rows.
PUBLISHED: dict[tuple[str, str], tuple[Published, ...]] = {
    ("jaffe", "seven"): (
        *_own(75.2806, 70.9825, 62.8602, 1),
        Published("SVM (RBF) + boosted LBP [22]", 81.0, (1,), "rival_boosted-lbp_rbf"),
        Published("SVM (linear) + boosted LBP [22]", 79.8, (1,), "rival_boosted-lbp_linear"),
        Published(
            "SVM (polynomial) + boosted LBP [22]", 79.8, (1,), "rival_boosted-lbp_polynomial"
        ),
    ),
    ("ckplus", "six"): (
        *_own(98.3, 94.7, 92.2, 2),
        Published("BDBN [23]", 96.7, (2,), "rival_bdbn_boosted", certain=False),
        Published("SVM (RBF) + boosted LBP [22]", 95.1, (2,), "rival_boosted-lbp_rbf"),
        Published("SVM (RBF) + LBP [22]", 92.6, (2,), "rival_lbp_rbf"),
        Published("SVM (RBF) + Gabor [22]", 89.8, (2,), "rival_gabor_rbf"),
        Published("CSPL + SVM [56]", 89.9, (2,), "rival_cspl_rbf", certain=False),
    ),
    ("ckplus", "seven"): (
        *_own(96.2, 93.5, 89.7, 2),
        Published("SVM (RBF) + boosted LBP [22]", 91.4, (2,), "rival_boosted-lbp_rbf"),
        Published("FP + SAE [3]", 91.1, (2,), "rival_sae_logistic", certain=False),
        Published("SVM (RBF) + LBP [22]", 88.9, (2,), "rival_lbp_rbf"),
        Published("SVM (RBF) + Gabor [22]", 86.8, (2,), "rival_gabor_rbf"),
        Published("LDP + template matching [57]", 86.9, (2,), "rival_ldp_template", certain=False),
        Published("ITBN [58]", 86.3, (2,), "rival_itbn_clips", certain=False),
        Published(
            "geometric features + Gaussian TAN Bayes [13]",
            73.2,
            (2,),
            "rival_geometric_tan",
            certain=False,
        ),
    ),
}

#: Titles of the paper's tables, in our words.
TABLES = {
    3: "60 patches against one: I2CNN and a conventional CNN",
    4: "number of patches",
}


def published(dataset: str, task: str) -> tuple[Published, ...]:
    """The paper's rows for a data set and task; empty for data the paper did not use."""
    return PUBLISHED.get((dataset, task), ())


def protocol(row: Published) -> str:
    """How a published number was measured, as far as it is known."""
    if row.ours.endswith("_trained"):
        return "this paper; 10 folds, person-independent by our reading"
    found = [text for mark, text in PROTOCOLS.items() if mark in row.method]
    return found[0] if found else "not stated in the paper"
