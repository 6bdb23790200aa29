"""Intervals and tests beside independent references, on problems drawn at random."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, permutation_test, rankdata

from i2cnn.evaluation.methods import RIVAL, Method
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.comparisons import Comparison, Pair, comparisons
from i2cnn.report.paired import Difference, PersonTable, differences, holm, person_table, shares
from i2cnn.report.scores import score
from i2cnn.svm.probabilities import bins, calibration_error, wilson

#: Whether each face of each person is named rightly, by two methods: people, faces, methods.
RIGHTS = st.lists(
    st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=5),
    min_size=2,
    max_size=8,
)


def rows_of(rights: Sequence[Sequence[tuple[bool, ...]]], method: int) -> list[Prediction]:
    """Predictions of a method; each person is a fold's only one."""
    return [
        Prediction(number, f"{number}_{i}.png", f"P{number}", "x", "x" if named[method] else "y")
        for number, faces in enumerate(rights, 1)
        for i, named in enumerate(faces)
    ]


def table_of(rights: Sequence[Sequence[tuple[bool, ...]]]) -> PersonTable:
    return person_table([shares([rows_of(rights, method)]) for method in (0, 1)])


@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilsons_interval_is_scipys(counts: tuple[int, int]) -> None:
    expected = binomtest(*counts).proportion_ci(0.95, "wilson")
    assert wilson(*counts) == pytest.approx((expected.low, expected.high), abs=1e-12)


@settings(deadline=None, max_examples=40)
@given(RIGHTS)
def test_the_exact_test_is_scipys_permutation_test(rights: list[list[tuple[bool, bool]]]) -> None:
    table = table_of(rights)
    (found,) = differences(table, [(0, 1)])
    expected = permutation_test(
        (table.right[:, 1], table.right[:, 0]),
        lambda second, first, axis: (second - first).sum(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert found.p == pytest.approx(expected.pvalue)


@settings(deadline=None, max_examples=40)
@given(RIGHTS)
def test_a_difference_turns_its_sign_with_its_methods(
    rights: list[list[tuple[bool, bool]]],
) -> None:
    there, back = differences(table_of(rights), [(0, 1), (1, 0)])
    scores = [score([rows_of(rights, method)], ["x", "y"]).pooled for method in (0, 1)]
    assert there.value == pytest.approx(scores[1] - scores[0])
    assert back == Difference(
        -there.value, pytest.approx(-there.high), pytest.approx(-there.low), there.p
    )


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=12))
def test_holms_correction_is_its_definition(thousandths: list[int]) -> None:
    """A hypothesis falls at a level if it and all with smaller p values fall, one by one."""
    exact = [Fraction(number, 1000) for number in thousandths]
    corrected = holm([float(p) for p in exact])
    order = sorted(range(len(exact)), key=lambda i: exact[i])
    for level in map(Fraction, ("0.0101", "0.0501", "0.2003", "0.9997")):  # no p value meets one
        fallen = set()
        for place, i in enumerate(order):
            if exact[i] * (len(order) - place) > level:
                break
            fallen.add(i)
        assert {i for i, p in enumerate(corrected) if p < level} == fallen
    assert all(float(p) <= raised <= 1 for p, raised in zip(exact, corrected, strict=True))


@settings(deadline=None, max_examples=40)
@given(RIGHTS)
def test_ranks_are_means_over_people(rights: list[list[tuple[bool, bool]]]) -> None:
    methods = [Method(name, f"rival_{name}", name, RIVAL) for name in ("a", "b")]
    (found,) = comparisons({m: [rows_of(rights, i)] for i, m in enumerate(methods)})
    by_person = [rankdata([-sum(named[i] for named in faces) for i in (0, 1)]) for faces in rights]
    assert [found.ranks[m.id] for m in methods] == pytest.approx(list(np.mean(by_person, axis=0)))


@given(st.data(), st.integers(2, 7))
def test_groups_are_the_largest_runs_without_a_significant_pair(
    data: st.DataObject, number: int
) -> None:
    names = [f"m{i}" for i in range(number)]
    apart = {pair: data.draw(st.booleans()) for pair in itertools.combinations(names, 2)}
    pairs = tuple(
        Pair(*pair, Difference(0, 0, 0, 0), 0.01 if differs else 0.9)
        for pair, differs in apart.items()
    )
    ranks = {name: float(i) for i, name in enumerate(names)}
    runs = [
        names[start:stop]
        for start, stop in itertools.combinations(range(number + 1), 2)
        if stop - start > 1
        and not any(apart[pair] for pair in itertools.combinations(names[start:stop], 2))
    ]
    largest = [run for run in runs if not any(set(run) < set(other) for other in runs)]
    found = Comparison("", 5, 5, ranks, pairs, ()).groups()
    assert sorted(map(list, found)) == sorted(largest)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 2), st.booleans()),
        min_size=1,
        max_size=40,
        unique_by=lambda row: row[:3],
    )
)
def test_scores_of_unequal_seeds_and_folds_are_means_by_hand(
    rows: list[tuple[int, int, int, bool]],
) -> None:
    """Some folds of some seeds are done, with unequal numbers of faces."""
    seeds: dict[int, list[Prediction]] = defaultdict(list)
    hits: dict[int, dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for seed, fold, face, right in sorted(rows):
        name = f"{fold}_{face}.png"
        seeds[seed].append(Prediction(fold + 1, name, f"P{fold}", "x", "x" if right else "y"))
        hits[seed][fold + 1].append(right)
    found = score(list(seeds.values()), ["x", "y"])
    means = {s: {f: np.mean(v) for f, v in folds.items()} for s, folds in hits.items()}
    by_seed = [np.mean(list(m.values())) for m in means.values()]
    assert found.seed_means == pytest.approx(by_seed)
    assert found.mean == pytest.approx(np.mean(list(found.fold_accuracies.values())))
    for fold, value in found.fold_accuracies.items():
        assert value == pytest.approx(np.mean([m[fold] for m in means.values() if fold in m]))
    assert found.pooled == pytest.approx(np.mean([row[3] for row in rows]))
    low, high = found.interval
    assert 0 <= low <= high <= 1
    assert found.confusion.sum() == len(rows)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(2, 7), st.integers(0, 99))
def test_the_calibration_error_is_that_of_all_faces_together(
    sizes: list[int], classes: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    tests = [
        (rng.dirichlet(np.full(classes, 0.3), n), rng.integers(classes, size=n)) for n in sizes
    ]
    probabilities = np.concatenate([p for p, _ in tests])
    truth = np.concatenate([t for _, t in tests])
    best, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    place = np.digitize(best, np.arange(1, 10) / 10)
    expected = sum(
        (place == b).mean() * abs(best[place == b].mean() - right[place == b].mean())
        for b in np.unique(place)
    )
    found = calibration_error([bins(p, t) for p, t in tests])
    assert found == pytest.approx(expected)
