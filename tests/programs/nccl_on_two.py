"""Two processes train as Caffe's train.py has them: caffe.NCCL averages their gradients.

nccl_on_two.py SOLVER: writes rank0.npz and rank1.npz, with gradients averaged at once, and layer by
layer, after the same step.
"""

from __future__ import annotations

import multiprocessing
import sys

import numpy as np

from i2cnn.torchcaffe import pycaffe as caffe


def train(solver_file: str, uids: list[bytes], rank: int) -> None:
    caffe.set_solver_count(2)
    caffe.set_solver_rank(rank)
    found = {}
    for uid, name in zip(uids, ("whole", "layers"), strict=True):
        caffe.set_random_seed(rank)
        solver = caffe.SGDSolver(solver_file)
        nccl = caffe.NCCL(solver, uid)
        nccl.bcast()
        solver.add_callback(nccl)
        if name == "layers":
            solver.net.after_backward(nccl)
        solver.net.blobs["data"].data[...] = rank
        found[f"{name}_start"] = solver.net.params["fc"][0].data.copy()
        solver.step(1)
        found[f"{name}_diff"] = solver.net.params["fc"][1].diff.copy()
        found[f"{name}_end"] = solver.net.params["fc"][0].data.copy()
    np.savez(f"rank{rank}.npz", **found)


if __name__ == "__main__":
    uids = [caffe.NCCL.new_uid() for _ in range(2)]
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=train, args=(sys.argv[1], uids, rank)) for rank in (0, 1)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    sys.exit(max(1 if process.exitcode is None else process.exitcode for process in both))
