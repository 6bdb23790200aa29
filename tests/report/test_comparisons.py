"""All methods compared with each other."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.comparisons import CHANCE, Comparison, Pair, comparisons
from i2cnn.report.paired import Difference

NETWORK = Method("trained", "k60_trained", "I2CNN-60", "trained", 60)
FEWER = Method("trained", "k5_trained", "I2CNN-5", "trained", 5)
RIVAL = Method("rbf", "rival_lbp_rbf", "LBP", "rival")
REGION = Method("region_nose", "k60_region_nose", "only the nose", "region", 60)
PEOPLE = 8


def rows_of(right: int) -> list[list[Prediction]]:
    """Eight people with four faces of two labels, of which so many are named rightly."""
    return [
        [
            Prediction(1, f"{p}_{i}", f"{p}", "xxxy"[i], "xxxy"[i] if i < right else "yyyx"[i])
            for p in range(PEOPLE)
            for i in range(4)
        ]
    ]


def of(*methods: tuple[Method, int]) -> Comparison:
    (found,) = comparisons({method: rows_of(right) for method, right in methods})
    return found


def test_every_two_methods_are_a_pair() -> None:
    found = of((NETWORK, 4), (FEWER, 2), (RIVAL, 1), (REGION, 4))
    assert (found.people, found.faces) == (PEOPLE, 4 * PEOPLE)
    assert found.ranks == {"k60_trained": 1, "k5_trained": 2, "rival_lbp_rbf": 3}
    assert [(p.first, p.second, p.difference.value) for p in found.pairs] == [
        ("k60_trained", "k5_trained", 0.5),
        ("k60_trained", "rival_lbp_rbf", 0.75),
        ("k5_trained", "rival_lbp_rbf", 0.25),
    ]
    assert {p.difference.p for p in found.pairs} == {2 / 2**PEOPLE}
    assert {p.p_holm for p in found.pairs} == {3 * 2 / 2**PEOPLE}


def test_the_network_with_the_most_patches_is_set_against_each_other_and_chance() -> None:
    found = of((FEWER, 2), (NETWORK, 4), (RIVAL, 3))
    assert [p.second for p in found.network] == ["k5_trained", "rival_lbp_rbf", CHANCE]
    chance = found.against(CHANCE)
    assert chance is not None
    assert chance.difference.value == 0.25  # always naming x is right three times in four


def test_rivals_alone_have_pairs_only() -> None:
    found = of((RIVAL, 3), (Method("linear", "rival_hog_linear", "HOG", "rival"), 3))
    assert found.network == ()
    assert found.ranks["rival_lbp_rbf"] == 1.5


def test_a_single_method_has_chance_to_beat() -> None:
    found = of((NETWORK, 4))
    assert found.pairs == ()
    assert [p.second for p in found.network] == [CHANCE]
    assert comparisons({RIVAL: rows_of(4)}) == ()


def test_references_are_compared_among_themselves() -> None:
    referenced = Method(
        "trained_person", "k60_trained_person", "I2CNN-60", "trained", 60, "", "person"
    )
    found = comparisons({NETWORK: rows_of(3), referenced: rows_of(4)})
    assert [c.reference for c in found] == ["", "person"]
    assert all(c.pairs == () for c in found)


def test_a_single_person_is_not_compared() -> None:
    alone = [[p for p in rows_of(4)[0] if p.subject == "0"]]
    assert comparisons({NETWORK: alone, RIVAL: alone}) == ()


def test_equal_shares_over_seeds_are_equal_ranks() -> None:
    """Of fifteen faces each is named rightly by one seed of three; 15 thirds are less than 5."""

    def seed(rights: set[int]) -> list[Prediction]:
        return [
            Prediction(1, f"{p}_{i}", p, "x", "x" if i in rights else "y")
            for p in "AB"
            for i in range(15)
        ]

    three = [seed(set(range(first, 15, 3))) for first in range(3)]
    (found,) = comparisons({NETWORK: three, RIVAL: three[:1]})
    assert set(found.ranks.values()) == {1.5}


@pytest.mark.filterwarnings("error")
def test_methods_that_tested_other_people_are_not_compared() -> None:
    first, second = ([[p for p in rows_of(3)[0] if p.subject in who]] for who in ("012", "345"))
    assert comparisons({NETWORK: first, RIVAL: second}) == ()


@pytest.mark.parametrize(
    ("apart", "groups"),
    [
        ("", [("a", "b", "c")]),
        ("ac", [("a", "b"), ("b", "c")]),
        ("ab ac", [("b", "c")]),
        ("ab ac bc", []),
    ],
)
def test_groups_join_what_does_not_differ(apart: str, groups: list[tuple[str, ...]]) -> None:
    ranks: Mapping[str, float] = {"c": 3, "a": 1, "b": 2}
    pairs = tuple(
        Pair(a, b, Difference(0, 0, 0, 0), 0.01 if a + b in apart else 0.5)
        for a, b in ("ab", "ac", "bc")
    )
    assert Comparison("", 3, 3, ranks, pairs, ()).groups() == groups
