"""Blobs keep what is in them where genuine Caffe's keep their memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.proto import SolverParameter
from i2cnn.torchcaffe.solvers.updates import SGD, Step


@pytest.mark.parametrize("handed_out", [True, False])
@pytest.mark.parametrize("shape", [(6,), (3, 2), (2, 2), (1, 0)])
def test_the_first_numbers_survive_a_new_shape(shape: tuple[int, ...], handed_out: bool) -> None:
    blob, numbers = Blob((2, 3)), np.arange(6, dtype=np.float32)
    blob.tensor = torch.from_numpy(numbers).reshape(2, 3)
    blob.grad = -blob.tensor
    array = blob.data if handed_out else None
    blob.reshape(*shape)
    kept = numbers[: blob.count].reshape(shape)
    np.testing.assert_array_equal(blob.data, kept)
    np.testing.assert_array_equal(blob.diff, -kept)
    np.testing.assert_array_equal(blob.tensor.numpy(), kept)
    if array is not None and blob.count:
        blob.data.flat[0] = 9
        assert array[0, 0] == 9  # still the same memory


def test_more_numbers_start_anew() -> None:
    blob = Blob((2,))
    blob.data[...] = 1
    blob.reshape(3)
    np.testing.assert_array_equal(blob.data, [0, 0, 0])


class Accelerator(str):
    """Stands for a device with a memory of its own."""

    type = "xpu"


def test_a_blob_on_a_device_is_set_after_it_grew() -> None:
    blob = Blob((2,))
    blob._data.device = Accelerator("cpu")
    assert blob.data.shape == (2,)  # the host has a copy of that shape
    blob.tensor = torch.zeros(3)
    blob.data = [1, 2, 3]
    assert blob.data.tolist() == blob.tensor.tolist() == [1, 2, 3]


def test_bfloat16_is_converted_once_for_each_change() -> None:
    blob = Blob((2,))
    blob.data = [1, 2]

    def assert_converted(*values: float) -> None:
        assert blob.bf16.tolist() == list(values)
        assert blob.bf16.dtype == torch.bfloat16
        assert blob.tensor.tolist() == list(values)

    assert_converted(1, 2)
    assert blob.bf16 is blob.bf16
    blob.tensor.mul_(2)
    assert_converted(2, 4)
    blob.tensor = torch.tensor([5.0, 6.0])
    assert_converted(5, 6)
    solver = SolverParameter(type="SGD", momentum=0, regularization_type="L2")
    rule = SGD(solver)
    blob.add_grad(torch.ones(2), take=True)
    assert rule.apply_fused(blob, [torch.zeros(2)], Step(1.0, 0.0, 0))
    assert_converted(4, 5)
    blob.clear_grad()
    gradient = torch.ones(2).bfloat16()
    blob.add_grad(gradient, take=True)
    assert rule.apply_fused(blob, [torch.zeros(2)], Step(1.0, 0.0, 0))
    assert blob.bf16 is gradient  # the update converted in passing
    assert blob.grad.tolist() == [1, 1]
    assert_converted(3, 4)
    blob.data = 7
    assert_converted(7, 7)
    array = blob.data
    for value in (8, 9):  # written at any time from now on
        array[...] = value
        assert_converted(value, value)


def test_dimensions_are_integers() -> None:
    blob = Blob((2, 3))
    blob.reshape(np.int64(3), True)
    assert [type(dim) for dim in blob.shape] == [int, int]
    for shape in ((6 / 2, 1), ((3, 1),)):
        with pytest.raises(TypeError):
            blob.reshape(*shape)
    assert blob.shape == (3, 1)
