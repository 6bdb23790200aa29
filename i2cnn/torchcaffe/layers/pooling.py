"""Pooling: the largest number, the mean or a random number of each window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from i2cnn.torchcaffe.core import image_kernels, native
from i2cnn.torchcaffe.core.function import apply
from i2cnn.torchcaffe.core.kernels import serves
from i2cnn.torchcaffe.core.layer import Layer, Shape, count, register
from i2cnn.torchcaffe.layers.spatial import Pair, Spatial, averaged, products_pay, window_means
from i2cnn.torchcaffe.proto import LayerParameter, PoolingParameter, SPPParameter

#: PyTorch takes as many steps per window.
_MOST_PAD = 2**16


class _MaxFused(torch.autograd.Function):
    """MAX pooling of images with their channels last.

    The place of each largest number takes a byte, where PyTorch's takes eight.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, windows: image_kernels.Windows, size: Pair) -> Tensor:
        y: Tensor
        y, tap = _kernels(x).max_pool_forward(x, windows, size, keep=ctx.needs_input_grad[0])
        ctx.save_for_backward(tap)
        ctx.settings = (windows, tuple(x.shape[2:]))
        return y

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (tap,) = ctx.saved_tensors
        return _kernels(tap).max_pool_backward(grads[0], tap, *ctx.settings), None, None


def _kernels(tensor: Tensor) -> Any:
    """Module of the kernels for a tensor's device."""
    return image_kernels if serves(tensor.device) else native


@register("Pooling")
class Pooling(Spatial):
    """MAX, AVE and STOCHASTIC pooling; sizes round up by default.

    The second top of MAX pooling is where each number came from, counted row by row.
    """

    tops = (1, 2)

    recordable = True

    def setup(self, shapes: Sequence[Shape]) -> None:
        p = self.param.pooling_param
        if len(self.param.top) > 1 and p.pool != PoolingParameter.MAX:
            raise self.fail("only MAX pooling has a second top, the mask")
        self.any_precision = len(self.param.top) == 1  # places are not for bfloat16
        self.round_up = self._rounds_up()
        if len(shapes[0]) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shapes[0]}")
        self.pad = self.pair(p, "pad", "pad")
        self.stride = self.pair(p, "stride", "stride")
        self.kernel = self.pair(p, "kernel_size", "kernel")
        if p.HasField("pad_h") != p.HasField("pad_w"):
            raise self.fail("give both pad_h and pad_w, or pad")
        if p.global_pooling:
            if any(p.HasField(name) for name in ("kernel_size", "kernel_h", "kernel_w")):
                raise self.fail("global_pooling takes no kernel size")
            if any(self.pad) or self.stride != (1, 1):
                raise self.fail("global_pooling takes no pad, and no stride but 1")
            self.kernel = shapes[0][2:4]
        if min(self.kernel) < 1:
            raise self.fail("kernel_size must be given and be at least 1")
        if min(self.stride) < 1:
            raise self.fail("stride must be at least 1")
        if max(self.pad) > _MOST_PAD:
            raise self.fail(f"pad {max(self.pad)} is above the {_MOST_PAD} that is computed here")
        if self.pad[0] >= self.kernel[0] or self.pad[1] >= self.kernel[1]:
            raise self.fail("pad must be smaller than the kernel")
        if p.pool == PoolingParameter.STOCHASTIC:
            self.recordable = False
            if self.context.train and self.context.device.type == "cpu":
                raise self.fail(
                    "STOCHASTIC pooling in phase TRAIN needs a GPU, as in genuine Caffe"
                )
            if any(self.pad):
                raise self.fail("STOCHASTIC pooling takes no pad")
            #: Where in its window each number of the last forward pass came from.
            self.place: Tensor | None = None

    def _rounds_up(self) -> bool:
        """Whether sizes round up: Caffe 1.0's round_mode, or the ceil_mode of forks."""
        p = self.param.pooling_param
        rounds_up = p.round_mode == PoolingParameter.CEIL
        if not p.HasField("ceil_mode"):
            return rounds_up
        if p.HasField("round_mode") and p.ceil_mode != rounds_up:
            raise self.fail("ceil_mode contradicts round_mode; remove one of them")
        return p.ceil_mode

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        n, c, h, w = shapes[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = (h, w)
        if self._wide_pad():
            padded = self.padded(h, self.pad[0]) * self.padded(w, self.pad[1])
            self.check_memory(n * c * padded, "its padded bottom")
        return [(n, c, self._out(h, 0), self._out(w, 1))] * max(1, len(self.param.top))

    def _wide_pad(self) -> bool:
        """True for more padding than PyTorch's half a kernel."""
        return 2 * self.pad[0] > self.kernel[0] or 2 * self.pad[1] > self.kernel[1]

    def _out(self, size: int, axis: int) -> int:
        k, s, p = self.kernel[axis], self.stride[axis], self.pad[axis]
        span = self.padded(size, p) - k
        # A kernel that is larger than its bottom by less than the stride has one window.
        out = (-(-span // s) if self.round_up else span // s) + 1
        if out < 1:
            raise self.fail(f"the kernel {self.kernel} does not fit into the bottom")
        if (out - 1) * s < size + p:
            return out
        # The last window begins beyond the image. Where any axis is padded Caffe drops it; where
        # none is Caffe keeps it and fills it with -FLT_MAX or 0 / 0.
        if not any(self.pad):
            raise self.fail(
                f"the last window begins beyond the end of an axis of {size}, with kernel {k} and "
                f"stride {s}; give round_mode: FLOOR, which leaves it out"
            )
        return out - 1

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        x = bottoms[0]
        if self.param.pooling_param.global_pooling:
            self.kernel = (x.shape[2], x.shape[3])
        method = self.param.pooling_param.pool
        if method == PoolingParameter.MAX:
            return self._max(x, mask=len(self.param.top) > 1)
        if method == PoolingParameter.AVE:
            return [self._average(x)]
        return [self._drawn(x) if self.context.train else self._expected(x)]

    def _max(self, x: Tensor, mask: bool) -> list[Tensor]:
        (h, w), pad, beyond = x.shape[2:], self.pad, (0, 0)
        if self._wide_pad():
            x = functional.pad(x, (pad[1], pad[1], pad[0], pad[0]), value=-torch.inf)
            pad, beyond = beyond, pad
        if not mask and not any(beyond) and _kernels(x).pools(x, self.kernel):
            windows = image_kernels.Windows(self.kernel, self.stride, pad)
            return [apply(_MaxFused, x, windows, (self._out(h, 0), self._out(w, 1)))]
        y, index = functional.max_pool2d(
            x, self.kernel, self.stride, pad, ceil_mode=self.round_up, return_indices=True
        )
        if any(beyond):
            y, index = (z[:, :, : self._out(h, 0), : self._out(w, 1)] for z in (y, index))
        if not mask:
            return [y]
        rows, columns = index // x.shape[3] - beyond[0], index % x.shape[3] - beyond[1]
        return [y, (rows * w + columns).float()]

    def _average(self, x: Tensor) -> Tensor:
        if self._wide_pad():
            return self._average_wide_pad(x)
        if products_pay(x, self.kernel):
            settings = zip(x.shape[2:], self.kernel, self.stride, self.pad, strict=True)
            means = (
                window_means(size, self._out(size, axis), *window)
                for axis, (size, *window) in enumerate(settings)
            )
            return averaged(x, *means)
        return functional.avg_pool2d(x, self.kernel, self.stride, self.pad, ceil_mode=self.round_up)

    def _average_wide_pad(self, x: Tensor) -> Tensor:
        # Windows are cut at the end of the padding.
        sizes, pads = [], []
        for axis in (0, 1):
            length, p = x.shape[2 + axis], self.pad[axis]
            starts = torch.arange(self._out(length, axis), device=x.device) * self.stride[axis]
            sizes.append((starts + self.kernel[axis]).clamp(max=length + 2 * p) - starts)
            pads.append((p, max(p, int(starts[-1]) + self.kernel[axis] - length - p)))
        x = functional.pad(x, (*pads[1], *pads[0]))
        total = functional.avg_pool2d(x, self.kernel, self.stride, divisor_override=1)
        total = total[:, :, : len(sizes[0]), : len(sizes[1])]
        return total / (sizes[0][:, None] * sizes[1])

    def _windows(self, x: Tensor) -> Tensor:
        """(N, C, h, w, kernel h * kernel w): the numbers of each window, 0 beyond the bottom."""
        kernel, need = self._reach(x)
        x = functional.pad(x, (0, max(0, need[1] - x.shape[3]), 0, max(0, need[0] - x.shape[2])))
        x = x[:, :, : need[0], : need[1]]
        windows: Tensor = x.unfold(2, kernel[0], self.stride[0]).unfold(
            3, kernel[1], self.stride[1]
        )
        return windows.flatten(4)

    def _reach(self, x: Tensor) -> tuple[list[int], list[int]]:
        """Height and width of a window within the bottom, and of all windows together."""
        kernel = [min(k, size) for k, size in zip(self.kernel, x.shape[2:], strict=True)]
        number = (self._out(x.shape[2], 0), self._out(x.shape[3], 1))
        steps = zip(number, self.stride, kernel, strict=True)
        return kernel, [(n - 1) * s + k for n, s, k in steps]

    def _drawn(self, x: Tensor) -> Tensor:
        """A number of each window, drawn with a probability in proportion to it."""
        windows = self._windows(x)
        if self.place is None or not self.recomputing:
            sums = windows.detach().float().cumsum(-1)
            generator = torch.Generator(x.device).manual_seed(int(self.context.rng.draw(1)[0]))
            draw = 1 - torch.rand(sums.shape[:-1], generator=generator, device=x.device)
            reached = sums >= (draw * sums[..., -1])[..., None]
            self.place = reached.byte().argmax(-1, keepdim=True)
        return windows.gather(-1, self.place)[..., 0]

    def _expected(self, x: Tensor) -> Tensor:
        """The mean of each window, weighted by the numbers themselves."""
        kernel, need = self._reach(x)
        x = functional.pad(x, (0, max(0, need[1] - x.shape[3]), 0, max(0, need[0] - x.shape[2])))
        area = float(kernel[0] * kernel[1])
        total = functional.avg_pool2d(x, kernel, self.stride) * area
        squares = functional.avg_pool2d(x * x, kernel, self.stride) * area
        return squares / (total + torch.finfo(torch.float32).tiny)


@register("SPP")
class SPP(Layer):
    """Spatial pyramid: the bottom pooled into 1, 4, 16 ... bins, joined into one vector."""

    def setup(self, shapes: Sequence[Shape]) -> None:
        if self.param.spp_param.pyramid_height < 1:
            raise self.fail("pyramid_height must be at least 1")
        self.levels: list[Pooling] = []
        self.size: Shape = ()

    def _level(self, height: int, width: int, bins: int) -> Pooling:
        method = SPPParameter.PoolMethod.Name(self.param.spp_param.pool)
        p = PoolingParameter(pool=method)
        p.kernel_h, p.kernel_w = -(-height // bins), -(-width // bins)
        p.stride_h, p.stride_w = p.kernel_h, p.kernel_w
        # Half of what is missing, rounded up.
        p.pad_h = (p.kernel_h * bins - height + 1) // 2
        p.pad_w = (p.kernel_w * bins - width + 1) // 2
        if p.pad_h >= p.kernel_h or p.pad_w >= p.kernel_w:
            raise self.fail(
                f"a bottom of {height}x{width} is too small for {bins}x{bins} bins; give a smaller "
                "pyramid_height"
            )
        param = LayerParameter(name=self.param.name, type="Pooling", pooling_param=p)
        return Pooling(param, self.context)

    def reshape(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(shapes[0]) != 4:
            raise self.fail(f"the bottom must be (N, C, H, W), not {shapes[0]}")
        if shapes[0][2:] != self.size:
            self.size = shapes[0][2:]
            if min(self.size) < 1:
                raise self.fail("Input dimensions cannot be zero.")
            height = self.param.spp_param.pyramid_height
            self.levels = [self._level(*self.size, 2**i) for i in range(height)]
            for level in self.levels:
                level.setup(shapes)
        tops = [level.reshape(shapes)[0] for level in self.levels]
        if len(tops) == 1:  # Caffe flattens only where it joins
            return tops
        return [(shapes[0][0], sum(count(top[1:]) for top in tops))]

    def compute(self, bottoms: Sequence[Tensor]) -> list[Tensor]:
        tops = [level.compute(bottoms)[0] for level in self.levels]
        return tops if len(tops) == 1 else [torch.cat([top.flatten(1) for top in tops], 1)]
