"""Data sets that fit into a device's memory stay there, as bytes, from the first lap on."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

#: Share of the device's free memory that one data layer's images may take.
SHARE = 0.25


def room(device: torch.device) -> int:
    """Bytes that one data layer may hold on a device; 0 on the CPU."""
    if device.type != "cuda":
        return 0
    return int(torch.cuda.mem_get_info(device)[0] * SHARE)


class Held:
    """The records that one reader goes through again and again.

    Parameters
    ----------
    period : int
        Records until the reader comes to its first one again.
    limit : int
        Bytes that their images may take.
    """

    def __init__(self, period: int, limit: int) -> None:
        self.period = period
        self.limit = limit
        self.forget()

    def forget(self) -> None:
        """Start anew; nothing is held."""
        self.images: Tensor | None = None
        self.labels = np.empty(self.period, np.float32)
        self.keys: list[bytes] = [b""] * self.period
        self.known = 0

    @property
    def full(self) -> bool:
        """True once every record is here."""
        return self.known >= self.period

    def add(self, first: int, images: Tensor, labels: np.ndarray, keys: list[bytes]) -> bool:
        """Keep records `first`, `first + 1`, ... of the reader; False if they cannot be kept."""
        if self.images is None:
            if images[0].numel() * self.period > self.limit:
                return False
            shape = (self.period, *images.shape[1:])
            self.images = torch.empty(shape, dtype=images.dtype, device=images.device)
        if images.dtype != self.images.dtype or images.shape[1:] != self.images.shape[1:]:
            return False
        number = min(len(keys), self.period)
        rows = (first + np.arange(number)) % self.period
        self.images[torch.from_numpy(rows).to(images.device)] = images[:number]
        self.labels[rows] = labels[:number]
        for row, key in zip(rows, keys, strict=False):
            self.keys[row] = key
        self.known += number
        return True

    def take(self, first: int, number: int) -> tuple[Tensor, np.ndarray, list[bytes]]:
        """Images, labels and keys of records `first` to `first + number`."""
        assert self.images is not None
        rows = (first + np.arange(number)) % self.period
        images = self.images[torch.from_numpy(rows).to(self.images.device)]
        return images, self.labels[rows], [self.keys[row] for row in rows]
