"""Gram matrices against the wide matrix of features."""

from __future__ import annotations

import numpy as np
import pytest

from i2cnn.svm.gram import FoldGram, linear_gram, per_patch_gram, sum_gram
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.util.errors import InputError
from tests.helpers.svm_problems import problem


def test_patches_are_selected_from_their_gram_matrices(tmp_path) -> None:
    features, labels, groups = problem(3)
    np.save(tmp_path / "features.npy", features)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    gram = per_patch_gram(mapped)
    assert gram.dtype == np.float32
    np.testing.assert_allclose(sum_gram(gram), linear_gram(features), rtol=1e-5, atol=1e-4)
    chosen = [4, 0, 2]
    selected = sum_gram(gram, chosen)
    assert selected.dtype == np.float64
    alone = linear_gram(features[:, chosen])
    np.testing.assert_allclose(selected, alone, rtol=1e-5, atol=1e-4)
    a, b = (GramSVC(("linear",), 3).fit_gram(g, labels, groups) for g in (selected, alone))
    assert a.choice_ == b.choice_
    np.testing.assert_array_equal(
        a.predict_gram(selected, np.diag(selected)), b.predict_gram(alone, np.diag(alone))
    )


@pytest.mark.parametrize("columns", [None, np.array([3, 0, 41])])
def test_large_matrices_are_made_by_blocks_on_the_disk(columns, tmp_path, monkeypatch) -> None:
    features = problem(3)[0]
    whole = per_patch_gram(features)
    monkeypatch.setattr("i2cnn.svm.gram.MOST_BYTES", 1000)
    monkeypatch.setattr("i2cnn.svm.gram._BLOCK", 7)
    gram = per_patch_gram(features, columns, tmp_path)
    assert isinstance(gram, np.memmap)
    assert not list(tmp_path.iterdir())  # a kill leaves nothing behind
    np.testing.assert_allclose(gram, whole if columns is None else whole[..., columns], rtol=1e-6)
    monkeypatch.setattr("i2cnn.svm.gram.free_space", lambda folder: 999)
    with pytest.raises(InputError, match=r"Gram matrices of 60 faces take .* choose another --out"):
        per_patch_gram(features, columns, tmp_path)


@pytest.mark.parametrize("patches", [[], [0, 5], [-1], [1, 1]])
def test_a_wrong_selection_of_patches_is_refused(patches: list[int]) -> None:
    with pytest.raises(InputError, match="from 0 to 4 at most once"):
        sum_gram(np.ones((5, 3, 3), np.float32), patches)


def test_a_fold_is_cut_out_of_the_matrix_of_all_faces() -> None:
    features, _, _ = problem(3)
    wide = features.reshape(len(features), -1).astype(np.float64)
    fitted, tested = np.arange(0, 40), np.arange(40, 60)
    cut = FoldGram.of(linear_gram(features), fitted, tested)
    multiplied = FoldGram.of_features(wide[fitted], wide[tested])
    for name in ("fitted", "tested", "diagonal"):
        np.testing.assert_allclose(getattr(cut, name), getattr(multiplied, name), rtol=1e-9)
