"""Several processes train one net together, as genuine Caffe does on several devices.

Each process has a solver of its own and takes full batches of its own records; gradients are
averaged before each update. Weights start as the root's (rank 0), and only the root tests,
displays and takes snapshots.

Once per iteration, after its backward pass, the processes exchange what was asked of them and
whether one has failed. So a signal that reaches one of them stops all after the same iteration,
and an error in one ends all.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from enum import IntEnum
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.graph import increment_version

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.util.errors import InputError

#: The others wait this long for the root's tests and snapshots. A process that ended is noticed
#: at once, by its closed connections.
TIMEOUT = timedelta(hours=24)

T = TypeVar("T")


class Request(IntEnum):
    """What a process asks of the whole group; the largest request wins."""

    NONE = 0
    SNAPSHOT = 1
    STOP = 2
    FAILED = 3


class Group:
    """The processes that train one net together, not connected: usually this one alone.

    Parameters
    ----------
    rank, size : int
        This process's number, 0 for the root, and how many there are (Caffe's solver_rank and
        solver_count).
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank = rank
        self.size = size

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        """Overwrite the tensors with the root's."""

    def average(self, tensors: Iterable[Tensor]) -> None:
        """Replace the tensors by their mean over the processes; one alone asks for none of them."""

    def agree(self, request: Request) -> Request:
        """The largest request of all; an InputError if another process failed."""
        return request

    def fail(self) -> None:
        """Tell the others, which wait in :meth:`agree` or will call it, that this one ends."""

    def gather(self, value: T) -> list[T]:
        """Every process's value, by rank, at the root; an empty list elsewhere."""
        return [value]


class ProcessGroup(Group):
    """Processes connected by torch.distributed, this one included."""

    def __init__(self) -> None:
        super().__init__(dist.get_rank(), dist.get_world_size())
        self.broken = False

    @contextlib.contextmanager
    def _connected(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            self.broken = True
            raise CaffeError(
                "another process of the training ended; its own message, or the system's log, "
                f"tells why ({str(error).splitlines()[0]})"
            ) from None

    def broadcast(self, tensors: Sequence[Tensor]) -> None:
        with self._connected():
            for tensor in tensors:
                dist.broadcast(tensor, src=0)
                increment_version(tensor)

    def average(self, tensors: Iterable[Tensor]) -> None:
        tensors = list(tensors)
        with self._connected():
            for work in [dist.all_reduce(tensor, async_op=True) for tensor in tensors]:
                work.wait()
        for tensor in tensors:
            tensor.mul_(1.0 / self.size)  # the sum, then scaled, as Caffe does

    def agree(self, request: Request) -> Request:
        largest = torch.tensor(int(request))
        with self._connected():
            dist.all_reduce(largest, op=dist.ReduceOp.MAX)
        if int(largest) == Request.FAILED and request != Request.FAILED:
            self.broken = True
            raise CaffeError("another process of the training failed; its message tells why")
        return Request(int(largest))

    def fail(self) -> None:
        if not self.broken:
            with contextlib.suppress(InputError):
                self.agree(Request.FAILED)
            self.broken = True

    def gather(self, value: T) -> list[T]:
        values: list[Any] | None = [None] * self.size if self.rank == 0 else None
        with self._connected():
            dist.gather_object(value, values, dst=0)
        return values or []


@contextlib.contextmanager
def joined() -> Iterator[Group]:
    """The group that torchrun or :func:`launch` started this process in, or this process alone."""
    if not {"RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"} <= os.environ.keys():
        yield Group()
        return
    dist.init_process_group(_backend(), timeout=TIMEOUT)
    group = ProcessGroup()
    try:
        yield group
    finally:
        if not group.broken:
            dist.destroy_process_group()


def _backend() -> str:
    # Messages between processes go through gloo and so never wait for a GPU.
    cuda = torch.cuda.is_available() and dist.is_nccl_available()
    return "cpu:gloo,cuda:nccl" if cuda else "gloo"


def connect(address: str, rank: int, size: int) -> ProcessGroup:
    """The group of `size` processes that meet at an address (host:port), which the root opens.

    A group that this process was in before is left.
    """
    if dist.is_initialized():
        dist.destroy_process_group()
    dist.init_process_group(
        _backend(), init_method=f"tcp://{address}", rank=rank, world_size=size, timeout=TIMEOUT
    )
    return ProcessGroup()


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _start(rank: int, size: int, port: int, run: Callable[[], None]) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE=str(size),
        MASTER_ADDR="127.0.0.1",
        MASTER_PORT=str(port),
    )
    run()


def launch(run: Callable[[], None], size: int) -> int:
    """Run a function in `size` processes of this machine that can join one group.

    Parameters
    ----------
    run : callable
        Must be picklable; ends its process by SystemExit where it fails.
    size : int
        Number of processes.

    Returns
    -------
    int
        Exit status: 0, or that of the first process that failed, after which the others are
        terminated. Signals are passed on to the root.
    """
    from torch.multiprocessing.spawn import ProcessContext, ProcessExitedException, start_processes

    start: Callable[..., ProcessContext] = start_processes
    context = start(_start, (size, free_port(), run), nprocs=size, join=False, start_method="spawn")
    root: int = context.processes[0].pid

    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(root, number)

    before = {
        number: signal.signal(number, pass_on)
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
    }
    try:
        while not context.join():
            pass
    except ProcessExitedException as error:
        return error.exit_code if error.exit_code > 0 else 128 - error.exit_code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
