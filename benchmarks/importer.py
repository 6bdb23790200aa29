"""Runs folders of Caffe nets in one program: importer.py PROGRAM FOLDER, for importers.py.

It needs only what PROGRAM needs, so that old programs run in their own environments (genuine
pycaffe on Python 3.9). Each net runs in a child, since some abort. A net's folder has net.prototxt,
net.caffemodel, inputs.npz and tops.txt; PROGRAM.npz comes to it, or PROGRAM.txt with an error.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Arrays = dict[str, Any]
Run = Callable[[], Sequence[Any]]

#: Passes that are timed; the first is not.
PASSES = 2
#: What a program imports, before it forks.
IMPORTS = {
    "torchcaffe": ["i2cnn.torchcaffe.pycaffe"],
    "caffe": ["caffe"],
    "opencv": ["cv2"],
    "caffe2onnx": ["caffe2onnx.src.caffe2onnx", "onnxruntime"],
    "caffemodel2pytorch": ["caffemodel2pytorch"],
}
MODEL, WEIGHTS = "net.prototxt", "net.caffemodel"


def torchcaffe(inputs: Arrays, tops: list[str]) -> Run:
    from i2cnn.torchcaffe import pycaffe

    return _pycaffe(pycaffe, inputs, tops)


def caffe(inputs: Arrays, tops: list[str]) -> Run:
    import caffe

    caffe.set_mode_cpu()
    return _pycaffe(caffe, inputs, tops)


def _pycaffe(caffe: Any, inputs: Arrays, tops: list[str]) -> Run:
    net = caffe.Net(MODEL, caffe.TEST, weights=WEIGHTS)

    def run() -> Sequence[Any]:
        for name, array in inputs.items():
            net.blobs[name].data[...] = array
        net.forward()
        return [net.blobs[name].data.copy() for name in tops]

    return run


def opencv(inputs: Arrays, tops: list[str]) -> Run:
    import cv2

    cv2.setNumThreads(1)
    net = cv2.dnn.readNetFromCaffe(MODEL, WEIGHTS)

    def run() -> Sequence[Any]:
        for name, array in inputs.items():
            net.setInput(array, name)
        return list(net.forward(net.getUnconnectedOutLayersNames()))

    return run


def caffe2onnx(inputs: Arrays, tops: list[str]) -> Run:
    import onnxruntime
    from caffe2onnx.src import caffe2onnx, load_save_model

    net = caffe2onnx.Caffe2Onnx(*load_save_model.loadcaffemodel(MODEL, WEIGHTS), "net")
    model = net.createOnnxModel()
    model.opset_import[0].version = 11  # as onnx 1.6 writes, which it asks for
    load_save_model.saveonnxmodel(model, "net.onnx")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession("net.onnx", options, ["CPUExecutionProvider"])
    given = dict(zip([i.name for i in session.get_inputs()], inputs.values(), strict=True))

    def run() -> Sequence[Any]:
        return list(session.run(None, given))

    return run


def caffemodel2pytorch(inputs: Arrays, tops: list[str]) -> Run:
    import caffemodel2pytorch
    import torch

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    net = caffemodel2pytorch.Net(MODEL, weights=WEIGHTS, caffe_proto=os.environ["CAFFE_PROTO"])
    net.eval()
    given = {name: torch.from_numpy(array) for name, array in inputs.items()}

    def run() -> Sequence[Any]:
        found = net(**given)
        return [found[name].numpy() for name in tops]

    return run


def _child(program: Callable[[Arrays, list[str]], Run], folder: str) -> None:
    os.chdir(folder)
    with np.load("inputs.npz") as file:
        inputs = {name: file[name] for name in file}
    with open("tops.txt") as file:
        tops = file.read().split()
    run = program(inputs, tops)
    found = run()
    start = time.process_time()
    for _ in range(PASSES):
        run()
    seconds = (time.process_time() - start) / PASSES
    arrays = {str(i): array for i, array in enumerate(found)}
    np.savez(f"{program.__name__}.npz", seconds=seconds, **arrays)


def main() -> None:
    program, base = globals()[sys.argv[1]], sys.argv[2]
    for module in IMPORTS[sys.argv[1]]:
        imported = importlib.import_module(module)
        if module == "caffemodel2pytorch":  # it translates Caffe's schema, for seconds
            imported.initialize(os.environ["CAFFE_PROTO"])
    for name in sorted(os.listdir(base)):
        folder = os.path.join(base, name)
        child = os.fork()
        if not child:
            output = os.open(os.path.join(folder, sys.argv[1] + ".txt"), os.O_WRONLY | os.O_CREAT)
            os.dup2(output, 1)
            os.dup2(output, 2)
            try:
                _child(program, folder)
            except BaseException:
                traceback.print_exc()
            sys.stderr.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()
