"""The one place that calls PyTorch's untyped `autograd.Function.apply`."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def apply(function: type[torch.autograd.Function], *arguments: object) -> Tensor:
    """Top of a layer from an autograd function, with that function's own gradient."""
    typed: Callable[..., Tensor] = function.apply
    return typed(*arguments)


def apply_all(function: type[torch.autograd.Function], *arguments: object) -> tuple[Tensor, ...]:
    """The same for a function that gives several tensors."""
    typed: Callable[..., tuple[Tensor, ...]] = function.apply
    return typed(*arguments)
