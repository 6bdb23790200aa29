"""The extension's inner loops of a training against NumPy twins and PyTorch's formulas."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from i2cnn import _native
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.context import Context
from i2cnn.torchcaffe.core.native import array_of
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.layers import REGISTRY, Layer
from i2cnn.torchcaffe.proto import LayerParameter, SolverParameter
from i2cnn.torchcaffe.solvers.updates import SGD, Step
from tests.helpers.simd import LEVELS

#: Prints the page faults of filling 64 MB that were freed before.
FAULTS = """
import resource
import torch
from i2cnn.torchcaffe.core.memory import keep_freed_memory

def faults(size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(size).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

keep_freed_memory()
faults(20 << 20)
print(min(faults(16 << 20) for _ in range(3)))
"""


@pytest.fixture(params=["plain", "auto"])
def instructions(request: pytest.FixtureRequest) -> Iterator[str]:
    _native.set_simd(request.param)
    yield request.param
    _native.set_simd("auto")


def twin(
    x: np.ndarray, dy: np.ndarray, window: int, alpha: float, k: float
) -> tuple[np.ndarray, np.ndarray]:
    """(y, dx) of LRN over rows of channels, in float64, straight from the formula."""
    x, dy = x.astype(float), dy.astype(float)
    index = np.arange(x.shape[1])
    band = (abs(index[:, None] - index) <= window // 2).astype(float)
    scale = k + alpha * (x * x) @ band
    y = x * scale**-0.75
    dx = dy * scale**-0.75 - 1.5 * alpha * x * ((dy * y / scale) @ band)
    return y, dx


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(0, 1300),
    channels=st.integers(1, 70),
    window=st.sampled_from([1, 3, 5, 7, 9]),
    alpha=st.sampled_from([0.0, 2e-5, 0.1]),
    k=st.sampled_from([1.0, 2.0]),
    threads=st.integers(1, 3),
    level=st.sampled_from(["plain", "auto"]),
)
def test_lrn_is_its_formula(rows, channels, window, alpha, k, threads, level) -> None:
    rng = np.random.RandomState(rows + channels)
    x, dy = (rng.normal(0, 20, (rows, channels)).astype(np.float32) for _ in range(2))
    # A value beyond each end shows what is written there.
    y, dx = (np.full((rows + 1, channels), 7, np.float32) for _ in range(2))
    _native.set_simd(level)
    try:
        _native.lrn_forward(x, y[:rows], window, alpha, k, threads)
        _native.lrn_backward(x, dy, dx[:rows], window, alpha, k, threads)
    finally:
        _native.set_simd("auto")
    assert (y[rows] == 7).all()
    assert (dx[rows] == 7).all()
    expected_y, expected_dx = twin(x, dy, window, alpha, k)
    np.testing.assert_allclose(y[:rows], expected_y, rtol=3e-6, atol=1e-9)
    np.testing.assert_allclose(dx[:rows], expected_dx, rtol=1e-6, atol=2e-5)


def lrn_in(kind: torch.dtype, x: torch.Tensor, dy: torch.Tensor, level: str) -> torch.Tensor:
    """(y, dx) of LRN computed in a type, as bfloat16."""
    y, dx = torch.empty(2, *x.shape, dtype=kind)
    arrays = [array_of(t) for t in (x.to(kind), dy.to(kind), y, dx)]
    _native.set_simd(level)
    try:
        _native.lrn_forward(arrays[0], arrays[2], 5, 0.1, 2.0, 2)
        _native.lrn_backward(arrays[0], arrays[1], arrays[3], 5, 0.1, 2.0, 2)
    finally:
        _native.set_simd("auto")
    return torch.stack([y, dx]).bfloat16()


@pytest.mark.parametrize("level", LEVELS)
def test_lrn_of_bfloat16_is_that_of_float32(level: str) -> None:
    x, dy = torch.randn(2, 200, 33, generator=torch.Generator().manual_seed(1)).mul(20).bfloat16()
    x[0, 0] = dy[2, 3] = torch.nan
    outs = [lrn_in(kind, x, dy, level) for kind in (torch.bfloat16, torch.float32)]
    # Numbers that lie between two of bfloat16's may go to either.
    torch.testing.assert_close(*outs, rtol=2**-7, atol=1e-4, equal_nan=True)
    assert float((outs[0] != outs[1]).float().mean()) < 0.01
    assert outs[0].isnan().sum() >= 2


@pytest.mark.parametrize("level", LEVELS)
def test_lrn_of_numbers_whose_squares_overflow_is_0_in_bfloat16_too(level: str) -> None:
    sizes = [1e18, 1e19, 2e19, 1e25, 3e38, torch.inf]
    x = torch.tensor(sizes)[:, None].expand(-1, 33).bfloat16().contiguous()
    outs = [lrn_in(kind, x, x.sign(), level) for kind in (torch.bfloat16, torch.float32)]
    torch.testing.assert_close(*outs, rtol=2**-7, atol=0, equal_nan=True)
    assert (outs[0][0, 2:5] == 0).all()


@pytest.mark.parametrize(
    ("x", "y", "window"),
    [
        (np.zeros((2, 3)), np.zeros((2, 3), np.float32), 5),  # float64
        (np.zeros((2, 3), np.uint16), np.zeros((2, 3), np.float32), 5),
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32), 5),
        (np.zeros((2, 3), np.float32), np.zeros((2, 6), np.float32)[:, ::2], 5),  # strided
        (np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32), 4),
        (np.zeros(3, np.float32), np.zeros(3, np.float32), 5),
    ],
)
def test_lrn_refuses_other_arrays(x: np.ndarray, y: np.ndarray, window: int) -> None:
    with pytest.raises((TypeError, ValueError)):
        _native.lrn_forward(x, y, window, 1e-4, 1.0, 1)


def test_an_error_of_any_thread_is_raised() -> None:
    x = np.zeros((2048, 4), np.float32)  # enough for several threads
    with pytest.raises(ValueError, match="vector"):  # longer than std::vector may be
        _native.lrn_forward(x, x.copy(), 2**62 + 1, 1e-4, 1.0, 4)


def layer_of(text: str, *shapes: tuple[int, ...]) -> Layer:
    from google.protobuf import text_format

    param = text_format.Parse(text, LayerParameter())
    layer = REGISTRY[param.type](param, Context("net", True, runtime.prepare_net()))
    layer.setup(shapes)
    layer.reshape(shapes)
    layer.param_needs = [True] * len(layer.blobs)
    return layer


@pytest.mark.parametrize("form", ["contiguous", "channels_last", "slice", "one_pixel"])
def test_lrn_layer_takes_any_memory_order(form: str) -> None:
    shape = (2, 12, 1, 1) if form == "one_pixel" else (2, 12, 4, 5)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)) * 30
    grad = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    expected_y, expected_dx = (
        torch.from_numpy(v).view(2, *shape[2:], 12).permute(0, 3, 1, 2).float()
        for v in twin(
            *(t.permute(0, 2, 3, 1).reshape(-1, 12).numpy() for t in (x, grad)), 5, 0.02, 1.0
        )
    )
    if form == "channels_last":
        x = x.contiguous(memory_format=torch.channels_last)
    elif form == "slice":
        wide = torch.zeros(2, 20, 4, 5).contiguous(memory_format=torch.channels_last)
        wide[:, 3:15] = x
        x = wide[:, 3:15]
    layer = layer_of(
        'name: "n" type: "LRN" lrn_param { local_size: 5 alpha: 0.1 beta: 0.75 }', shape
    )
    (y,) = layer.forward([x], [True], graph=True)
    (dx,) = layer.backward([x], [grad], [True])
    torch.testing.assert_close(y, expected_y, rtol=3e-6, atol=1e-9)
    torch.testing.assert_close(dx, expected_dx, rtol=0, atol=2e-5)


def parameter(
    weight: torch.Tensor, grad: torch.Tensor, history: torch.Tensor
) -> tuple[Blob, list[torch.Tensor]]:
    blob = Blob(weight.shape)
    blob.tensor, blob.grad = weight, grad
    return blob, [history]


@settings(max_examples=25, deadline=None)
@given(
    size=st.integers(0, 200_000),
    momentum=st.sampled_from([0.0, 0.9, 0.37]),
    decay=st.sampled_from([0.0, 5e-4]),
    rate=st.sampled_from([0.0, 1e-2, 0.123]),
    threads=st.integers(1, 3),
)
def test_fused_sgd_is_the_formula(size, momentum, decay, rate, threads) -> None:
    rng = np.random.RandomState(size)
    start = [rng.normal(size=size).astype(np.float32) for _ in range(3)]
    rule = SGD(SolverParameter(type="SGD", momentum=momentum))
    plain = [torch.from_numpy(a.copy()) for a in start]
    step = Step(rate, decay, iteration=0)
    rule.apply_plain(*parameter(*plain), step)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        fused = [torch.from_numpy(a.copy()) for a in start]
        assert rule.apply_fused(*parameter(*fused), step)
    finally:
        torch.set_num_threads(before)
    for a, b in zip(fused, plain, strict=True):
        # The same bits where PyTorch's own vectors have fused multiply-add.
        torch.testing.assert_close(a, b, rtol=2e-7, atol=2e-7)


def test_sgd_without_vectors_agrees(instructions: str) -> None:
    rng = np.random.RandomState(3)
    weight, diff, history = (rng.normal(size=1001).astype(np.float32) for _ in range(3))
    step = 0.9 * history.astype(float) + 0.01 * (diff + 5e-4 * weight.astype(float))
    expected = weight - step
    _native.sgd_update(weight, diff, history, 0.01, 0.9, 5e-4, 2)
    np.testing.assert_allclose(history, step, rtol=0, atol=3e-7)
    np.testing.assert_array_equal(diff, history)
    np.testing.assert_allclose(weight, expected, rtol=0, atol=3e-7)


@pytest.mark.parametrize("level", LEVELS)
def test_sgd_of_a_bfloat16_gradient_is_that_of_float32(level: str) -> None:
    random = torch.Generator().manual_seed(3)
    weight, grad, history = torch.randn(3, 100_003, generator=random)
    weight[:4] = torch.tensor([torch.nan, torch.inf, 1e-40, 3.4e38])
    grad = grad.bfloat16()
    wide = [weight.clone(), grad.float(), history.clone()]
    found = [weight, torch.empty_like(weight), history]
    settings = (0.01, 0.9, 5e-4, 2)
    _native.set_simd(level)
    try:
        _native.sgd_update(*map(array_of, wide), *settings)
        _native.sgd_update(*map(array_of, found), *settings, array_of(grad))
    finally:
        _native.set_simd("auto")
    pairs = [*zip(found, wide, strict=True), (grad, weight.bfloat16())]
    for a, b in pairs:
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)
    for wrong in (np.zeros(5, np.uint16), np.zeros(100_003, np.float32)):
        with pytest.raises((TypeError, ValueError)):
            _native.sgd_update(*map(array_of, found), *settings, wrong)


def test_arrays_of_other_order_take_the_general_way() -> None:
    rule = SGD(SolverParameter(type="SGD", momentum=0.5))
    weight, grad, history = (torch.ones(4, 6).t() for _ in range(3))
    rule.apply(*parameter(weight, grad, history), Step(rate=1.0, decay=0.0, iteration=0))
    assert (weight == -0.5).all()
    assert (grad == 1.5).all()


def test_a_cleared_diff_reads_as_zeros() -> None:
    blob = Blob((2, 2))
    blob.grad.fill_(3)
    blob.clear_grad()
    assert (blob.grad == 0).all()


def test_a_cleared_diff_takes_a_value_once() -> None:
    blob = Blob((2, 2))
    blob.clear_grad()
    value = torch.ones(2, 2)
    blob.add_grad(value, take=True)
    assert blob.grad is value
    blob.add_grad(torch.ones(2, 2), take=True)
    assert (blob.grad == 2).all()


def test_a_bfloat16_gradient_is_read_and_added_to_in_float32() -> None:
    blob = Blob((2, 2))
    gradient = torch.full((2, 2), 1 / 3).bfloat16()
    blob.add_grad(gradient, take=True)
    blob.add_grad(gradient, take=True)
    assert blob.take_narrow_grad() is None
    assert torch.equal(blob.grad, 2 * gradient.float())
    blob.clear_grad()
    blob.add_grad(gradient, take=True)
    blob.clear_grad()
    assert blob.take_narrow_grad() is None
    assert not blob.grad.any()


def test_a_diff_copies_a_value_that_it_may_not_take() -> None:
    blob = Blob((2, 2))
    blob.clear_grad()
    foreign = torch.ones(2, 2)
    blob.add_grad(foreign, take=False)
    blob.grad.mul_(5)
    assert (foreign == 1).all()


def test_a_diff_that_was_handed_out_stays_a_live_view() -> None:
    blob = Blob((3,))
    view = blob.diff
    blob.add_grad(torch.ones(3), take=True)
    assert (view == 1).all()
    blob.clear_grad()
    assert (view == 0).all()


def test_a_parameter_never_takes_its_tops_diff() -> None:
    # The bias has the bottom's shape, so its gradient is the top's diff itself.
    layer = layer_of('name: "b" type: "Bias" bias_param { axis: 0 num_axes: -1 }', (2, 3))
    x, grad = torch.zeros(2, 3), torch.ones(2, 3)
    layer.blobs[0].clear_grad()
    layer.forward([x], [True], graph=True)
    (below,) = layer.backward([x], [grad], [True])
    layer.blobs[0].grad.mul_(9)
    assert below is not None
    assert (below == 1).all()
    assert (grad == 1).all()


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or "I2CNN_SANITIZED" in os.environ,
    reason="a matter of glibc's malloc",
)
def test_memory_of_blobs_is_used_again() -> None:
    """In a process of its own: what other tests hold decides where blocks can lie."""
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A fresh block would have 16384 pages.
    assert int(done.stdout) < 1000
