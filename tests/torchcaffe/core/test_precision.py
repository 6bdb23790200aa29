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
    # Weights, their gradients and their history stay float32.
    tensors = list(rough_solver._core.history)
    for entry in rough_solver.net._core.learnable:
        tensors += [entry.blob.tensor, entry.blob.grad]
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


NET = """name: "net" force_backward: true
layer { name: "x" type: "DummyData" top: "x" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 dim: 12 dim: 12 } shape { dim: 4 }
  data_filler { type: "uniform" min: -1 max: 1 } data_filler { type: "constant" value: 1 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "conv" convolution_param {
  num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "lrn" type: "LRN" bottom: "conv" top: "lrn" lrn_param { alpha: 0.5 } }
layer { name: "pool" type: "Pooling" bottom: "lrn" top: "pool" pooling_param {
  kernel_size: 3 stride: 2 } }
layer { name: "joined" type: "Concat" bottom: "pool" bottom: "pool" top: "joined" }
layer { name: "drop" type: "Dropout" bottom: "joined" top: "joined" }
layer { name: "fc" type: "InnerProduct" bottom: "joined" top: "fc" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
NORMALISED = NET.replace(
    'layer { name: "relu"',
    'layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "norm" }\n'
    'layer { name: "scale" type: "Scale" bottom: "norm" top: "conv1" }\n'
    'layer { name: "relu"',
).replace('type: "ReLU" bottom: "conv" top: "conv"', 'type: "ReLU" bottom: "conv1" top: "conv1"')


def net_in(precision: str, text: str, folder: Path) -> caffe.Net:
    """The net after a forward and a backward pass, always with the same numbers."""
    (folder / "net.prototxt").write_text(text)
    caffe.set_precision(precision)
    caffe.set_random_seed(5)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    net.forward()
    net.backward()
    return net


def assert_near(rough: np.ndarray, exact: np.ndarray, tolerance: float) -> None:
    assert rough.dtype == np.float32
    assert np.linalg.norm(rough - exact) <= tolerance * np.linalg.norm(exact)


@pytest.mark.parametrize("text", [NET, NORMALISED], ids=["LRN", "BatchNorm"])
def test_bf16_is_near_float32_in_each_blob(
    text: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    exact = net_in("float32", text, folder)
    rough = net_in("bf16", f"debug_info: true {text}", folder)
    assert "[Backward] All net params (data, diff): L1" in capfd.readouterr().err
    for name, blob in exact.blobs.items():
        assert_near(rough.blobs[name].data, blob.data, 1e-2)
        # Of nearly equal numbers of a window, another may be the largest.
        assert_near(rough.blobs[name].diff, blob.diff, 0.2)
    for name, blobs in exact.params.items():
        for mine, blob in zip(rough.params[name], blobs, strict=True):
            assert_near(mine.diff, blob.diff, 0.2)


def test_activations_stay_bf16_from_product_to_product(folder: Path) -> None:
    core = net_in("bf16", NET, folder)._core
    for name in ("conv", "lrn", "pool", "joined", "fc"):
        for tensor in (core.blobs[name].tensor, core.blobs[name].grad):
            assert tensor.dtype == torch.bfloat16, name
    for tensor in (
        *(core.blobs[n].tensor for n in ("conv", "lrn", "pool")),
        core.blobs["lrn"].grad,
    ):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert core.blobs["loss"].tensor.dtype == core.blobs["x"].grad.dtype == torch.float32


@pytest.mark.parametrize(("k", "kind"), [(1, torch.bfloat16), (0, torch.float32)])
def test_lrn_without_k_is_computed_in_float32(k: int, kind: torch.dtype, folder: Path) -> None:
    """Its scale may be 0 then, of which the fast root is wrong."""
    text = NET.replace("alpha: 0.5", f"alpha: 0.5 k: {k}")
    assert net_in("bf16", text, folder)._core.blobs["lrn"].tensor.dtype == kind


def test_dropout_rounds_what_it_keeps_once(folder: Path) -> None:
    text = NET.replace('type: "Dropout"', 'type: "Dropout" dropout_param { dropout_ratio: 0.7 }')
    text = text.replace('top: "joined" }\nlayer { name: "fc"', 'top: "y" }\nlayer { name: "fc"')
    text = text.replace('"InnerProduct" bottom: "joined"', '"InnerProduct" bottom: "y"')
    blobs = net_in("bf16", text, folder)._core.blobs
    kept = blobs["y"].tensor != 0
    for given, found in (
        (blobs["joined"].tensor, blobs["y"].tensor),
        (blobs["y"].grad, blobs["joined"].grad),
    ):
        assert found.dtype == torch.bfloat16
        expected = (given.float() * np.float32(1 / 0.3)).bfloat16()
        assert kept.any()
        torch.testing.assert_close(found[kept], expected[kept], rtol=0, atol=0)


def test_users_see_and_write_float32(folder: Path) -> None:
    net = net_in("bf16", NET, folder)
    values = net.blobs["lrn"].data
    values[...] = 0
    net.forward(start="pool")
    assert not net.blobs["pool"].data.any()
    net.forward()  # what was handed out stays a view of the blob
    assert values.any()
    np.testing.assert_array_equal(values, net.blobs["lrn"].data)
    net.blobs["fc"].diff[...] = 0
    net.backward(start="fc")
    assert not net.blobs["conv"].diff.any()
