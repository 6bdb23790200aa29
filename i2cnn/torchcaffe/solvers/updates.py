"""Caffe's update rules. Unlike in torch.optim, the learning rate is part of the history."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.autograd.graph import increment_version

from i2cnn import _native
from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core import kernels
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.native import array_of
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import SolverParameter


def learning_rate(param: SolverParameter, iteration: int, current_step: int) -> tuple[float, int]:
    """Rate at an iteration and the step counter after it (SolverParameter.lr_policy).

    Raises
    ------
    InputError
        The policy is unknown or lacks a setting, or its rate is no finite number.
    """
    policy = param.lr_policy
    if policy in ("step", "sigmoid") and param.stepsize <= 0:
        raise CaffeError(f"lr_policy {policy!r} needs a stepsize above 0")
    if policy not in ("fixed", "poly") and param.gamma < 0:
        raise CaffeError(f"lr_policy {policy!r} needs a gamma of at least 0, not {param.gamma:g}")
    if policy == "step":
        current_step = iteration // param.stepsize
    elif policy == "multistep":
        # One step per iteration at most, as in Caffe.
        steps = param.stepvalue
        if current_step < len(steps) and iteration >= steps[current_step]:
            current_step += 1
            status = f"Iteration {iteration}, step = {current_step}"
            log.info("sgd_solver.cpp:50", f"MultiStep Status: {status}")
    elif policy == "poly" and param.max_iter <= 0:
        raise CaffeError("lr_policy 'poly' needs a max_iter above 0")
    with np.errstate(all="ignore"):  # as in C, overflow is inf, where Python raises an error
        rate = _rate(param, np.float64(iteration), current_step)
    if not math.isfinite(rate):
        raise CaffeError(
            f"lr_policy {policy!r} has the rate {rate:g} at iteration {iteration}; check gamma, "
            "power and max_iter"
        )
    return rate, current_step


def _rate(param: SolverParameter, iteration: np.float64, current_step: int) -> float:
    """The rate without a look at whether it is a number."""
    policy, base, gamma = param.lr_policy, param.base_lr, np.float64(param.gamma)
    if policy == "fixed":
        return base
    if policy in ("step", "multistep"):
        return float(base * gamma**current_step)
    if policy == "exp":
        return float(base * gamma**iteration)
    if policy == "inv":
        return float(base * (1 + gamma * iteration) ** -param.power)
    if policy == "poly":
        return float(base * (1 - iteration / param.max_iter) ** param.power)
    if policy == "sigmoid":
        return float(base / (1 + np.exp(-gamma * (iteration - param.stepsize))))
    known = "fixed, step, exp, inv, multistep, poly, sigmoid"
    raise CaffeError(f"Unknown learning rate policy: {policy!r} (known: {known})")


@dataclass(frozen=True)
class Step:
    """What one iteration does to one parameter: its learning rate and weight decay."""

    rate: float
    decay: float
    iteration: int


class Update:
    """One rule: turns a gradient and its history into the value to subtract.

    `slots` histories are kept for each parameter, all first ones before all second ones.
    """

    slots: ClassVar[int] = 1

    def __init__(self, param: SolverParameter) -> None:
        self.param = param
        self.check()

    def check(self) -> None:
        """Refuse settings that Caffe refuses."""

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        """The value to subtract; updates the history in place."""
        raise NotImplementedError

    def apply(self, blob: Blob, history: list[Tensor], step: Step) -> None:
        """Turn a parameter's diff into the value to subtract, in place, and subtract it."""
        if not self.apply_fused(blob, history, step):
            self.apply_plain(blob, history, step)

    def apply_plain(self, blob: Blob, history: list[Tensor], step: Step) -> None:
        """:meth:`apply` by PyTorch's operations, for any device and memory order."""
        weight, grad = blob.tensor, blob.grad
        self._regularise(grad, weight, step.decay)
        grad.copy_(self.value(grad, history, step))
        weight.sub_(grad)

    def apply_fused(self, blob: Blob, history: list[Tensor], step: Step) -> bool:
        """Do all of :meth:`apply` in one pass over memory; False where a rule cannot."""
        return False

    def _regularise(self, grad: Tensor, weight: Tensor, decay: float) -> None:
        """Add the gradient of the weight decay, in place."""
        kind = self.param.regularization_type
        if decay:
            if kind == "L2":
                grad.add_(weight, alpha=decay)
            elif kind == "L1":
                grad.add_(torch.sign(weight), alpha=decay)
            else:
                raise CaffeError(f"Unknown regularization type: {kind} (known: L1, L2)")

    def forbid_momentum(self) -> None:
        """For rules that do not use momentum."""
        if self.param.momentum:
            raise CaffeError(f"Momentum cannot be used with {self.param.type}.")


class SGD(Update):
    """v = momentum v + rate g; w -= v."""

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        return history[0].mul_(self.param.momentum).add_(grad, alpha=step.rate)

    def apply_fused(self, blob: Blob, history: list[Tensor], step: Step) -> bool:
        """One pass instead of five; the same numbers."""
        weight, momenta = blob.tensor, history[0]
        by_kernel = kernels.serves(weight.device)
        known = by_kernel or weight.device.type == "cpu"
        contiguous = weight.is_contiguous() and momenta.is_contiguous()
        if not (known and contiguous and self.param.regularization_type == "L2"):
            return False
        narrow = None if by_kernel else blob.take_narrow_grad()
        if narrow is not None:
            blob.grad = torch.empty_like(weight)
        elif not blob.grad.is_contiguous():
            return False
        settings = (step.rate, self.param.momentum, step.decay)
        if by_kernel:
            kernels.sgd_update(weight, blob.grad, momenta, *settings)
            return True
        arrays = (weight.numpy(), blob.grad.numpy(), momenta.numpy())
        bits = None if narrow is None else array_of(narrow)
        _native.sgd_update(*arrays, *settings, torch.get_num_threads(), bits)
        increment_version(weight)  # as PyTorch's operations do
        if narrow is not None:  # the gradient's memory has the weights now
            blob.bf16 = narrow
        return True


class Nesterov(Update):
    """w -= (1 + momentum) v_new - momentum v_old."""

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        momentum = self.param.momentum
        old = history[0].clone()
        new = history[0].mul_(momentum).add_(grad, alpha=step.rate)
        return new * (1 + momentum) - old * momentum


class AdaGrad(Update):
    """w -= rate g / (sqrt(sum of g^2) + delta)."""

    def check(self) -> None:
        self.forbid_momentum()

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        history[0].addcmul_(grad, grad)
        return step.rate * grad / (history[0].sqrt() + self.param.delta)


class RMSProp(Update):
    """w -= rate g / (sqrt(running mean of g^2) + delta)."""

    def check(self) -> None:
        self.forbid_momentum()
        if not 0 <= self.param.rms_decay < 1:
            raise CaffeError("rms_decay should lie between 0 and 1.")

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        decay = self.param.rms_decay
        history[0].mul_(decay).addcmul_(grad, grad, value=1 - decay)
        return step.rate * grad / (history[0].sqrt() + self.param.delta)


class AdaDelta(Update):
    """Steps scaled by the running mean of earlier steps."""

    slots = 2

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        momentum, delta = self.param.momentum, self.param.delta
        history[0].mul_(momentum).addcmul_(grad, grad, value=1 - momentum)
        value = grad * ((history[1] + delta) / (history[0] + delta)).sqrt()
        history[1].mul_(momentum).addcmul_(value, value, value=1 - momentum)
        return step.rate * value


class Adam(Update):
    """First and second moments, corrected for their start at zero."""

    slots = 2

    def check(self) -> None:
        for name in ("momentum", "momentum2"):
            if not 0 <= getattr(self.param, name) < 1:
                raise CaffeError(f"{name} should lie between 0 and 1.")

    def value(self, grad: Tensor, history: list[Tensor], step: Step) -> Tensor:
        beta1, beta2, t = self.param.momentum, self.param.momentum2, step.iteration + 1
        history[0].mul_(beta1).add_(grad, alpha=1 - beta1)
        history[1].mul_(beta2).addcmul_(grad, grad, value=1 - beta2)
        correction = math.sqrt(1 - beta2**t) / (1 - beta1**t)
        return step.rate * correction * history[0] / (history[1].sqrt() + self.param.delta)


RULES: dict[str, type[Update]] = {
    rule.__name__: rule for rule in (SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam)
}


def make_update(param: SolverParameter) -> Update:
    """Rule named by `SolverParameter.type`."""
    if param.type not in RULES:
        raise CaffeError(f"Unknown solver type: {param.type} (known types: {', '.join(RULES)})")
    return RULES[param.type](param)
