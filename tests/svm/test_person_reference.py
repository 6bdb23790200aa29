"""References in feature space: the same numbers as in Gram matrices, files, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.svm.album import Album
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import linear_gram
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.svm.pair_weights import PairWeights
from i2cnn.svm.person_reference import PersonReference, Population, ReferenceRule, variety
from i2cnn.svm.population_fit import fit_by_rule, fit_population, fit_references
from i2cnn.svm.reference import People, ReferencedGram
from i2cnn.util.errors import InputError

DIGEST = "5a" * 32
RULES = [ReferenceRule(0.0), ReferenceRule(3.0), ReferenceRule(1.0, 0.5), ReferenceRule(np.inf)]


def some_people(classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pictures (n, 3, 5) of ten people, who show every class twice: features, labels, people."""
    rng = np.random.default_rng(seed)
    persons, expressions = 2 * rng.normal(size=(10, 3, 5)), rng.normal(size=(classes, 3, 5))
    people = np.repeat(np.arange(10), 2 * classes)
    labels = np.tile(np.arange(classes), 20)
    features = persons[people] + expressions[labels] + 0.5 * rng.normal(size=(len(people), 3, 5))
    return features.astype(np.float32), labels, people


def fitted_to_three_classes() -> Population:
    features, labels, people = some_people(3)
    return fit_by_rule(features, FittedFaces(labels, people), ReferenceRule(2.0, 0.5)).population


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_features_are_measured_as_in_gram_matrices(rule: ReferenceRule, classes: int) -> None:
    features, labels, people = some_people(classes)
    fitted = people < 9
    fit = fit_by_rule(features[fitted], FittedFaces(labels[fitted], people[fitted]), rule)
    reference = fit.population.reference(features[~fitted], DIGEST)
    decisions = [fit.population.pairs.decisions(x) for x in reference.apply(features[~fitted])]

    centred = features - features[fitted].mean(axis=0)
    gram = ReferencedGram(linear_gram(centred), People(Album(people), labels, fitted), rule)
    gram.settle(labels[fitted])
    fold = gram.fold()
    svm = GramSVC(("linear",)).fit_gram(fold.fitted, labels[fitted], people[fitted])
    svm.svc_.decision_function_shape = "ovo"
    expected = svm.svc_.decision_function(fold.tested / svm.scale_).reshape(len(decisions), -1)
    sign = -1 if classes == 2 else 1  # of scikit-learn's two-class decisions
    np.testing.assert_allclose(decisions, sign * expected, rtol=2e-3, atol=2e-3)


def test_a_rule_is_chosen_and_names_a_new_person() -> None:
    features, labels, people = some_people(4)
    fitted = people < 9
    fit = fit_population(features[fitted], FittedFaces(labels[fitted], people[fitted]))
    measured = fit.population.reference(features[~fitted], DIGEST).apply(features[~fitted])
    pairs = fit.population.pairs
    named = [pairs.scores(pairs.decisions(x), 4).argmax() for x in measured]
    assert np.mean(named == labels[~fitted]) == 1
    assert not np.isinf(fit.population.rule.shrinkage)


def test_only_judged_people_are_calibrated_on() -> None:
    """Labels of the others are drawn at random, so their decisions would make it less sure."""
    features, labels, people = some_people(4)
    judged = people < 6
    labels = np.where(judged, labels, np.random.default_rng(0).permutation(labels))
    rows = np.arange(len(labels))
    slopes = [
        fit_references(features, rows, FittedFaces(labels, people, counted), RULES[0]).pairs.slope
        for counted in (judged, ~judged)
    ]
    assert slopes[0] is not None
    assert slopes[1] is not None
    assert slopes[0] > 2 * slopes[1]


def test_a_population_is_read_as_it_was_saved(tmp_path: Path) -> None:
    saved = fitted_to_three_classes()
    saved.save(tmp_path / "reference.npz", np.float32)
    found = Population.load(tmp_path / "reference.npz")
    assert (found.rule, found.scale) == (saved.rule, saved.scale)
    np.testing.assert_array_equal(found.mean, saved.mean)
    np.testing.assert_array_equal(found.effects, saved.effects)
    np.testing.assert_array_equal(found.pairs.weights, saved.pairs.weights)
    np.testing.assert_array_equal(found.judge.weights, saved.judge.weights)


def test_half_precision_keeps_the_answers(tmp_path: Path) -> None:
    features, labels, people = some_people(4)
    saved = fit_by_rule(features, FittedFaces(labels, people), ReferenceRule(1.0, 0.5)).population
    # As small as those of real features, which float16 alone would round to nothing.
    small = replace(saved.pairs, weights=saved.pairs.weights * np.float32(1e-6))
    replace(saved, pairs=small).save(tmp_path / "reference.npz")
    found = Population.load(tmp_path / "reference.npz").pairs
    np.testing.assert_allclose(found.weights, small.weights, rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize("change", ["mean", "effects", "values", "svm_weights", "judge_weights"])
def test_a_population_that_does_not_fit_together_is_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "reference.npz"
    fitted_to_three_classes().save(path)
    with np.load(path) as file:
        arrays = dict(file)
    for spoilt in (arrays[change][..., :-1], np.full_like(arrays[change], np.nan)):
        np.savez(path, **arrays | {change: spoilt})
        with pytest.raises(InputError, match=r"reference\.npz: damaged"):
            Population.load(path)


def some_reference() -> PersonReference:
    mean = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    return PersonReference(mean, 1.5, 7, DIGEST)


def test_a_reference_is_read_as_it_was_saved(tmp_path: Path) -> None:
    some_reference().save(tmp_path / "anna.ref")
    found = PersonReference.load(tmp_path / "anna.ref", (3, 5), DIGEST)
    assert (found.scale, found.count, found.digest) == (1.5, 7, DIGEST)
    np.testing.assert_array_equal(found.mean, some_reference().mean)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mean": np.full((3, 5), np.nan, np.float32)}, "damaged"),
        ({"mean": np.full((3, 5), np.inf, np.float32)}, "damaged"),
        ({"mean": np.zeros((3, 4), np.float32)}, "damaged"),
        ({"mean": np.zeros((3, 5), np.uint16)}, "damaged"),
        ({"mean": np.zeros((3000, 5), np.float32)}, "more than the 0.0 MB"),
        ({"scale": np.float64(0)}, "damaged"),
        ({"scale": np.float64(np.nan)}, "damaged"),
        ({"count": np.int64(1)}, "damaged"),
        ({"digest": np.zeros(32, np.uint8)}, "reference of another recogniser"),
        ({"digest": np.zeros(3, np.uint8)}, "reference of another recogniser"),
        ({"more": np.zeros(3)}, "not a reference"),
        ({"mean": np.array([{}, {}])}, "damaged, or not an .npz file"),
    ],
)
def test_a_spoilt_reference_is_refused(tmp_path: Path, change: dict, message: str) -> None:
    path = tmp_path / "anna.npz"
    some_reference().save(path)
    with np.load(path) as file:
        np.savez(path, **dict(file) | change)
    with pytest.raises(InputError, match=f"anna.npz: .*{message}"):
        PersonReference.load(path, (3, 5), DIGEST)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04broken"])
def test_what_is_no_npz_file_is_no_reference(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "anna.ref").write_bytes(content)
    with pytest.raises(InputError, match=r"anna\.ref: damaged, or not an \.npz file"):
        PersonReference.load(tmp_path / "anna.ref", (3, 5), DIGEST)


@pytest.mark.parametrize("count", [0, 1])
def test_a_reference_of_one_picture_is_refused(count: int) -> None:
    features, labels, people = some_people(2)
    population = fit_by_rule(features, FittedFaces(labels, people), ReferenceRule(0.0)).population
    with pytest.raises(InputError, match="at least 2 pictures"):
        population.reference(features[:count], DIGEST)


def test_features_that_are_not_finite_make_no_reference() -> None:
    features, labels, people = some_people(2)
    population = fit_by_rule(features, FittedFaces(labels, people), ReferenceRule(0.0)).population
    with pytest.raises(InputError, match="not finite"):
        population.reference(features[:4] * np.float32(np.nan), DIGEST)


def test_equal_pictures_have_a_scale_above_zero() -> None:
    features, labels, people = some_people(2)
    population = fit_by_rule(features, FittedFaces(labels, people), ReferenceRule(0.0)).population
    reference = population.reference(features[[0, 0, 0]], DIGEST)
    assert reference.scale > 0
    assert np.isfinite(reference.apply(features[0])).all()


def test_a_clear_decision_outweighs_two_narrow_ones() -> None:
    pairs = PairWeights(
        np.zeros((3, 1, 1), np.float32),
        np.zeros(3, np.float32),
        np.array([[0, 1], [0, 2], [1, 2]]),
    )
    scores = pairs.scores(np.array([0.1, 0.1, 5.0], np.float32), 3)
    assert scores.sum() == pytest.approx(1)
    # Class 0 wins two pairs by a hair, class 1 one of them by far.
    assert scores.argmax() == 1


def test_variety_counts_expressions_by_how_often_they_are_shown() -> None:
    assert variety(np.eye(4)) == pytest.approx(4)
    assert variety(np.eye(4)[[0, 0, 0]]) == pytest.approx(1)
    assert 1 < variety(np.eye(4)[[0, 0, 0, 1]]) < 2


def test_an_album_of_nearly_all_expressions_keeps_its_plain_mean() -> None:
    features, labels, people = some_people(4)
    fitted = people < 9
    populations = [
        fit_by_rule(features[fitted], FittedFaces(labels[fitted], people[fitted]), rule).population
        for rule in (ReferenceRule(1.0), ReferenceRule(1.0, 1.0))
    ]
    whole, part = features[~fitted], features[~fitted][labels[~fitted] < 2]
    plain, mixed = (p.reference(whole, DIGEST).mean for p in populations)
    np.testing.assert_allclose(plain, mixed, atol=1e-5)
    plain, mixed = (p.reference(part, DIGEST).mean for p in populations)
    assert not np.allclose(plain, mixed, atol=0.1)
