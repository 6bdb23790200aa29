"""Precision: float32 unless asked; bf16 stays near the golden runs; tf32 is CUDA's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core import runtime
from i2cnn.util.errors import InputError


def losses(solver: caffe.SGDSolver) -> np.ndarray:
    values = []
    for _ in range(20):
        solver.step(1)
        values.append(solver._core.smoothed_loss)
    return np.array(values)


#: Largest relative difference of a loss from the float32 run; docs/torchcaffe.md has what was seen.
BANDS = {"solver_sgd.prototxt": 3e-3, "solver_adam.prototxt": 4e-3, "solver_adagrad.prototxt": 0.2}


@pytest.mark.parametrize("name", BANDS)
def test_bf16_trains_near_float32_and_leaves_it_alone(name: str, golden: Path) -> None:
    exact = losses(caffe.get_solver(name))
    caffe.set_precision("bf16")
    rough_solver = caffe.get_solver(name)
    rough = losses(rough_solver)
    difference = np.abs(rough - exact) / exact
    assert 0 < difference.max() < BANDS[name]
    # Weights, their history and all blobs stay float32.
    net = rough_solver.net._core
    tensors = [blob.tensor for blob in net.blobs.values()] + rough_solver._core.history
    tensors += [t for entry in net.learnable for t in (entry.blob.tensor, entry.blob.grad)]
    assert {tensor.dtype for tensor in tensors} == {torch.float32}
    caffe.set_precision("float32")
    np.testing.assert_array_equal(losses(caffe.get_solver(name)), exact)


def test_a_net_keeps_the_precision_it_was_made_with(golden: Path) -> None:
    caffe.set_random_seed(1)
    exact = caffe.Net("tiny_train_val.prototxt", caffe.TEST)
    exact.forward()
    expected = exact.blobs["fc2"].data.copy()
    caffe.set_precision("bf16")
    rough = caffe.Net("tiny_train_val.prototxt", caffe.TEST)
    rough.share_with(exact)
    rough.forward()
    difference = np.abs(rough.blobs["fc2"].data - expected).max() / np.abs(expected).max()
    assert 1e-5 < difference < 3e-2
    position = {"data/index": np.array(0)}
    exact._core.restore_position(position)
    exact.forward()
    np.testing.assert_array_equal(exact.blobs["fc2"].data, expected)


def test_tf32_is_off_unless_asked_for_and_needs_cuda(golden: Path) -> None:
    flags = torch.backends
    assert not flags.cuda.matmul.allow_tf32
    assert not flags.cudnn.allow_tf32  # PyTorch's own default is True
    caffe.set_precision("tf32")
    assert flags.cuda.matmul.allow_tf32
    assert flags.cudnn.allow_tf32
    with pytest.raises(InputError, match="tf32 needs a CUDA device"):
        caffe.Net("tiny_train_val.prototxt", caffe.TEST)
    with pytest.raises(InputError, match="unknown precision 'half'"):
        caffe.set_precision("half")


@pytest.mark.parametrize("has", [True, False])
def test_a_processor_without_bfloat16_is_told_of_once(
    has: bool, golden: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(runtime, "multiplies_bf16", lambda: has)
    runtime._advise_float32.cache_clear()
    caffe.set_precision("bf16")
    for _ in range(2):
        caffe.Net("tiny_train_val.prototxt", caffe.TEST)
    assert capfd.readouterr().err.count("float32 is faster here") == (0 if has else 1)
