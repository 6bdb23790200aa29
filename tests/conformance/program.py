"""Runs a random net, on genuine Caffe or on ours; as a program, a server of genuine Caffe.

A case is a folder with net.prototxt, case.json and inputs.npz. The server reads folders line by
line, runs each case in a child, since genuine Caffe aborts where ours raises, and answers each with
a line; the child leaves 0.npz, 1.npz and 2.npz. It runs on Python 3.9, which genuine pycaffe has.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator

import numpy as np

#: Seconds that a net may take.
LIMIT = 120


def steps(caffe, folder: str, noise: int | None = None, seen=id) -> Iterator[dict[str, np.ndarray]]:
    """What can be compared once the net is built, after its forward and after its backward passes.

    With `noise`, a seed, inputs and parameters differ a little from those of the case: what that
    changes, rounding may change too. `seen` is called with the net.
    """
    with open(os.path.join(folder, "case.json")) as file:
        case = json.load(file)
    with np.load(os.path.join(folder, "inputs.npz")) as file:
        inputs = {name: file[name] for name in file}
    caffe.set_random_seed(case["seed"])
    net = caffe.Net(os.path.join(folder, "net.prototxt"), case["phase"])
    seen(net)
    params = {f"{name}/{i}": b for name, blobs in net.params.items() for i, b in enumerate(blobs)}
    yield {f"filled/{name}": blob.data.copy() for name, blob in params.items()}

    weights = np.random.RandomState(case["seed"])
    changes = np.random.RandomState(noise or 0)

    def changed(values):
        factor = 1 + 1e-6 * changes.randn(*values.shape)
        return values if noise is None else np.asarray(values * factor, np.float32)

    for name, values in inputs.items():
        net.blobs[name].data[...] = changed(values) if name.startswith("x") else values
    if "weights" in case:  # a model: its parameters are given, not its inputs
        net.copy_from(case["weights"])
        for name in net.inputs:
            blob = net.blobs[name]
            blob.data[...] = changed(weights.randn(*blob.data.shape))
    else:
        for name, blob in params.items():
            values = blob.data + 0.3 * weights.randn(*blob.data.shape)
            # Variances and their number are not negative.
            blob.data[...] = changed(abs(values) if name.startswith("BatchNorm") else values)
    for _ in range(case["passes"]):
        net.forward()
    if case["other_shape"]:
        blob = net.blobs["x0"]
        blob.reshape(*case["other_shape"])
        net.reshape()
        blob.data[...] = changed(weights.randn(*case["other_shape"]))
        net.forward()
    found = {f"data/{name}": blob.data.copy() for name, blob in net.blobs.items()}
    yield {**found, **{f"after/{name}": blob.data.copy() for name, blob in params.items()}}

    for name in case["outputs"]:
        blob = net.blobs[name]
        blob.diff[...] = weights.randn(*blob.diff.shape)
    net.backward()
    found = {f"diff/{name}": blob.diff.copy() for name, blob in net.blobs.items()}
    yield {**found, **{f"gradient/{name}": blob.diff.copy() for name, blob in params.items()}}


def _child(caffe, folder: str) -> None:
    signal.alarm(LIMIT)
    log = os.open(os.path.join(folder, "stderr.txt"), os.O_WRONLY | os.O_CREAT)
    os.dup2(log, 2)
    try:
        for i, found in enumerate(steps(caffe, folder)):
            np.savez(os.path.join(folder, f"part{i}.npz"), **found)
            os.rename(os.path.join(folder, f"part{i}.npz"), os.path.join(folder, f"{i}.npz"))
    except BaseException as error:
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def _serve() -> None:
    os.environ.setdefault("GLOG_minloglevel", "2")
    import caffe

    caffe.set_mode_cpu()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Caffe prints
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _child(caffe, line.strip())
        _, status = os.waitpid(child, 0)
        answers.write(f"{status}\n")
        answers.flush()


if __name__ == "__main__":
    _serve()
