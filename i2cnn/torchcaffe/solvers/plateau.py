"""Notices a training that does not start: its loss stays at ln(classes), which is chance."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.layers.loss import normalizer
from i2cnn.torchcaffe.net import CoreNet

#: Tests to wait for, and the fraction of ln(classes) that the loss must fall below in one of them.
TESTS = 3
SHARE = 0.98


class Plateau:
    """Points out, once, that the loss of a training's first tests never left ln(classes)."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def record(self, net: CoreNet, means: dict[str, npt.NDArray[np.float64]]) -> None:
        """Record a test of `net` after some training; `means` are its mean outputs."""
        node = next((n for n in net.nodes if n.layer.type == "SoftmaxWithLoss"), None)
        if node is None or node.top_names[0] not in means or len(self.losses) == TESTS:
            return
        axis, loss = node.layer.param.softmax_param.axis, node.layer.param.loss_param
        classes = node.bottoms[0].shape[axis]
        labels, outer = node.bottoms[1].count, math.prod(node.bottoms[0].shape[:axis])
        inner = labels // max(outer, 1)
        if loss.weight_by_label_freqs or normalizer(loss, outer, inner, labels) != labels:
            return  # no mean over the labels, so not ln(classes) at chance
        chance = math.log(classes)
        self.losses.append(float(means[node.top_names[0]]))
        if len(self.losses) == TESTS and min(self.losses) > SHARE * chance:
            log.warning(
                "solver.cpp",
                f"the loss of the first {TESTS} tests has not left ln({classes}) = {chance:.4g}, "
                "chance: the net has learned nothing so far. Check labels, mean and scale of the "
                'data; try another base_lr, fillers "xavier" or "msra", or more iterations',
            )
