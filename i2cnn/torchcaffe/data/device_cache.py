"""Keeps data sets in a GPU's memory, as bytes, where they fit and once every record was read."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from i2cnn.torchcaffe.core.memory import upload
from i2cnn.util.arrays import Float32Array

#: Share of the device's free memory that one data layer's images may take.
SHARE = 0.25


def cache_budget(device: torch.device) -> int:
    """Bytes that one data layer may keep on a device; 0 on the CPU."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.mem_get_info(device)[0] * SHARE)


class DeviceCache:
    """The images, labels and keys that one reader delivers over and over.

    Parameters
    ----------
    period : int
        Number of records after which the reader comes to its first one again.
    budget : int
        Bytes that the images may take.
    """

    def __init__(self, period: int, budget: int) -> None:
        self.period = period
        self.budget = budget
        self.clear()

    def clear(self) -> None:
        """Drop all records."""
        self.images: Tensor | None = None
        self.labels = np.empty(self.period, np.float32)
        self.keys: list[bytes] = [b""] * self.period
        self.known = 0

    @property
    def full(self) -> bool:
        """True once the cache holds every record."""
        return self.known >= self.period

    def add(self, first: int, images: Tensor, labels: Float32Array, keys: list[bytes]) -> bool:
        """Keep records `first`, `first + 1`, ... of the reader; False if they cannot be kept."""
        if self.images is None:
            if images[0].numel() * self.period > self.budget:
                return False
            shape = (self.period, *images.shape[1:])
            self.images = torch.empty(shape, dtype=images.dtype, device=images.device)
        if images.dtype != self.images.dtype or images.shape[1:] != self.images.shape[1:]:
            return False
        number = min(len(keys), self.period)
        rows = (first + np.arange(number)) % self.period
        self.images[upload(rows, images.device)] = images[:number]
        self.labels[rows] = labels[:number]
        for row, key in zip(rows, keys, strict=False):
            self.keys[row] = key
        self.known += number
        return True

    def get(self, first: int, number: int) -> tuple[Tensor, Float32Array, list[bytes]]:
        """Images, labels and keys of records `first` to `first + number`."""
        assert self.images is not None
        rows = (first + np.arange(number)) % self.period
        images = self.images[upload(rows, self.images.device)]
        return images, self.labels[rows], [self.keys[row] for row in rows]
