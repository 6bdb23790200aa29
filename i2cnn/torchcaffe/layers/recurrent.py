"""Recurrent layers: RNN, LSTM, and LSTMUnit, one step of an LSTM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from i2cnn.torchcaffe.core.fillers import fill
from i2cnn.torchcaffe.core.function import apply_all
from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register
from i2cnn.torchcaffe.core.position import Position
from i2cnn.torchcaffe.proto import FillerParameter


class _Unit(torch.autograd.Function):
    """Cell and hidden state after one step, with Caffe's gradient.

    It takes the forget gate for a sigmoid even where `cont`, a factor of it, is not 0 or 1.
    """

    @staticmethod
    def forward(ctx: Any, cell: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
        i, f, o, g = gates.chunk(4, dim=-1)
        i, f, o, g = i.sigmoid(), f.sigmoid(), o.sigmoid(), g.tanh()
        f = torch.where(cont == 0, torch.zeros_like(f), cont * f)
        after = f * cell + i * g
        ctx.save_for_backward(cell, i, f, o, g, after)
        return after, o * after.tanh()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_cell: Tensor, d_hidden: Tensor) -> tuple[Tensor, Tensor, None]:
        cell, i, f, o, g, after = ctx.saved_tensors
        squashed = after.tanh()
        d = d_cell + d_hidden * o * (1 - squashed**2)
        gates = (
            d * g * i * (1 - i),
            d * cell * f * (1 - f),
            d_hidden * squashed * o * (1 - o),
            d * i * (1 - g**2),
        )
        return d * f, torch.cat(gates, dim=-1), None


def _step(cell: Tensor, gates: Tensor, cont: Tensor) -> tuple[Tensor, Tensor]:
    """New cell and hidden state (N, D) from the cell (N, D), gates (N, 4 D) and cont (N, 1)."""
    after, hidden = apply_all(_Unit, cell, gates, cont)
    return after, hidden


@register("LSTMUnit")
class LSTMUnit(Layer):
    """One step of an LSTM: cell and hidden state from the cell, the gates' inputs and cont."""

    bottoms = (3, 3)
    tops = (2, 2)
    labels_only = frozenset({2})

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        cell, gates, cont = shapes
        if len(cell) != 3 or (gates, cont) != ((*cell[:2], 4 * cell[2]), cell[:2]) or cell[0] != 1:
            raise self.fail(
                "its bottoms must be (1, N, D), (1, N, 4 D) and (1, N), not "
                f"{cell}, {gates} and {cont}"
            )
        return [cell, cell]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        cell, gates, cont = bottoms
        return list(_step(cell, gates, cont[..., None]))


class _Recurrent(Layer):
    """Runs one step after the other; its last state is the first of the next forward pass.

    Bottoms are x (T, N, D ...), cont (T, N), which is 0 where a sequence begins, if given a static
    input (N, ...), and with `expose_hidden` the first states; the tops are the outputs (T, N, D),
    and with `expose_hidden` the last states.
    """

    all_params_need = True  # an unrolled net computes them, which does not see lr_mult
    bottoms = (2, 5)
    tops = (1, 3)
    #: Number of states that go from one step to the next.
    states: ClassVar[int]
    #: Rows of the weights per output.
    gates: ClassVar[int]

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.recurrent_param
        self.exposed = self.states if p.expose_hidden else 0
        self.static = len(shapes) > 2 + self.exposed
        for what, names, least, more in (
            ("bottom", self.param.bottom, 2 + self.exposed, int(self.static)),
            ("top", self.param.top, 1 + self.exposed, 0),
        ):
            if len(names) != least + more:
                number = f"{least} or {least + 1}" if what == "bottom" else least
                raise self.fail(f"{self.type} takes {number} {what} blobs, not {len(names)}")
        if p.num_output < 1:
            raise self.fail("num_output must be at least 1")
        # As genuine Caffe's Net, which reaches x and the static input only.
        self.labels_only = frozenset(range(len(shapes))) - {0, *([2] if self.static else [])}
        self.steps = 0
        self._check(shapes)
        self.steps = shapes[0][0]
        outputs, weights = p.num_output, p.weight_filler
        self.add_param((self.gates * outputs, count(shapes[0][2:])), weights)
        self.add_param((self.gates * outputs,), p.bias_filler)
        if self.static:
            self.add_param((self.gates * outputs, count(shapes[2][1:])), weights)
        self.memory = [torch.zeros(0, device=self.context.device) for _ in range(self.states)]
        self.first: list[Tensor] = []
        self._add_step_params(outputs)

    def _add_step_params(self, outputs: int) -> None:
        raise NotImplementedError

    def _add_shared(self, *params: tuple[Shape, FillerParameter]) -> None:
        """Parameters that all steps share.

        Genuine Caffe makes and fills them for each step, then drops all but the first step's.
        """
        for shape, filler in params:
            self.add_param(shape, filler)
        for _ in range(self.steps - 1):
            for shape, filler in params:
                fill(self.context.rng, filler, shape)

    def _check(self, shapes: Sequence[Shape]) -> None:
        x, cont = shapes[:2]
        if len(x) < 3 or cont != x[:2]:
            raise self.fail(f"its bottoms must be (T, N, D ...) and (T, N), not {x} and {cont}")
        if self.steps and x[0] != self.steps:
            raise self.fail(f"input number of timesteps changed from {self.steps} to {x[0]}")
        if x[0] < 1:
            raise self.fail("the bottom must have at least one timestep")
        if self.static and shapes[2][:1] != x[1:2]:
            raise self.fail(f"the static input must be ({x[1]}, ...), not {shapes[2]}")
        state = (1, x[1], self.param.recurrent_param.num_output)
        for shape in shapes[2 + self.static :]:
            if shape != state:
                raise self.fail(f"shape mismatch: a first state must be {state}, not {shape}")

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        self._check(shapes)
        steps, items = shapes[0][:2]
        wide = [shapes[0][2:], *([shapes[2][1:]] if self.static else [])]
        for dims, blob in zip(wide, self.blobs[:3:2], strict=False):
            if count(dims) != blob.shape[1]:
                raise self.fail(
                    f"a bottom has {count(dims)} inputs, the weights are for {blob.shape[1]}"
                )
        outputs = self.param.recurrent_param.num_output
        return [(steps, items, outputs), *[(1, items, outputs)] * self.exposed]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x, cont = bottoms[0], bottoms[1][..., None]
        inputs = functional.linear(x.flatten(2), self.weights[0], self.weights[1])
        if self.static:
            inputs = inputs + functional.linear(bottoms[2].flatten(1), self.weights[2])
        first = self._first_states(bottoms)
        outputs, last = self._run(inputs, cont, first, self.weights[2 + self.static :])
        if not (self.exposed or self.recomputing):
            for memory, state in zip(self.memory, last, strict=True):
                memory[: state.numel()] = state.detach().flatten()
        # No gradient comes from, or passes to, another batch.
        return [torch.stack(outputs), *(state.detach()[None] for state in last[: self.exposed])]

    def _first_states(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        """The states before the first step, (N, D) each."""
        if self.exposed:
            return [bottom[0].detach() for bottom in bottoms[2 + self.static :]]
        if not self.recomputing:
            shape = (bottoms[0].shape[1], self.param.recurrent_param.num_output)
            for i, memory in enumerate(self.memory):
                if len(memory) < count(shape):  # genuine Caffe's memory grows, and is then empty
                    self.memory[i] = memory.new_zeros(count(shape))
            self.first = [memory[: count(shape)].view(shape).clone() for memory in self.memory]
        return self.first

    def position(self) -> Position:
        return {f"state{i}": memory.cpu().numpy().copy() for i, memory in enumerate(self.memory)}

    def restore_position(self, position: Position) -> None:
        device = self.context.device
        states = (position[f"state{i}"] for i in range(self.states))
        self.memory = [torch.tensor(state, device=device) for state in states]

    def _run(
        self, inputs: Tensor, cont: Tensor, first: list[Tensor], weights: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Outputs of all steps, and the states after the last one."""
        raise NotImplementedError


@register("RNN")
class RNN(_Recurrent):
    """h = tanh(W_hh h + W_xh x + b_h), o = tanh(W_ho h + b_o)."""

    states = 1
    gates = 1

    def _add_step_params(self, outputs: int) -> None:
        p = self.param.recurrent_param
        square = ((outputs, outputs), p.weight_filler)
        self._add_shared(square, square, ((outputs,), p.bias_filler))

    def _run(
        self, inputs: Tensor, cont: Tensor, first: list[Tensor], weights: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        own, out, bias = weights
        hidden, outputs = first[0], []
        for step in range(len(inputs)):
            hidden = torch.tanh(functional.linear(hidden * cont[step], own) + inputs[step])
            outputs.append(torch.tanh(functional.linear(hidden, out, bias)))
        return outputs, [hidden]


@register("LSTM")
class LSTM(_Recurrent):
    """Long short-term memory; its states are h and c."""

    states = 2
    gates = 4

    def _add_step_params(self, outputs: int) -> None:
        self._add_shared(((4 * outputs, outputs), self.param.recurrent_param.weight_filler))

    def _run(
        self, inputs: Tensor, cont: Tensor, first: list[Tensor], weights: Sequence[Tensor]
    ) -> tuple[list[Tensor], list[Tensor]]:
        (own,), (hidden, cell), outputs = weights, first, []
        for step in range(len(inputs)):
            gates = functional.linear(hidden * cont[step], own) + inputs[step]
            cell, hidden = _step(cell, gates, cont[step])
            outputs.append(hidden)
        return outputs, [hidden, cell]
