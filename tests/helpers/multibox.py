"""SSD's MultiBoxLoss as plain loops over NumPy arrays, with the background as class 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tests.helpers.detection import Array, area, decode, encode, jaccard, smooth_l1, suppress

#: True box by box and column of the locations.
Pairs = dict[tuple[int, int], int]


@dataclass
class MultiBox:
    """The layer's settings; `nms` is threshold, top_k and whether it is of the priors."""

    classes: int
    shared: bool = True
    code: str = "CORNER"
    in_target: bool = False
    threshold: float = 0.5
    match: str = "PER_PREDICTION"
    by_prior: bool = True
    inside: bool = False
    bp_inside: bool = False
    mining: str = "MAX_NEGATIVE"
    ratio: float = 3
    neg_overlap: float = 0.5
    samples: int = 64
    nms: tuple[float, int, bool] | None = None
    logistic: bool = False
    l2: bool = False
    agnostic: bool = False
    difficult: bool = True
    loc_weight: float = 1
    normalization: str = "VALID"

    def loss(self, bottoms: Sequence[Array]) -> float:
        """The top."""
        self.priors, variances = bottoms[2].reshape(2, -1, 4).astype(float)
        ones = np.ones_like(variances)
        self.coded, self.spread = (ones, variances) if self.in_target else (variances, ones)
        images, count = len(bottoms[0]), len(self.priors)
        total, matched = 0.0, 0
        for image in range(images):
            rows = [r for r in bottoms[3].reshape(-1, 8).astype(float) if r[0] == image]
            rows = [r for r in rows if self.difficult or not r[7]]
            self.labels = [1 if self.agnostic else int(r[1]) for r in rows]
            self.truth = np.array([r[3:7] for r in rows]).reshape(-1, 4)
            self.loc = bottoms[0][image].reshape(count, -1, 4).astype(float)
            self.scores = bottoms[1][image].reshape(count, self.classes).astype(float)
            self.boxes = [
                np.array([decode(self.loc[i, c], *of, self.code) for i, of in enumerate(priors)])
                for c in range(self.loc.shape[1])
                for priors in [list(zip(self.priors, self.coded, strict=True))]
            ]
            pairs, confidence = self._image(count)
            location = sum(self._location(i, c, j) for (i, c), j in pairs.items())
            total += self.loc_weight * location + confidence
            matched += len(pairs)
        by_mode = {"VALID": matched, "FULL": images * count, "BATCH_SIZE": images, "NONE": 1}
        return total / max(by_mode[self.normalization], 1)

    def _image(self, count: int) -> tuple[Pairs, float]:
        """Pairs that count, and the loss of the classes."""
        found, most = self._found()
        pairs = {(i, c): j for c, one in found.items() for i, j in enumerate(one) if j >= 0}
        if self.mining == "NONE":
            return pairs, sum(self._without_mining(i, pairs) for i in range(count))
        if not self.labels:
            return pairs, 0.0
        loss = []
        for i in range(count):
            j = pairs.get((i, 0))
            loss.append(self._class_loss(i, 0 if j is None else self.labels[j]))
            if j is not None and self.mining == "HARD_EXAMPLE":
                loss[-1] += self._location(i, 0, j)
        hard, number = list(range(count)), self.samples
        if self.mining == "MAX_NEGATIVE":
            hard = [i for i in hard if found[0][i] == -1 and most[i] < self.neg_overlap]
            number = int(len(pairs) * self.ratio)
        hard.sort(key=lambda i: -loss[i])
        if self.nms:
            pool = self.priors if self.nms[2] else self.boxes[0]
            large = [i for i in hard[: self.nms[1]] if area(pool[i]) >= 1e-5]
            hard = suppress(large, pool, self.nms[0])
        chosen = set(hard[:number])
        if self.mining == "HARD_EXAMPLE":
            pairs = {(i, c): j for (i, c), j in pairs.items() if i in chosen}
        positive = sum(self._class_loss(i, self.labels[j]) for (i, _), j in pairs.items())
        negative = sum(self._class_loss(i, 0) for i in chosen if found[0][i] == -1)
        return pairs, positive + negative

    def _found(self) -> tuple[dict[int, list[int]], list[float]]:
        """True boxes by column and box (-1: none, -2: ignored), and the largest overlaps."""
        found, most = {}, [0.0] * len(self.priors)
        for c in range(self.loc.shape[1]) if self.labels else ():
            own = [j for j, label in enumerate(self.labels) if self.shared or label == c]
            if self.by_prior:
                one, most = self._match(self.priors, self.truth)
                found[c] = one if self.shared else [j if j in own else -1 for j in one]
            elif own:
                one, most = self._match(self.boxes[c], self.truth[own])
                found[c] = [own[j] if j >= 0 else j for j in one]
        return found, most

    def _match(self, boxes: Array, truth: Array) -> tuple[list[int], list[float]]:
        found, most = [-1] * len(boxes), [0.0] * len(boxes)
        pairs = {}
        for i, box in enumerate(boxes):
            if self.inside and (min(box) < 0 or max(box) > 1):
                found[i] = -2
                continue
            for j, true in enumerate(truth):
                pairs[i, j] = jaccard(box, true)
                most[i] = max(most[i], pairs[i, j])
        left = {pair: value for pair, value in pairs.items() if value > 1e-6}
        while left:
            i, j = max(left, key=lambda pair: left[pair])
            found[i] = j
            left = {pair: value for pair, value in left.items() if pair[0] != i and pair[1] != j}
        for i in range(len(boxes)) if self.match == "PER_PREDICTION" else ():
            own = {j: v for (box, j), v in pairs.items() if box == i and v >= self.threshold}
            if found[i] == -1 and own:
                found[i] = max(own, key=lambda j: own[j])
        return found, most

    def _location(self, i: int, c: int, j: int) -> float:
        target = encode(self.truth[j], self.priors[i], self.coded[i], self.code)
        box = self.priors[i] if self.by_prior else self.boxes[c][i]
        total = 0.0
        for k in range(4):
            d = (self.loc[i, c, k] - target[k]) / self.spread[i, k]
            if not self.bp_inside or 0 <= box[k] <= 1:
                total += d * d / 2 if self.l2 else smooth_l1(d)
        return total

    def _class_loss(self, i: int, label: int) -> float:
        scores = self.scores[i]
        if self.logistic:
            return _logistic_loss(scores, {label})
        return float(np.log(np.exp(scores - scores[label]).sum()))

    def _without_mining(self, i: int, pairs: Pairs) -> float:
        own = [self.labels[j] for (box, _), j in sorted(pairs.items()) if box == i]
        if self.logistic:
            return _logistic_loss(self.scores[i], set(own))
        return self._class_loss(i, own[-1] if own else 0)


def _logistic_loss(scores: Array, ones: set[int]) -> float:
    return sum(math.log1p(math.exp(-s if c in ones else s)) for c, s in enumerate(scores))
