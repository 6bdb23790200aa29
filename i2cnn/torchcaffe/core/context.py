"""Options of a new net, and what its layers share."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from i2cnn.torchcaffe.core.rng import CaffeRNG


@dataclass(frozen=True)
class Shard:
    """The records that one of several processes reads: `rank`, `rank + count`, ..."""

    rank: int = 0
    count: int = 1


@dataclass(frozen=True)
class NetOptions:
    """How a new net computes, apart from its prototxt.

    Parameters
    ----------
    device : torch.device
        Where it computes.
    rng : CaffeRNG
        Generator of initial weights, of the data layers' seeds and of dropout masks; shared by
        all nets that one thread makes, as in Caffe.
    shard : Shard
        This process's place among those that train the net together (Caffe's solver_rank and
        solver_count).
    precision : {"float32", "tf32", "bf16"}
        What convolutions and inner products multiply in.
    """

    device: torch.device
    rng: CaffeRNG
    shard: Shard = field(default_factory=Shard)
    precision: str = "float32"

    @property
    def bf16(self) -> bool:
        """True if convolutions and inner products multiply in bfloat16."""
        return self.precision == "bf16"

    @property
    def memory_format(self) -> torch.memory_format:
        """Order of a convolution's bottom in memory.

        Channels last is the fast order of oneDNN, of a GPU's tensor cores, of LRN and of pooling.
        Where a GPU computes exact float32, without tensor cores, cuDNN is made for the other one.
        """
        return torch.contiguous_format if self.exact_gpu else torch.channels_last

    @property
    def exact_gpu(self) -> bool:
        """True for exact float32 on a GPU, which leaves its tensor cores idle."""
        return self.device.type == "cuda" and self.precision == "float32"

    @property
    def tensor_cores(self) -> bool:
        """True for the precisions of a GPU's tensor cores."""
        return self.device.type == "cuda" and not self.exact_gpu


@dataclass(frozen=True)
class Context:
    """What the layers of one net share.

    Parameters
    ----------
    net : str
        The net's name, for errors.
    train : bool
        True in phase TRAIN.
    options : NetOptions
        What the net was made with.
    """

    net: str
    train: bool
    options: NetOptions

    @property
    def device(self) -> torch.device:
        """Where the net computes."""
        return self.options.device

    @property
    def rng(self) -> CaffeRNG:
        """The generator of the thread that made the net."""
        return self.options.rng

    @property
    def shard(self) -> Shard:
        """The records to read; a TEST net reads all, since only the root tests."""
        return self.options.shard if self.train else Shard()
