"""Where a Data layer's batches lie on the device."""

from __future__ import annotations

import torch
from torch import Tensor

from i2cnn.torchcaffe.core.memory import upload
from i2cnn.torchcaffe.data.batches import Batch
from i2cnn.torchcaffe.data.transform import Windows


class Feed:
    """The images, windows and labels of the present batch.

    On a GPU they lie in the same memory from batch to batch, where a CUDA graph finds them, as long
    as the images keep their size.

    Parameters
    ----------
    device : torch.device

    Attributes
    ----------
    fixed : bool
        Keep to one place in memory.
    images : Tensor
        (N, H, W, C): uint8, to be cut out by `windows`, or float32 and transformed.
    windows : Tensor of int64
        (3, N): top, left and mirror of each image; empty for transformed ones.
    labels : Tensor of float32
        (N,).
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.fixed = device.type != "cpu"
        self.images = torch.empty(0)
        self.windows = torch.empty(0)
        self.labels = torch.empty(0)

    def load(self, batch: Batch, windows: Windows) -> None:
        """Make this the present batch."""
        self.images = self._hold(self.images, batch.images)
        self.windows = self._hold(self.windows, upload(windows, self.device))
        self.labels = self._hold(self.labels, upload(batch.labels, self.device))

    @property
    def places(self) -> tuple[int, ...]:
        """Addresses in the device's memory."""
        return tuple(x.data_ptr() for x in (self.images, self.windows, self.labels))

    def _hold(self, old: Tensor, new: Tensor) -> Tensor:
        if not self.fixed or old.shape != new.shape or old.dtype != new.dtype:
            return new
        return old.copy_(new)
