"""Trains the net of docs/lenet.md by genuine Caffe and records its weights and accuracy.

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


if __name__ == "__main__":
    from i2cnn.torchcaffe.formats.storage import read_weights

    folder, caffe = sys.argv[1:]
    words = [caffe, "train", "-solver", "solver.prototxt"]
    done = subprocess.run(words, cwd=folder, stderr=subprocess.PIPE, text=True, check=True)
    accuracy = re.findall(r"Test net output #0: accuracy = (\S+)", done.stderr)
    params = read_weights(Path(folder, "lenet_iter_100.caffemodel"))
    recorded = {"accuracy": [float(x) for x in accuracy], "params": summary(params)}
    Path(__file__).with_name("lenet.json").write_text(json.dumps(recorded))
