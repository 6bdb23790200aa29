"""Weight vectors of pairs of classes: stored, and refused if damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from i2cnn.svm.pair_weights import PairWeights
from i2cnn.util.errors import InputError


def some_weights() -> PairWeights:
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((3, 2, 4)).astype(np.float32)
    return PairWeights(weights, np.ones(3, np.float32), np.array([[0, 1], [0, 2], [1, 2]]))


def test_weights_are_read_as_they_were_saved(tmp_path: Path) -> None:
    saved = some_weights()
    saved.save(tmp_path / "svm.npz")
    found = PairWeights.load(tmp_path / "svm.npz")
    for name in ("weights", "intercepts", "pairs"):
        np.testing.assert_array_equal(getattr(found, name), getattr(saved, name))


def test_contributions_add_up_to_the_decision() -> None:
    pairs = some_weights()
    features = np.random.default_rng(1).standard_normal((2, 4)).astype(np.float32)
    expected = pairs.contributions(features).sum(axis=1) + 1
    np.testing.assert_allclose(pairs.decisions(features), expected, rtol=1e-6)


def test_a_pair_too_few_is_refused(tmp_path: Path) -> None:
    pairs = some_weights()
    replace(pairs, pairs=pairs.pairs[:-1]).save(tmp_path / "svm.npz")
    with pytest.raises(InputError, match=r"svm\.npz: not one weight vector per pair of classes"):
        PairWeights.load(tmp_path / "svm.npz")


@pytest.mark.parametrize("content", [b"", b"no zip file"])
def test_what_is_no_npz_file_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "svm.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"svm\.npz: damaged"):
        PairWeights.load(tmp_path / "svm.npz")
