"""Boosted deep belief networks (Liu, Han, Meng and Tong 2014).

P. Liu, S. Han, Z. Meng and Y. Tong, *Facial expression recognition via a boosted deep belief
network*, CVPR 2014: a deep belief network on each of 80 overlapping patches of 24 x 24 pixels of an
aligned face, pre-trained without labels. Then, for each expression against the rest, in turns: each
network's output is a weak classifier, AdaBoost weighs the patches, and the networks of the weighted
patches are tuned together so that strong and weak classifiers improve. A face gets the expression
whose strong classifier is surest.

The source leaves open the layers' sizes, the rates, how pixels are scaled and how often the turns
are taken. Here the 80 patches are a grid of 8 x 10 on the aligned face of 110 x 150 pixels, each
reduced to 12 x 12, at mean 0 and deviation 1, and then standardised over the fitted faces; the
networks have 144, 64 and 32 units and one output in -1 to 1; the outputs are fitted first with the
layers below fixed; then 3 turns of boosting, each patch at most once, and 8 steps of tuning by Adam
on all faces. Each face weighs as if both sides were equal in number. On a few hundred faces the
networks learn these by heart, so each is also shown mirrored and in two slightly turned, scaled and
shifted copies: without them the rendered faces of unseen people are named hardly better than by
their raw pixels.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from torch.nn import functional

from i2cnn.rivals.align import EYE_ROW, HEIGHT, WIDTH
from i2cnn.rivals.rbm import PatchRBMs
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.util.arrays import Float32Array, IntArray

SIDE, COLUMNS, ROWS = 24, 8, 10
PATCHES = COLUMNS * ROWS
LAYERS = (64, 32)
TURNS, ROUNDS = 3, 40
#: Copies of each face beside itself, which are turned (radians), scaled (logarithm) and shifted
#: (pixels) by normal draws of these deviations; all are mirrored, too.
COPIES, _TURNED, _SCALED, _SHIFTED = 2, 0.05, 0.04, 1.5
#: Passes over the faces in which each machine is trained.
PASSES = 15
#: Steps in which the outputs alone are fitted, and steps per turn in which all is tuned.
FIRST_STEPS, STEPS = 60, 8
_FIRST_RATE, _RATE, _DECAY = 0.02, 1e-3, 0.1
_REDUCED = 2
#: Gray levels; a patch with a smaller deviation is nearly plain, and what varies in it is noise.
_LEAST_CONTRAST = 5.0


def patches_of(faces: Float32Array) -> torch.Tensor:
    """Patches of aligned faces (n, 150, 110), reduced to 12 x 12, each at mean 0 and deviation 1.

    Returns
    -------
    Tensor, (80, n, 144)
    """
    pixels = torch.from_numpy(np.ascontiguousarray(faces))
    tops = np.linspace(0, HEIGHT - SIDE, ROWS).round().astype(int)
    lefts = np.linspace(0, WIDTH - SIDE, COLUMNS).round().astype(int)
    cut = [pixels[:, t : t + SIDE, left : left + SIDE] for t in tops for left in lefts]
    small = torch.stack([functional.avg_pool2d(patch, _REDUCED).flatten(1) for patch in cut])
    spread = small.std(dim=2, keepdim=True).clamp_min(_LEAST_CONTRAST)
    return (small - small.mean(dim=2, keepdim=True)) / spread


def with_copies(faces: Float32Array) -> Float32Array:
    """Faces (n, 150, 110), their moved copies, and all of these mirrored, (6 n, 150, 110)."""
    random = np.random.default_rng(0)
    middle = ((WIDTH - 1) / 2, EYE_ROW)
    shown = [faces]
    for _ in range(COPIES):
        turns = np.degrees(_TURNED * random.standard_normal(len(faces)))
        scales = np.exp(_SCALED * random.standard_normal(len(faces)))
        shifts = _SHIFTED * random.standard_normal((len(faces), 2))
        moved = np.empty_like(faces)
        for i, face in enumerate(faces):
            matrix = cv2.getRotationMatrix2D(middle, float(turns[i]), float(scales[i]))
            matrix[:, 2] += shifts[i]
            size, border = (WIDTH, HEIGHT), cv2.BORDER_REPLICATE
            moved[i] = cv2.warpAffine(face, matrix, size, borderMode=border)
        shown.append(moved)
    every = np.concatenate(shown)
    return np.concatenate([every, every[:, :, ::-1]])


def boost_outputs(
    outputs: torch.Tensor, signs: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Weights of weak classifiers by discrete AdaBoost, each used at most once.

    Parameters
    ----------
    outputs : Tensor, (classifiers, n)
        Positive where a classifier says yes.
    signs : Tensor, (n,)
        1 and -1.
    weights : Tensor, (n,)
        Of the samples at first; they add up to 1.

    Returns
    -------
    Tensor, (classifiers,)
        0 for those that were not selected; of those that were, they add up to 1.
    """
    wrong = (torch.sign(outputs) != signs).double()
    weights, alphas = weights.double().clone(), torch.zeros(len(outputs), dtype=torch.float64)
    left = torch.ones(len(outputs), dtype=torch.bool)
    for _ in range(min(ROUNDS, len(outputs))):
        errors = (wrong @ weights).cpu().masked_fill(~left, torch.inf)
        best = int(errors.argmin())
        if errors[best] >= 0.5:
            break
        error = max(float(errors[best]), 1e-6)
        alphas[best], left[best] = 0.5 * np.log((1 - error) / error), False
        weights[wrong[best] == 0] *= error / (1 - error)
        weights /= weights.sum()
    total = float(alphas.sum())
    return (alphas / (total or 1.0)).float().to(outputs.device)


class _Network:
    """The networks of all patches for one expression: layers from the machines, and an output."""

    def __init__(self, machines: list[PatchRBMs]) -> None:
        self.layers = [(rbm.weights.clone(), rbm.above.clone()) for rbm in machines]
        device = self.layers[0][0].device
        self.top = torch.zeros((PATCHES, LAYERS[-1], 1), device=device)
        self.bias = torch.zeros((PATCHES, 1, 1), device=device)
        self.alphas = torch.zeros(PATCHES, device=device)

    def outputs(self, patches: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """Outputs (chosen, n) of some patches' networks."""
        hidden = patches[chosen]
        for weights, bias in self.layers:
            hidden = torch.sigmoid(torch.baddbmm(bias[chosen], hidden, weights[chosen]))
        return self.of_hidden(hidden, chosen)

    def of_hidden(self, hidden: torch.Tensor, chosen: torch.Tensor) -> torch.Tensor:
        """The same from the units below the output, (chosen, n, 32)."""
        return torch.tanh(torch.baddbmm(self.bias[chosen], hidden, self.top[chosen])).squeeze(2)

    def strong(self, patches: torch.Tensor) -> torch.Tensor:
        """The strong classifier, (n,), in -1 to 1."""
        chosen = self.alphas.nonzero().flatten()
        return self.alphas[chosen] @ self.outputs(patches, chosen)

    def fit(self, patches: torch.Tensor, hidden: torch.Tensor, signs: torch.Tensor) -> None:
        """Boost and tune for one expression, where signs (n,) are 1 and -1 for the rest."""
        weights = torch.where(signs > 0, 0.5 / (signs > 0).sum(), 0.5 / (signs < 0).sum())
        every = torch.arange(PATCHES, device=signs.device)
        self._descend(
            [self.top, self.bias],
            _FIRST_RATE,
            FIRST_STEPS,
            lambda: (weights * (self.of_hidden(hidden, every) - signs) ** 2).sum(),
        )
        parameters = [self.top, self.bias, *(p for layer in self.layers for p in layer)]
        for turn in range(TURNS + 1):
            with torch.no_grad():
                self.alphas = boost_outputs(self.outputs(patches, every), signs, weights)
            if turn < TURNS:
                self._descend(parameters, _RATE, STEPS, lambda: self._loss(patches, signs, weights))

    def _loss(
        self, patches: torch.Tensor, signs: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Weighted squared errors of the strong classifier and of the weak ones in it."""
        chosen = self.alphas.nonzero().flatten()
        alphas = self.alphas[chosen]
        outputs = self.outputs(patches, chosen)
        strong, weak = (alphas @ outputs - signs) ** 2, alphas @ (outputs - signs) ** 2
        return (weights * (strong + weak)).sum()

    @staticmethod
    def _descend(parameters: list[torch.Tensor], rate: float, steps: int, loss: Any) -> None:
        for parameter in parameters:
            parameter.requires_grad_(True)
        optimiser = torch.optim.AdamW(parameters, rate, weight_decay=_DECAY)
        for _ in range(steps):
            optimiser.zero_grad()
            torch.autograd.backward(loss())
            optimiser.step()
        for parameter in parameters:
            parameter.requires_grad_(False)


class BoostedDBN:
    """A strong classifier per expression on the patches' networks; the seed is fixed.

    Parameters
    ----------
    device : str
    """

    def __init__(self, device: str = "cpu") -> None:
        self._device = torch.device(device)

    def fit(self, features: Float32Array, faces: FittedFaces) -> dict[str, Any]:
        """Train on faces; returns the choice. There is nothing to tune."""
        self.classes_ = np.unique(faces.labels)
        shown = with_copies(features.reshape(-1, HEIGHT, WIDTH).astype(np.float32))
        labels = np.tile(faces.labels, len(shown) // len(features))
        plain = patches_of(shown)
        self._mean, self._spread = plain.mean(1, keepdim=True), plain.std(1, keepdim=True) + 1e-3
        random = torch.Generator().manual_seed(0)
        patches = hidden = self._scaled(plain)
        machines: list[PatchRBMs] = []
        errors = []
        for size in LAYERS:
            visible, gaussian = hidden.shape[2], not machines
            rbm = PatchRBMs(PATCHES, visible, size, gaussian, random, self._device)
            errors.append(rbm.train(hidden, PASSES))
            hidden = rbm.up(hidden)
            machines.append(rbm)
        self._networks = []
        for label in self.classes_:
            network = _Network(machines)
            signs = torch.from_numpy(np.where(labels == label, 1.0, -1.0).astype(np.float32))
            network.fit(patches, hidden, signs.to(self._device))
            self._networks.append(network)
        chosen = [int((n.alphas > 0).sum()) for n in self._networks]
        return {"layers": list(LAYERS), "reconstruction_errors": errors, "patches": chosen}

    def predict(self, features: Float32Array) -> IntArray:
        """Classes of faces."""
        faces = features.reshape(-1, HEIGHT, WIDTH).astype(np.float32)
        patches = self._scaled(patches_of(faces))
        scores = torch.stack([network.strong(patches) for network in self._networks])
        predicted: IntArray = self.classes_[scores.argmax(dim=0).cpu().numpy()]
        return predicted

    def _scaled(self, patches: torch.Tensor) -> torch.Tensor:
        return ((patches - self._mean) / self._spread).to(self._device)
