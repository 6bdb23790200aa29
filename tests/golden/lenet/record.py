"""Trains the net of docs/lenet.md by genuine Caffe and records its weights and accuracy.

After 100 iterations, as the page does, and after 1000, as the model that ships was.

record.py FOLDER CAFFE: FOLDER has what the page's program wrote, CAFFE is genuine Caffe's program.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np


def summary(params):
    """Of each parameter the shape, sums, and every n-th number."""
    found = {}
    for name, arrays in params.items():
        for i, array in enumerate(arrays):
            flat = np.asarray(array, np.float64).ravel()
            numbers = [*flat[:: max(1, flat.size // 20)], flat.sum(), np.abs(flat).sum()]
            found[f"{name}/{i}"] = [list(np.shape(array)), [round(x, 6) for x in numbers]]
    return found


def train(folder, caffe, iterations):
    """What genuine Caffe has after so many iterations."""
    text = Path(folder, "solver.prototxt").read_text()
    text = re.sub("max_iter: [0-9]+", f"max_iter: {iterations}", text)
    Path(folder, "genuine.prototxt").write_text(text)
    words = [caffe, "train", "-solver", "genuine.prototxt"]
    done = subprocess.run(words, cwd=folder, stderr=subprocess.PIPE, text=True, check=True)
    accuracy = re.findall(r"Test net output #0: accuracy = (\S+)", done.stderr)
    params = read_weights(Path(folder, f"lenet_iter_{iterations}.caffemodel"))
    return {"accuracy": float(accuracy[-1]), "params": summary(params)}


if __name__ == "__main__":
    from i2cnn.torchcaffe.formats.storage import read_weights

    folder, caffe = sys.argv[1:]
    recorded = {number: train(folder, caffe, number) for number in (100, 1000)}
    Path(__file__).with_name("lenet.json").write_text(json.dumps(recorded))
