"""One colour per method."""

from __future__ import annotations

from i2cnn.evaluation.methods import Method
from i2cnn.report.colours import colours
from i2cnn.rivals import RIVALS


def test_kernels_share_a_colour_and_rivals_do_not() -> None:
    methods = [Method(k, f"rival_{r}_{k}", "", "rival") for r in RIVALS for k in ("rbf", "linear")]
    found = colours(methods)
    assert len(set(found.values())) == len(RIVALS)
    assert all(found[f"rival_{r}_rbf"] == found[f"rival_{r}_linear"] for r in RIVALS)


def test_a_colour_does_not_depend_on_the_other_rivals_of_a_run() -> None:
    gabor = Method("rbf", "rival_gabor_rbf", "", "rival")
    others = [Method("rbf", f"rival_{name}_rbf", "", "rival") for name in ("lbp", "hog")]
    assert colours([gabor]) == {k: v for k, v in colours([*others, gabor]).items() if k == gabor.id}


def test_networks_are_told_apart_by_their_patches_and_by_training() -> None:
    ids = [
        "k60_trained",
        "k5_trained",
        "k1_trained",
        "k60_untrained",
        "k60_trained_hog",
        "k60_vote",
    ]
    groups = ["trained", "trained", "trained", "untrained", "fused", "vote"]
    counts = [60, 5, 1, 60, 60, 60]
    methods = [Method("", i, "", g, k) for i, g, k in zip(ids, groups, counts, strict=True)]
    assert len(set(colours(methods).values())) == len(ids)
    whole, part = Method("", "k60_trained", "", "trained", 60), Method("", "p", "", "region", 60)
    found = colours([whole, part])
    assert found["k60_trained"] == found["p"]


def test_a_rival_of_a_later_version_is_drawn() -> None:
    assert colours([Method("rbf", "rival_unknown_rbf", "", "rival")])
