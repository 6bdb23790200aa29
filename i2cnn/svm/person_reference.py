"""A person's reference in feature space: for single pictures and albums.

What :class:`i2cnn.svm.reference.ReferencedGram` computes on Gram matrices of a data set, for a
person who is met later, from the features of some of their pictures. Nothing here needs
scikit-learn.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn.svm.pair_weights import PairWeights
from i2cnn.util.arrays import AnyArray, Float32Array, Float64Array
from i2cnn.util.errors import InputError
from i2cnn.util.npz import read_npz, write_npz

#: Rounds in which the mix of expressions of people without labels is estimated.
ROUNDS = 2
#: Pictures that show more than this share of all classes have a mean that is fair as it is; what an
#: SVM estimates of their mix would add more error than it removes (benchmarks/references.py).
BROAD = 0.7
#: Sharpness of the softmax that makes a mix of an SVM's scores.
_SHARPNESS = 3.0
#: Least squared scale, as a share of everyone's.
LEAST_SQUARE = 1e-12
#: Fewer pictures have no spread, so they make no reference.
FEWEST_PICTURES = 2
#: Digest of references that belong to no recogniser, to measure with.
NOBODY = "0" * 64
#: Most bytes of the headers and small values of a person's file, besides its mean.
_HEADERS = 4096
#: Largest population's file, unpacked.
_MOST_BYTES = 512 << 20
#: Prefixes of the names of its two SVMs' arrays.
_SVM, _JUDGE = "svm_", "judge_"


@dataclass(frozen=True)
class ReferenceRule:
    """How a reference is made of a person's pictures.

    Parameters
    ----------
    shrinkage : float
        A mean of n pictures counts n / (n + shrinkage); infinite: no reference at all.
    mix : float
        Share of the shown expressions' estimated effect that is taken out of the person's mean,
        0 to 1, unless the pictures show nearly all expressions.
    """

    shrinkage: float
    mix: float = 0.0

    def weight(self, pictures: int) -> float:
        """Weight of the mean of that many pictures, 0 to 1."""
        if pictures == 0 or np.isinf(self.shrinkage):
            return 0.0
        return pictures / (pictures + self.shrinkage)

    def mix_of(self, shown: Float64Array) -> float:
        """The mix for pictures that show these expressions, (pictures, classes) as shares."""
        return self.mix if self.mix and variety(shown) < BROAD * shown.shape[1] else 0.0


@dataclass(frozen=True)
class PersonReference:
    """What a person's features are measured from. It is biometric data: it describes a face.

    Parameters
    ----------
    mean : ndarray of float32, (patches, dim)
        Subtracted from a picture's features.
    scale : float
        Divides what remains.
    count : int
        Pictures that it was made of.
    digest : str
        SHA-256 of the recogniser whose features it belongs to.
    """

    mean: Float32Array
    scale: float
    count: int
    digest: str

    def apply(self, features: Float32Array) -> Float32Array:
        """Features (..., patches, dim) measured from this reference."""
        measured: Float32Array = (features - self.mean) / np.float32(self.scale)
        return measured

    def save(self, path: Path) -> None:
        """Write a file of four arrays in the format of .npz, atomically."""
        arrays: dict[str, AnyArray] = {
            "mean": self.mean,
            "scale": np.array(self.scale),
            "count": np.array(self.count),
            "digest": np.frombuffer(bytes.fromhex(self.digest), np.uint8),
        }
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: Path, shape: tuple[int, ...], digest: str) -> PersonReference:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : Path
        shape : tuple of int
            (patches, dim) of the recogniser that will use it.
        digest : str
            SHA-256 of that recogniser.

        Raises
        ------
        InputError
            Names the file: damaged, too large, of another recogniser, or with values that are not
            finite.
        """
        arrays = read_npz(path, 4 * int(np.prod(shape)) + _HEADERS)
        expected = {
            "mean": (np.dtype(np.float32), shape),
            "scale": (np.dtype(np.float64), ()),
            "count": (np.dtype(np.int64), ()),
            "digest": (np.dtype(np.uint8), (32,)),
        }
        if set(arrays) != set(expected):
            raise InputError(f"{path}: not a reference; `i2cnn enrol` writes one")
        if arrays["digest"].tobytes().hex() != digest:
            raise InputError(
                f"{path}: reference of another recogniser; repeat `i2cnn enrol` with this one"
            )
        found = {name: (array.dtype, array.shape) for name, array in arrays.items()}
        scale, count = arrays["scale"], arrays["count"]
        if found != expected or not np.isfinite(arrays["mean"]).all():
            raise InputError(f"{path}: damaged; repeat `i2cnn enrol`")
        if not (np.isfinite(scale) and scale > 0 and count >= FEWEST_PICTURES):
            raise InputError(f"{path}: damaged; repeat `i2cnn enrol`")
        return cls(arrays["mean"], float(scale), int(count), digest)


@dataclass(frozen=True)
class Population:
    """What references are shrunk towards: values of the people that a recogniser was fitted on.

    Parameters
    ----------
    rule : ReferenceRule
    mean : ndarray of float32, (patches, dim)
        Of their pictures.
    scale : float
        Root mean square of their pictures minus their references.
    effects : ndarray of float32, (classes, patches, dim)
        Mean effect of each class; without classes where the rule has no mix.
    pairs : PairWeights
        The SVM for features measured from a person's reference.
    judge : PairWeights, optional
        The SVM that says what an album shows, where the rule has a mix.
    """

    rule: ReferenceRule
    mean: Float32Array
    scale: float
    effects: Float32Array
    pairs: PairWeights
    judge: PairWeights | None = None

    def reference(self, features: Float32Array, digest: str) -> PersonReference:
        """Reference of a person, from features (pictures, patches, dim) of theirs.

        Raises
        ------
        InputError
            There are fewer than two pictures, or a feature is not finite.
        """
        count = len(features)
        if count < FEWEST_PICTURES:
            raise InputError(f"a reference needs at least {FEWEST_PICTURES} pictures, not {count}")
        if not np.isfinite(features).all():
            raise InputError("features that are not finite make no reference")
        weight = self.rule.weight(count)
        base = (1 - weight) * self.mean + weight * features.mean(axis=0, dtype=np.float64)
        reference = self._around(base, features, digest)
        if self.judge is not None and self.rule.mix:
            for _ in range(ROUNDS):
                shown = self._shown(reference.apply(features))
                effect = np.tensordot(shown.mean(axis=0), self.effects, 1)
                mix = self.rule.mix_of(shown)
                reference = self._around(base - weight * mix * effect, features, digest)
        return reference

    def _around(self, offset: Float64Array, features: Float32Array, digest: str) -> PersonReference:
        """The reference with that offset, and the scale of what the pictures have beyond it."""
        weight, common = self.rule.weight(len(features)), self.scale**2
        mean = offset.astype(np.float32)
        # One picture at a time, so that an album of many is not copied.
        squares = [float(np.square(row - mean, dtype=np.float64).sum()) for row in features]
        square = weight * float(np.mean(squares)) + (1 - weight) * common
        scale = float(np.sqrt(max(square, LEAST_SQUARE * common)))
        return PersonReference(mean, scale, len(features), digest)

    def _shown(self, measured: Float32Array) -> Float64Array:
        """Shares of the classes in each picture, (pictures, classes), as the judge sees them."""
        assert self.judge is not None
        classes = len(self.effects)
        decisions = np.stack([self.judge.decisions(row) for row in measured]).astype(np.float64)
        return shares(one_against_rest(decisions, classes))

    def save(self, path: Path, dtype: type = np.float16) -> None:
        """Write an .npz file, atomically; large arrays as float16 unless told otherwise."""
        arrays: dict[str, AnyArray] = {
            "mean": self.mean.astype(dtype),
            "effects": self.effects.astype(dtype),
            "values": np.array([self.scale, self.rule.shrinkage, self.rule.mix]),
            **{_SVM + name: array for name, array in self.pairs.arrays(dtype).items()},
        }
        if self.judge is not None:
            arrays |= {_JUDGE + name: array for name, array in self.judge.arrays(dtype).items()}
        write_npz(path, arrays)

    @classmethod
    def load(cls, path: Path) -> Population:
        """Read what :meth:`save` wrote; InputError if the file is missing or damaged."""
        arrays = read_npz(path, _MOST_BYTES)
        try:
            if any(arrays[name].dtype.kind != "f" for name in ("mean", "effects", "values")):
                raise ValueError("numbers of other types")
            mean, effects = (arrays[name].astype(np.float32) for name in ("mean", "effects"))
            scale, shrinkage, mix = (float(value) for value in arrays["values"])
            judge = PairWeights.of_arrays(_part(arrays, _JUDGE)) if mix else None
            pairs = PairWeights.of_arrays(_part(arrays, _SVM))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{path}: damaged ({error})") from None
        shapes = {x.shape[1:] for x in (effects, pairs.weights, (judge or pairs).weights)}
        finite = np.isfinite(mean).all() and np.isfinite(effects).all() and np.isfinite(scale)
        if shapes != {mean.shape} or not (finite and scale > 0 and shrinkage >= 0 <= mix <= 1):
            raise InputError(f"{path}: damaged (values that do not go together)")
        return cls(ReferenceRule(shrinkage, mix), mean, scale, effects, pairs, judge)


def _part(arrays: dict[str, AnyArray], prefix: str) -> dict[str, AnyArray]:
    """The arrays whose names begin with a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}


def one_against_rest(decisions: Float64Array, classes: int) -> Float64Array:
    """Score of each class (pictures, classes) from decisions of the pairs, as scikit-learn's SVC.

    Votes of the pairs, plus the sum of the decisions squeezed below one vote; of two classes, the
    decision and its negative.
    """
    if classes == 2:
        return np.concatenate([decisions, -decisions], axis=1)
    votes, sums = np.zeros((2, len(decisions), classes))
    pairs = [(a, b) for a in range(classes) for b in range(a + 1, classes)]
    for (a, b), decision in zip(pairs, decisions.T, strict=True):
        votes[:, a] += decision >= 0
        votes[:, b] += decision < 0
        sums[:, a] += decision
        sums[:, b] -= decision
    scores: Float64Array = votes + sums / (3 * (np.abs(sums) + 1))
    return scores


def variety(shown: Float64Array) -> float:
    """Number of expressions that pictures show, rare ones counting less: exp of the entropy.

    Parameters
    ----------
    shown : ndarray of float, (pictures, classes)
        Share of each class in each picture; the largest counts.
    """
    counts = np.bincount(shown.argmax(axis=1), minlength=shown.shape[1])
    share = counts[counts > 0] / len(shown)
    return float(np.exp(-(share * np.log(share)).sum()))


def shares(scores: Float64Array) -> Float64Array:
    """Softmax of an SVM's scores, (pictures, classes)."""
    powers = np.exp(_SHARPNESS * (scores - scores.max(axis=1, keepdims=True)))
    soft: Float64Array = powers / powers.sum(axis=1, keepdims=True)
    return soft
