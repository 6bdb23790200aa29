"""Blobs keep what is in them where genuine Caffe's keep their memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from i2cnn.torchcaffe.core.blob import Blob


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
