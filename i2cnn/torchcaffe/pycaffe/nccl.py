"""pycaffe's NCCL: processes that train one net together average their gradients.

As in Caffe's train.py, each process says how many there are and which it is, makes its solver and
an :class:`NCCL`, and gives that to the solver as a callback::

    caffe.set_solver_count(2)
    caffe.set_solver_rank(rank)
    solver = caffe.SGDSolver("solver.prototxt")
    nccl = caffe.NCCL(solver, uid)  # uid: caffe.NCCL.new_uid() of the process that started them
    nccl.bcast()
    solver.add_callback(nccl)
    if solver.param.layer_wise_reduce:
        solver.net.after_backward(nccl)

It works through torch.distributed: NCCL between GPUs, gloo between CPUs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch import Tensor

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.parallel import Group, connect, free_port
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.pycaffe.solvers import SGDSolver


class NCCL:
    """This process's part in a training.

    Parameters
    ----------
    solver : SGDSolver
        This process's solver.
    uid : bytes or str
        What :meth:`new_uid` gave to the process that started all of them. Waits until all are
        there.

    Raises
    ------
    InputError
        The rank of this process is not below the number of processes.
    """

    def __init__(self, solver: SGDSolver, uid: bytes | str) -> None:
        rank, size = runtime.group.rank, runtime.group.size
        if rank >= size:
            raise CaffeError(
                f"NCCL: solver rank {rank} of {size} solver(s); call set_solver_count before"
            )
        address = uid.decode() if isinstance(uid, bytes) else uid
        self._core = solver._core
        self._group = connect(address, rank, size) if size > 1 else Group()
        self._layer_wise = False

    @staticmethod
    def new_uid() -> bytes:
        """An address of this machine at which the processes of one training meet."""
        return f"127.0.0.1:{free_port()}".encode()

    def bcast(self) -> None:
        """Start from the root's parameters."""
        self._group.broadcast([entry.blob.tensor for entry in self._core.net.learnable])

    def __call__(self, layer: int) -> None:
        """Average the gradients of a layer's parameters, as a net's callback after_backward."""
        self._layer_wise = True
        self._group.average(_grads(self._core.net.nodes[layer].layer.blobs))

    def on_start(self) -> None:
        """Called by the solver before each iteration."""

    def on_gradients_ready(self) -> None:
        """Average all gradients before the update, unless that was done layer by layer."""
        if not self._layer_wise:
            self._group.average(_grads(entry.blob for entry in self._core.net.learnable))


def _grads(blobs: Iterable[Blob]) -> Iterator[Tensor]:
    return (blob.grad for blob in blobs)
