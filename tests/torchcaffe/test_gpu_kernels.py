"""The GPU kernels against PyTorch's operations: on a CUDA device, or interpreted on the CPU.

`make kernels` runs them without a device: Triton's interpreter executes them number by number, and
its compiler builds them for real devices, to machine code that nothing here can run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core import image_kernels, kernels
from i2cnn.torchcaffe.core.context import NetOptions
from i2cnn.torchcaffe.data.transform import DataTransformer
from i2cnn.torchcaffe.proto import TransformationParameter

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        not kernels.serves(torch.device(DEVICE)),
        reason="neither a CUDA device nor Triton's interpreter: see `make kernels`",
    ),
]
PROGRAM = Path(__file__).parents[1] / "programs" / "compile_kernels.py"
LIKE_ALEXNET = """force_backward: true
layer { name: "data" type: "Input" top: "data" input_param {
  shape { dim: 4 dim: 3 dim: 51 dim: 51 } } }
layer { name: "first" type: "Convolution" bottom: "data" top: "first" convolution_param {
  num_output: 24 kernel_size: 11 stride: 4 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "first" top: "first" }
layer { name: "norm" type: "LRN" bottom: "first" top: "norm" }
layer { name: "pool" type: "Pooling" bottom: "norm" top: "pool" pooling_param {
  pool: MAX kernel_size: 3 stride: 2 } }
layer { name: "second" type: "Convolution" bottom: "pool" top: "second" convolution_param {
  num_output: 16 kernel_size: 5 pad: 2 group: 2 weight_filler { type: "xavier" } } }
layer { name: "top" type: "Pooling" bottom: "second" top: "top" pooling_param {
  pool: MAX kernel_size: 3 stride: 2 } }
"""
#: Sizes of images and windows: AlexNet's, without and with gaps, and with padding.
POOLINGS = [
    ((15, 15), image_kernels.Windows((3, 3), (2, 2), (0, 0))),
    ((13, 11), image_kernels.Windows((1, 2), (2, 3), (0, 0))),
    ((12, 9), image_kernels.Windows((5, 3), (3, 1), (2, 1))),
]


@pytest.mark.parametrize("precision", ["tf32", "bf16"] if DEVICE == "cuda" else ["bf16"])
def test_nets_use_the_kernels(
    precision: str, tmp_path: Path, cpu_mode: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AlexNet's kinds of layers: a convolution with a stride, one in two groups, poolings."""
    (tmp_path / "net.prototxt").write_text(LIKE_ALEXNET)
    if DEVICE == "cuda":
        caffe.set_mode_gpu()
    x = np.random.default_rng(1).standard_normal((4, 3, 51, 51), np.float32)
    found, spies = [], []
    for name in ("float32", precision):
        if name == precision:  # the CPU takes a GPU's way through the convolutions
            monkeypatch.setattr(NetOptions, "tensor_cores", property(lambda options: True))
            for function in ("max_pool_forward", "max_pool_backward", "add_bias", "sum_pixels"):
                spies.append(MagicMock(wraps=getattr(image_kernels, function)))
                monkeypatch.setattr(image_kernels, function, spies[-1])
            for function in ("lrn_forward", "lrn_backward"):
                spies.append(MagicMock(wraps=getattr(kernels, function)))
                monkeypatch.setattr(kernels, function, spies[-1])
        caffe.set_precision(name)
        caffe.set_random_seed(1)
        net = caffe.Net(str(tmp_path / "net.prototxt"), phase=caffe.TRAIN)
        net.forward(data=x)
        top = net.blobs["top"]
        top.diff = np.cos(np.arange(top.count)).reshape(top.shape)
        net.backward()
        params = [blob for blobs in net.params.values() for blob in blobs]
        found.append([top.data.copy(), *(blob.diff.copy() for blob in params)])
    errors = [np.linalg.norm(b - a) / np.linalg.norm(a) for a, b in zip(*found, strict=True)]
    assert errors[0] < 0.01
    # Another number may be the largest of its window.
    assert max(errors[1:]) < {"tf32": 0.1, "bf16": 0.3}[precision]
    assert [spy.call_count for spy in spies] == [2, 2, 2, 2, 1, 1]


@pytest.mark.parametrize("channels", [96, 130, 256, 5])
@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 1e-2)])
def test_the_lrn_kernel_computes_what_pytorch_does(
    order: torch.memory_format, dtype: torch.dtype, tolerance: float, channels: int
) -> None:
    torch.manual_seed(1)
    x, grad = (3 * torch.randn(2, channels, 9, 11, device=DEVICE, dtype=dtype) for _ in range(2))
    x = x.contiguous(memory_format=order)
    y, scale = kernels.lrn_forward(x, 5, 0.02, 0.75, 2.0)
    dx = kernels.lrn_backward(x, y, scale, grad, 5, 0.02, 0.75)
    plain = x.double().requires_grad_()
    squares = torch.nn.functional.pad(plain * plain, (0, 0, 0, 0, 2, 2))
    total = sum(squares[:, i : i + channels] for i in range(5))
    expected = plain * (2.0 + 0.02 * total) ** -0.75
    expected.backward(grad.double())
    for ours, theirs in ((y, expected.detach()), (dx, plain.grad)):
        error = (ours.double() - theirs).abs().max() / theirs.abs().max()
        assert float(error) < tolerance
        assert ours.stride() == x.stride()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("size", "windows"), POOLINGS)
def test_the_pooling_kernel_computes_what_pytorch_does(
    size: tuple[int, int], windows: image_kernels.Windows, dtype: torch.dtype
) -> None:
    torch.manual_seed(1)
    x = torch.randn(2, 130, *size, device=DEVICE).mul(3).round().to(dtype)  # with equal numbers
    x[0, 0, 0, 0] = -torch.inf
    x[1, 2, 4, 4] = torch.nan
    x = x.contiguous(memory_format=torch.channels_last).requires_grad_()
    settings = (windows.kernel, windows.stride, windows.pad)
    plain = torch.nn.functional.max_pool2d(x, *settings, ceil_mode=True)
    top, grad = tuple(plain.shape[2:]), torch.randn_like(plain)
    plain.backward(grad)
    y, tap = image_kernels.max_pool_forward(x.detach(), windows, top, keep=True)
    assert torch.equal(y.nan_to_num(9), plain.nan_to_num(9))
    assert y.stride() == plain.stride()
    dx = image_kernels.max_pool_backward(grad, tap, windows, size)
    torch.testing.assert_close(dx, x.grad, rtol=0.02, atol=1e-5 if dtype == torch.float32 else 0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("channels", [96, 256, 7, 2, 1])
def test_the_bias_kernels_compute_what_pytorch_does(channels: int, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    x = torch.randn(3, channels, 23, 31, device=DEVICE).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last)
    bias = torch.randn(channels, device=DEVICE)
    expected = (x.float() + bias.view(-1, 1, 1)).to(dtype)
    sums = x.double().sum((0, 2, 3)).float()
    torch.testing.assert_close(image_kernels.sum_pixels(x), sums, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(image_kernels.add_bias(x, bias), expected)


@pytest.mark.parametrize(
    ("given", "channels", "means"), [(1, 3, 3), (3, 3, 3), (3, 3, 2), (1, 1, None), (1, 3, None)]
)
def test_the_cropping_kernel_makes_the_same_bits(
    given: int, channels: int, means: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    param = TransformationParameter(crop_size=13, mirror=True, scale=0.017)
    transformer = DataTransformer(param, True, "data")
    random = np.random.default_rng(1)
    if means == 3:
        transformer.mean = random.uniform(0, 255, (17, 19, channels)).astype(np.float32)
    elif means == 2:
        transformer.mean = random.uniform(0, 255, channels).astype(np.float32)
    images = random.integers(0, 256, (6, 17, 19, given), np.uint8)
    windows = transformer.windows(random.integers(0, 2**31, (6, 3)), 6, 17, 19)
    monkeypatch.setattr(image_kernels, "serves", lambda device: False)
    found = []
    for device in ("cpu", DEVICE):
        found.append(
            transformer.apply_windows(
                torch.from_numpy(images).to(device),
                torch.from_numpy(windows).to(device),
                (channels, 13, 13),
            )
        )
        monkeypatch.undo()
    assert torch.equal(found[0], found[1].cpu())


def test_the_sgd_kernel_computes_what_pytorch_does() -> None:
    torch.manual_seed(1)
    weight, grad, history = torch.randn(3, 10_001, device=DEVICE).unbind()
    step = 0.9 * history + 0.1 * (grad + 0.01 * weight)
    expected = weight - step
    kernels.sgd_update(weight, grad, history, 0.1, 0.9, 0.01)
    torch.testing.assert_close(weight, expected)
    torch.testing.assert_close(history, step)
    torch.testing.assert_close(grad, step)


def test_the_kernels_compile_for_devices(tmp_path: Path) -> None:
    """For A100 and H100, with the arguments that they are called with."""
    environment = {k: v for k, v in os.environ.items() if k != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, PROGRAM, "80", "90"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    compiled = {line.split()[0] for line in done.stdout.splitlines()}
    written = {
        name
        for module in (kernels, image_kernels)
        for name, value in vars(module).items()
        if isinstance(value, type(kernels._sgd)) and name != "_place"  # which others call
    }
    assert compiled == written
