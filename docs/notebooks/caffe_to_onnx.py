# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A Caffe net, from prototxt to ONNX
#
# Caffe's files run as they are, without Caffe, and leave as ONNX or as a program for
# `torch.export.load`.

# %%
import importlib.util
from pathlib import Path

import numpy as np

from i2cnn.cli.main import main
from i2cnn.engine import start_engine

Path("deploy.prototxt").write_text("""
name: "tiny"
layer { name: "data" type: "Input" top: "data"
  input_param { shape { dim: 1 dim: 3 dim: 12 dim: 12 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "fc2" type: "InnerProduct" bottom: "pool1" top: "fc2"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc2" top: "prob" }
""")

# %% [markdown]
# pycaffe's own interface. A net of yours would come with its weights; this one has those of its
# fillers.

# %%
caffe = start_engine("torch", "cpu")  # as get_engine, but logs warnings only
net = caffe.Net("deploy.prototxt", caffe.TEST)
net.save("net.caffemodel")
net.blobs["data"].data[...] = np.random.default_rng(0).normal(size=(1, 3, 12, 12))
scores = net.forward()["prob"].copy()
print(scores.round(3))

# %% [markdown]
# The file is kept only if it gives what the net gives, to 1e-5. ONNX needs `pip install
# "i2cnn[export]"`.

# %%
words = ["caffe", "export", "-model", "deploy.prototxt", "-weights", "net.caffemodel"]
has_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript"))
words += ["-onnx", "net.onnx"] if has_onnx else ["-torch", "net.pt2"]
assert main(words) == 0

# %% [markdown]
# ONNX Runtime gives the same scores.

# %%
if has_onnx:
    import onnxruntime

    session = onnxruntime.InferenceSession("net.onnx")
    name = session.get_inputs()[0].name
    (again,) = session.run(None, {name: net.blobs["data"].data})
    print(np.abs(again - scores).max())
