"""Restricted Boltzmann machines, many side by side: one per patch of a face (Hinton 2002)."""

from __future__ import annotations

import torch

#: Faces per step.
BATCH = 64
_RATE, _GAUSSIAN_RATE, _DECAY = 0.05, 0.002, 2e-4
#: Momentum in the first third of the passes, and afterwards.
_MOMENTA = (0.5, 0.9)


def batches(number: int, size: int, random: torch.Generator) -> list[torch.Tensor]:
    """Positions of so many samples in a random order, `size` at a time."""
    order = torch.randperm(number, generator=random)
    return [order[start : start + size] for start in range(0, number, size)]


class PatchRBMs:
    """As many machines as patches, with binary hidden units, trained by contrastive divergence.

    Parameters
    ----------
    patches, visible, hidden : int
    gaussian : bool
        Visible units are Gaussians of variance 1 rather than binary.
    random : torch.Generator
        On the CPU; all randomness comes from it.
    device : torch.device

    Attributes
    ----------
    weights : Tensor, (patches, visible, hidden)
    below : Tensor, (patches, 1, visible)
        Biases of the visible units.
    above : Tensor, (patches, 1, hidden)
        Biases of the hidden units.
    """

    def __init__(
        self,
        patches: int,
        visible: int,
        hidden: int,
        gaussian: bool,
        random: torch.Generator,
        device: torch.device,
    ) -> None:
        self.gaussian, self._random = gaussian, random
        start = 0.01 * torch.randn((patches, visible, hidden), generator=random)
        self.weights = start.to(device)
        self.below = torch.zeros((patches, 1, visible), device=device)
        self.above = torch.zeros((patches, 1, hidden), device=device)

    def up(self, visible: torch.Tensor) -> torch.Tensor:
        """Probabilities (patches, n, hidden) of the hidden units, given visible (patches, n, v)."""
        return torch.sigmoid(torch.baddbmm(self.above, visible, self.weights))

    def down(self, hidden: torch.Tensor) -> torch.Tensor:
        """Means (patches, n, v) of the visible units, given hidden ones (patches, n, hidden)."""
        field = torch.baddbmm(self.below, hidden, self.weights.transpose(1, 2))
        return field if self.gaussian else torch.sigmoid(field)

    def train(self, visible: torch.Tensor, passes: int) -> float:
        """One step of contrastive divergence per batch; `visible` is (patches, n, v).

        Returns
        -------
        float
            Mean squared error of the reconstructions in the last pass.
        """
        rate = _GAUSSIAN_RATE if self.gaussian else _RATE
        parameters = (self.weights, self.below, self.above)
        speeds = [torch.zeros_like(p) for p in parameters]
        error = 0.0
        for number in range(passes):
            momentum, error = _MOMENTA[3 * number >= passes], 0.0
            for rows in batches(visible.shape[1], BATCH, self._random):
                data = visible[:, rows.to(visible.device)]
                hidden = self.up(data)
                drawn = torch.rand(hidden.shape, generator=self._random).to(hidden.device)
                rebuilt = self.down((hidden > drawn).float())
                again = self.up(rebuilt)
                products = data.transpose(1, 2) @ hidden - rebuilt.transpose(1, 2) @ again
                slopes = (
                    products / len(rows) - _DECAY * self.weights,
                    (data - rebuilt).mean(dim=1, keepdim=True),
                    (hidden - again).mean(dim=1, keepdim=True),
                )
                for parameter, speed, slope in zip(parameters, speeds, slopes, strict=True):
                    speed.mul_(momentum).add_(slope, alpha=rate)
                    parameter.add_(speed)
                error += float(((data - rebuilt) ** 2).mean()) * len(rows)
        return error / visible.shape[1]
