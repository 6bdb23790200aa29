"""Boltzmann machines small enough to sum over all of their states."""

from __future__ import annotations

import itertools

import pytest
import torch

from i2cnn.rivals.rbm import PatchRBMs


def machine(visible: int = 4, hidden: int = 3, gaussian: bool = False) -> PatchRBMs:
    """Two machines side by side with random biases."""
    random = torch.Generator().manual_seed(1)
    rbm = PatchRBMs(2, visible, hidden, gaussian, random, torch.device("cpu"))
    for parameter in (rbm.weights, rbm.below, rbm.above):
        parameter.copy_(torch.randn(parameter.shape, generator=random))
    return rbm


def states(units: int) -> torch.Tensor:
    return torch.tensor(list(itertools.product((0.0, 1.0), repeat=units)))


def joint(rbm: PatchRBMs, patch: int) -> torch.Tensor:
    """Probability of each state of visible (rows) and hidden (columns) units, by summation."""
    visible, hidden = (states(n) for n in rbm.weights.shape[1:])
    energy = -(
        visible @ rbm.weights[patch] @ hidden.T
        + visible @ rbm.below[patch].T
        + (hidden @ rbm.above[patch].T).T
    )
    weights = torch.exp(-energy)
    return weights / weights.sum()


@pytest.mark.parametrize("patch", [0, 1])
def test_the_units_probabilities_are_those_of_the_summed_distribution(patch: int) -> None:
    rbm = machine()
    probabilities = joint(rbm, patch)
    visible, hidden = states(4), states(3)
    given_visible = probabilities / probabilities.sum(dim=1, keepdim=True) @ hidden
    assert torch.allclose(rbm.up(visible.expand(2, -1, -1))[patch], given_visible, atol=1e-5)
    given_hidden = (probabilities / probabilities.sum(dim=0)).T @ visible
    assert torch.allclose(rbm.down(hidden.expand(2, -1, -1))[patch], given_hidden, atol=1e-5)


def test_training_raises_the_summed_likelihood() -> None:
    random = torch.Generator().manual_seed(0)
    rbm = PatchRBMs(2, 4, 3, False, random, torch.device("cpu"))
    # In the first machine's data two pairs of units agree, in the second's they differ.
    pair = (torch.rand((300, 2), generator=random) < 0.5).float()
    data = torch.stack([pair.repeat(1, 2), torch.cat([pair, 1 - pair], dim=1)])
    rows = (data @ torch.tensor([8.0, 4, 2, 1])).long()
    before = [joint(rbm, p).sum(dim=1)[rows[p]].log().mean() for p in (0, 1)]
    rbm.train(data, passes=80)
    after = [joint(rbm, p).sum(dim=1)[rows[p]].log().mean() for p in (0, 1)]
    # Uniform is -4 log 2 = -2.77, the data's own distribution -2 log 2 = -1.39.
    assert max(before) < -2.7
    assert min(after) > -1.9


def test_gaussian_units_have_their_field_as_mean() -> None:
    rbm = machine(gaussian=True)
    hidden = states(3).expand(2, -1, -1)
    wanted = rbm.below[0] + hidden[0] @ rbm.weights[0].T
    assert torch.allclose(rbm.down(hidden)[0], wanted, atol=1e-6)
