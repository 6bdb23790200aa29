"""BN: batch normalisation with scale and shift, of two forks that differ in all but the name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.layer import Layer, Shape, register_dialect
from i2cnn.torchcaffe.proto import BNParameter, FillerParameter

_SEGNET = frozenset({"scale_filler", "shift_filler", "bn_mode"})
_SEGNET_EPS = 1e-9


@register_dialect("BN")
class BN(Layer):
    """Batch normalisation with scale and shift. Which of two forks is meant, its settings tell.

    SegNet (scale_filler, shift_filler, bn_mode): parameters scale and shift, (1, C, 1, 1).
    bn_mode LEARN takes the statistics of the batch in both phases, more tops are its mean and
    variance; INFERENCE is x scale + shift, into which the statistics are folded.

    PSPNet (slope_filler, bias_filler, momentum, eps, frozen): parameters slope, bias, and mean and
    variance gathered with `momentum`, (1, C). TEST, and TRAIN if frozen, take the latter two.
    """

    tops = (1, 3)
    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.bn_param
        given = {field.name for field, _ in p.ListFields()}
        self.segnet = given <= _SEGNET
        if not given or (given & _SEGNET and not self.segnet):
            raise self.fail(
                "bn_param must have settings of SegNet (bn_mode, scale_filler, shift_filler) or of "
                "PSPNet (eps, momentum, frozen, slope_filler, bias_filler), which differ"
            )
        self.learns = self.segnet and p.bn_mode == BNParameter.LEARN
        if len(self.param.top) > 1 and not self.learns:
            raise self.fail("only SegNet's BN in bn_mode LEARN has more tops, mean and variance")
        channels = self._channels(shapes[0])
        if self.segnet:
            self.add_param((1, channels, 1, 1), p.scale_filler)
            self.add_param((1, channels, 1, 1), p.shift_filler)
            return
        zero = FillerParameter(type="constant", value=0)
        one = FillerParameter(type="constant", value=float(p.frozen))
        for filler in (p.slope_filler, p.bias_filler, zero, one):
            self.add_param((1, channels), filler)
        while len(self.param.param) < 4:
            self.param.param.add()
        for spec in self.param.param[0 if p.frozen else 2 :]:
            spec.lr_mult = spec.decay_mult = 0

    def _channels(self, shape: Shape) -> int:
        if len(shape) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shape}")
        return shape[1]

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        found, channels = self._channels(shapes[0]), self.blobs[0].count
        if found != channels:
            raise self.fail(f"the bottom has {found} channels, the parameters are for {channels}")
        return [shapes[0], (1, channels, 1, 1), (1, channels, 1, 1)][: len(self.param.top)]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        scale, shift, *gathered = (weight.reshape(1, -1, 1, 1) for weight in self.weights)
        if self.segnet and not self.learns:
            return [x * scale + shift]
        if not self.segnet and (self.param.bn_param.frozen or not self.context.train):
            mean, variance = (statistic.detach() for statistic in gathered)
        else:
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0, keepdim=True)
            if gathered and not self.recomputing:
                self._gather(mean.detach(), variance.detach())
        eps = _SEGNET_EPS if self.segnet else self.param.bn_param.eps
        tops = [(x - mean) / torch.sqrt(variance + eps) * scale + shift]
        return [*tops, mean.detach(), variance.detach()][: len(self.param.top)]

    def _gather(self, mean: Tensor, variance: Tensor) -> None:
        """Let a batch's mean and biased variance enter the gathered ones."""
        momentum = self.param.bn_param.momentum
        with torch.no_grad():
            for blob, value in zip(self.blobs[2:], (mean, variance), strict=True):
                blob.tensor.mul_(momentum).add_(value.reshape(blob.shape), alpha=1 - momentum)
