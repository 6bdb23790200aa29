"""Records a run of genuine Caffe 1.0 (CPU) with crops, mirrors and dropout: run in here.

Needs its pycaffe, and data_lmdb of ../lmdb.tar.gz in this folder while it runs.
"""

import os

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np

caffe.set_mode_cpu()
solver = caffe.get_solver("solver.prototxt")
losses = []
for _ in range(20):
    solver.step(1)
    losses.append(float(solver.net.blobs["loss"].data))
arrays = {
    f"{name}/{i}": blob.data.copy()
    for name, blobs in solver.net.params.items()
    for i, blob in enumerate(blobs)
}
np.savez_compressed("run.npz", losses=np.array(losses), **arrays)
