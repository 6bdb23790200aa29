"""Compile the GPU kernels for CUDA devices that are not here: `compile_kernels.py CAPABILITY ...`.

The host's functions run on the CPU's tensors; what they would launch is compiled instead, down to
machine code, with the types and constants that they gave. Prints a line per kernel.
"""

from __future__ import annotations

import sys
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from i2cnn.torchcaffe.core import image_kernels, kernels
from i2cnn.torchcaffe.core.image_kernels import Windows

TYPES = {
    torch.float32: "*fp32",
    torch.bfloat16: "*bf16",
    torch.uint8: "*u8",
    torch.int8: "*i8",
    torch.int64: "*i64",
    float: "fp32",
    int: "i32",
}


class Compiled:
    """Stands for a kernel: compiles where it would launch."""

    def __init__(self, kernel: Any, capabilities: list[int]) -> None:
        self.kernel, self.capabilities = kernel, capabilities

    def __getitem__(self, grid: tuple[int, ...]) -> Compiled:
        return self

    def __call__(self, *given: Any, **constants: Any) -> None:
        names = self.kernel.arg_names[: len(given)]
        types = {
            name: TYPES[value.dtype if isinstance(value, torch.Tensor) else type(value)]
            for name, value in zip(names, given, strict=True)
        }
        source = ASTSource(self.kernel, types | dict.fromkeys(constants, "constexpr"), constants)
        for capability in self.capabilities:
            compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32))
            size = len(compiled.asm["cubin"])
            print(self.kernel.__name__, f"for {capability}: {size} bytes", *types.values())


def main(capabilities: list[int]) -> None:
    """Compile all kernels."""
    for module in (kernels, image_kernels):
        for name, value in list(vars(module).items()):
            if isinstance(value, triton.runtime.JITFunction) and name != "_place":
                setattr(module, name, Compiled(value, capabilities))
    kernels.sgd_update(*torch.zeros(3, 5), 0.1, 0.9, 0.01)
    for dtype in (torch.float32, torch.bfloat16):
        x = torch.zeros(2, 3, 5, 7, dtype=dtype)
        for images in (x, x.contiguous(memory_format=torch.channels_last)):
            y, scale = kernels.lrn_forward(images, 5, 0.02, 0.75, 2.0)
            kernels.lrn_backward(images, y, scale, y, 5, 0.02, 0.75)
        windows = Windows((3, 3), (2, 2), (0, 0))
        for keep in (False, True):
            y, tap = image_kernels.max_pool_forward(images, windows, (2, 3), keep)
        image_kernels.max_pool_backward(y, tap, windows, (5, 7))
        image_kernels.add_bias(images, torch.zeros(3))
        image_kernels.sum_pixels(images)
    images = torch.zeros(2, 5, 7, 3, dtype=torch.uint8)
    places = torch.zeros(3, 2, dtype=torch.int64)
    for mean in (None, torch.zeros(3), torch.zeros(5, 7, 3)):
        image_kernels.crop(images, places, mean, 0.5, (3, 4, 4))


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]])
