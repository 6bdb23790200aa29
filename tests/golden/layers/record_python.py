"""Record python.npz with genuine Caffe's pycaffe, in this folder: python record_python.py."""

import sys

import numpy as np

sys.path.insert(0, ".")
import caffe

caffe.set_mode_cpu()
found = {}
for phase in (caffe.TRAIN, caffe.TEST):
    net = caffe.Net("python.prototxt", phase)
    generator = np.random.RandomState(1)
    for name in ("x", "t"):
        net.blobs[name].data[...] = generator.randn(3, 4)
    for _ in range(2):
        net.forward()
    net.backward()
    for name, blob in net.blobs.items():
        found[f"{phase}/data/{name}"] = blob.data.copy()
    for name in ("x", "t", "p", "y", "z"):
        found[f"{phase}/diff/{name}"] = net.blobs[name].diff.copy()
    found[f"{phase}/weight/scaled"] = net.params["scaled"][0].diff.copy()
np.savez_compressed("python.npz", **found)
