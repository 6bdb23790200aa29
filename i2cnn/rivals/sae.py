"""Stacked autoencoders on facial components (Lv, Feng and Xu 2014).

Y. Lv, Z. Feng and C. Xu, *Facial expression recognition via deep learning*, SMARTCOMP 2014: a
parser locates the components of a face, and a stack of autoencoders on their pixels, each trained
on what the one below makes of them, is tuned as a whole by a logistic layer on top.

The source's parser is a deep belief network that was never released; here the components are placed
by the landmarks (:mod:`i2cnn.rivals.components`). It leaves open the sizes of the layers and the
training. Here two layers of 400 and 150 sigmoid units; each autoencoder sees a tenth of its inputs
set to 0 (Vincent et al. 2008) and has its decoder's weights tied to its encoder's; Adam, 40 passes
per layer and 80 passes of tuning, with weight decay; every pass also sees mirrored faces.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from i2cnn.rivals.components import COMPONENTS
from i2cnn.rivals.rbm import batches
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import Float32Array, IntArray

LAYERS = (400, 150)
PASSES, TUNING_PASSES = 40, 80
BATCH = 64
_RATE, _TUNING_RATE, _DECAY, _MASKED = 1e-3, 1e-3, 1e-3, 0.1


class ComponentSAE:
    """Autoencoders trained layer by layer, then tuned as a classifier; the seed is fixed.

    Parameters
    ----------
    device : str
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)

    def fit(self, features: Float32Array, faces: FittedFaces) -> dict[str, Any]:
        """Train on faces; returns the choice. There is nothing to tune."""
        self.classes_, targets = np.unique(faces.labels, return_inverse=True)
        random = torch.Generator().manual_seed(0)
        both = np.concatenate([features, mirrored(features)])
        self._mean, self._spread = both.mean(axis=0), both.std(axis=0) + 1e-3
        inputs = self._tensor(both)
        layers: list[nn.Module] = []
        errors, below = [], inputs
        for size in LAYERS:
            layer = _linear(below.shape[1], size, random).to(self._device)
            errors.append(train_autoencoder(layer, below, random, binary=bool(layers)))
            layers += [layer, nn.Sigmoid()]
            with torch.no_grad():
                below = torch.sigmoid(layer(below))
        top = _linear(LAYERS[-1], len(self.classes_), random).to(self._device)
        self._net = nn.Sequential(*layers, top)
        wanted = torch.from_numpy(np.tile(targets, 2)).to(self._device)
        loss = _tune(self._net, inputs, wanted, random)
        return {"layers": list(LAYERS), "reconstruction_errors": errors, "loss": loss}

    def predict(self, features: Float32Array) -> IntArray:
        """Classes of faces."""
        with torch.no_grad():
            named = self._net(self._tensor(features)).argmax(dim=1).cpu().numpy()
        predicted: IntArray = self.classes_[named]
        return predicted

    def _tensor(self, features: Float32Array) -> torch.Tensor:
        scaled = ((features - self._mean) / self._spread).astype(np.float32)
        return torch.from_numpy(scaled).to(self._device)


def train_autoencoder(
    layer: nn.Linear, inputs: torch.Tensor, random: torch.Generator, binary: bool
) -> float:
    """Train a layer to rebuild its inputs (n, d), or probabilities if `binary`, from masked ones.

    Returns
    -------
    float
        Mean loss of the last pass.
    """
    back = torch.zeros(inputs.shape[1], device=inputs.device, requires_grad=True)
    optimiser = torch.optim.Adam([*layer.parameters(), back], _RATE)
    losses: list[float] = []
    for _ in range(PASSES):
        losses = []
        for rows in batches(len(inputs), BATCH, random):
            clean = inputs[rows.to(inputs.device)]
            kept = torch.rand(clean.shape, generator=random) > _MASKED
            code = torch.sigmoid(layer(clean * kept.to(clean.device)))
            rebuilt = functional.linear(code, layer.weight.T, back)
            error = functional.binary_cross_entropy_with_logits if binary else functional.mse_loss
            loss = error(rebuilt, clean)
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def _tune(
    net: nn.Module, inputs: torch.Tensor, targets: torch.Tensor, random: torch.Generator
) -> float:
    """Train the whole net; the mean loss of the last pass."""
    optimiser = torch.optim.AdamW(net.parameters(), _TUNING_RATE, weight_decay=_DECAY)
    losses: list[float] = []
    for _ in range(TUNING_PASSES):
        losses = []
        for rows in batches(len(inputs), BATCH, random):
            chosen = rows.to(inputs.device)
            loss = functional.cross_entropy(net(inputs[chosen]), targets[chosen])
            optimiser.zero_grad()
            torch.autograd.backward(loss)
            optimiser.step()
            losses.append(loss.item())
    return float(np.mean(losses))


def _linear(inputs: int, outputs: int, random: torch.Generator) -> nn.Linear:
    """A layer with weights after Glorot and Bengio (2010), from the given generator."""
    layer = nn.Linear(inputs, outputs)
    with torch.no_grad():
        reach = (6 / (inputs + outputs)) ** 0.5
        layer.weight.copy_((2 * torch.rand(layer.weight.shape, generator=random) - 1) * reach)
        layer.bias.zero_()
    return layer


def mirrored(features: Float32Array) -> Float32Array:
    """Components (n, pixels) as their mirrored faces have them, but for the landmarks' places."""
    parts, start = [], 0
    for c in COMPONENTS:
        size = c.width * c.height
        block = features[:, start : start + size].reshape(-1, c.height, c.width)
        parts.append(block[:, :, ::-1].reshape(-1, size))
        start += size
    return np.concatenate(parts, axis=1)
