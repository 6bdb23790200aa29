"""Gram matrices of fc7 features: all that an SVM needs to know of them.

A face has 60 x 4096 = 245 760 numbers and a data set a thousand faces at most, so the faces' inner
products are computed once, summed over the patches, and used for every C, every gamma and every
inner fold. They are summed in float64: a squared distance is a small difference of large inner
products where faces are alike, and float32 would lose it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from scipy.linalg.blas import dsyrk

from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array, IntArray
from i2cnn.util.errors import InputError
from i2cnn.util.files import free_space

#: Matrices of all patches together that are kept in memory; larger ones are on the disk.
MOST_BYTES = 1 << 30
#: Rows of a Gram matrix that are computed at a time.
_BLOCK = 512


def linear_gram(features: Float32Array) -> Float64Array:
    """Linear Gram matrix of all patches together.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.

    Returns
    -------
    ndarray of float64, (faces, faces)

    Raises
    ------
    InputError
        A face has a feature that is not a finite number.
    """
    number, patches, _ = features.shape
    return summed_products(number, (features[:, p] for p in range(patches)))


def per_patch_gram(
    features: Float32Array, columns: IntArray | None = None, folder: Path | None = None
) -> Float32Array:
    """Linear Gram matrix of each patch, to select patches with :func:`sum_gram`.

    Parameters
    ----------
    features : ndarray of float32, (faces, patches, dim)
        May be memory-mapped; one patch is read at a time.
    columns : ndarray of int, (c,), optional
        Only the products of all faces with these; by default, with all.
    folder : Path, optional
        Where matrices of more than :data:`MOST_BYTES` go, into a file without a name, which
        vanishes with the array; without a folder all stay in memory.

    Returns
    -------
    ndarray of float32, (patches, faces, c)
        Summed in float64, stored in float32: 4 * patches * faces * c bytes. Besides them, one
        patch's features of the columns are in memory, in float64, and a block of rows.

    Raises
    ------
    InputError
        A face has a feature that is not a finite number, or too large a one.
    """
    number, patches, _ = features.shape
    gram = _empty((patches, number, number if columns is None else len(columns)), folder)
    for p in range(patches):
        chosen = features[:, p] if columns is None else features[columns, p]
        others = np.ascontiguousarray(chosen, np.float64)
        squares = np.empty(number)
        for start in range(0, number, _BLOCK):
            block = slice(start, start + _BLOCK)
            rows = np.asarray(features[block, p], np.float64)
            squares[block] = np.einsum("ij,ij->i", rows, rows)
            if columns is None:  # half of the blocks are the other half's mirror images
                products = rows @ others[start:].T
                gram[p, block, start:] = products
                gram[p, start:, block] = products.T
            else:
                gram[p, block] = rows @ others.T
        _check_finite(squares)
    return gram


def _empty(shape: tuple[int, ...], folder: Path | None) -> Float32Array:
    """An array in memory, or on the disk of a folder where it is large."""
    size = 4 * math.prod(shape)
    if folder is None or size <= MOST_BYTES:
        return np.empty(shape, np.float32)
    if size > free_space(folder):
        raise InputError(
            f"{folder}: Gram matrices of {shape[1]} faces take {size / 1e9:.0f} GB, and its disk "
            f"has {free_space(folder) / 1e9:.0f} GB free; choose another --out"
        )
    with TemporaryFile(dir=folder) as file:
        array: Float32Array = np.memmap(file, np.float32, "w+", shape=shape)
    return array


def sum_gram(gram: Float32Array, patches: Iterable[int] | None = None) -> Float64Array:
    """Gram matrix of some patches: they add up.

    Parameters
    ----------
    gram : ndarray of float32, (patches, faces, c)
        From :func:`per_patch_gram`.
    patches : iterable of int, optional
        Positions along the first axis; all by default.

    Returns
    -------
    ndarray of float64, (faces, c)

    Raises
    ------
    InputError
        No position is given, or one is given twice or outside the matrix.
    """
    chosen = range(len(gram)) if patches is None else list(patches)
    if len(set(chosen)) < len(chosen) or not chosen or not set(chosen) <= set(range(len(gram))):
        raise InputError(
            f"patches {list(chosen)} are not a selection of the {len(gram)} in the Gram matrix; "
            f"give each position from 0 to {len(gram) - 1} at most once, and at least one"
        )
    total = np.zeros(gram.shape[1:])
    for p in chosen:
        total += gram[p]
    return total


def balanced_sum(grams: Sequence[Float64Array], fitted: IntArray) -> Float64Array:
    """Gram matrix of several kinds of features together, each with the same spread.

    Parameters
    ----------
    grams : sequence of ndarray of float64, (n, n)
        At least one.
    fitted : ndarray of int
        Pictures whose mean is subtracted, and whose mean square is scaled to 1.

    Returns
    -------
    ndarray of float64, (n, n)
    """
    total = np.zeros_like(grams[0])
    for gram in grams:
        mean = gram[:, fitted].mean(axis=1)
        centred = gram - mean[:, None] - mean[None] + mean[fitted].mean()
        total += centred / mean_square(np.diag(centred)[fitted])
    return total


def mean_square(squares: Float64Array) -> float:
    """Mean of faces' inner products with themselves, to divide by: 1 where all of them are 0."""
    return float(squares.mean()) or 1.0


def summed_products(faces: int, blocks: Iterable[Float32Array]) -> Float64Array:
    """Inner products (faces, faces) of the rows of blocks (faces, dim), summed over the blocks."""
    upper = np.zeros((faces, faces), order="F")
    for block in blocks:
        rows = np.ascontiguousarray(block, np.float64)
        # rows.T is in the order BLAS wants, so nothing is copied on the way.
        upper = dsyrk(1.0, rows.T, beta=1.0, c=upper, trans=1, overwrite_c=1)
    _check_finite(np.diag(upper))
    symmetric: Float64Array = upper + np.triu(upper, 1).T
    return symmetric


def _check_finite(squares: Float64Array) -> None:
    """InputError unless all faces' products with themselves, and so their features, are finite."""
    bad = np.flatnonzero(~(squares <= np.finfo(np.float32).max))
    if len(bad):
        raise InputError(
            f"the features of {len(bad)} of {len(squares)} faces are not finite numbers, or too "
            f"large; the first is in row {bad[0]}, counted from 0: extract them again"
        )


@dataclass(frozen=True)
class FoldGram:
    """Inner products of one fold, whose faces are fitted or tested.

    Parameters
    ----------
    fitted : ndarray of float64, (n, n)
        Of the fitted faces.
    tested : ndarray of float64, (m, n)
        Of tested faces with fitted ones.
    diagonal : ndarray of float64, (m,)
        Of the tested faces with themselves.
    """

    fitted: Float64Array
    tested: Float64Array
    diagonal: Float64Array

    @classmethod
    def of(cls, gram: Float64Array, fitted: IntArray, tested: IntArray) -> FoldGram:
        """Cut a fold out of the Gram matrix of all faces; the sides are positions in it."""
        return cls(
            gram[np.ix_(fitted, fitted)],
            gram[np.ix_(tested, fitted)],
            np.diag(gram)[tested],
        )

    @classmethod
    def of_features(cls, fitted: AnyArray, tested: AnyArray) -> FoldGram:
        """Multiply the features (n, dim) of fitted and (m, dim) of tested faces, as they are.

        In their own dtype: float32 is enough where faces differ by as much as their features are
        long, which those of rivals do.
        """
        return cls(
            (fitted @ fitted.T).astype(np.float64),
            (tested @ fitted.T).astype(np.float64),
            np.einsum("ij,ij->i", tested, tested).astype(np.float64),
        )
