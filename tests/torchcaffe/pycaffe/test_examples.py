"""What Caffe's example notebooks do, in small programs of our own: surgery, steps by hand, ..."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.proto import caffe_pb2

L, P = caffe.layers, caffe.params
FILLER = {"type": "xavier"}


def write(name: str, *tops: object) -> str:
    """Write the net of some tops; returns the file's name."""
    Path(name).write_text(str(caffe.to_proto(*tops)))
    return name


def test_net_surgery_makes_a_classifier_a_map(folder: Path) -> None:
    """Weights of a fully connected layer, unrolled into those of a convolution (net_surgery)."""
    rng = np.random.default_rng(2)
    data = L.Input(shape={"dim": [1, 3, 6, 6]}, name="data")
    fc = L.InnerProduct(data, num_output=4, weight_filler=FILLER, name="fc")
    net = caffe.Net(write("fc.prototxt", L.Softmax(fc, name="prob")), caffe.TEST)
    wide = L.Input(shape={"dim": [1, 3, 9, 8]}, name="data")
    conv = L.Convolution(wide, num_output=4, kernel_size=6, name="fc-conv")
    full = caffe.Net(write("conv.prototxt", L.Softmax(conv, name="prob")), caffe.TEST)
    weights, biases = (blob.data for blob in net.params["fc"])
    full.params["fc-conv"][0].data.flat = weights.flat
    full.params["fc-conv"][1].data[...] = biases
    image = rng.random((1, 3, 9, 8), np.float32)
    scores = full.forward_all(**{full.inputs[0]: image})[full.outputs[0]]
    assert scores.shape == (1, 4, 4, 3)
    window = net.forward(**{net.inputs[0]: image[:, :, 2:8, 1:7]})[net.outputs[0]]
    np.testing.assert_allclose(scores[:, :, 2, 1], window, atol=1e-6)


def test_a_parameter_may_get_the_shape_that_another_net_wants(folder: Path) -> None:
    """A fully connected layer saved for a convolution: genuine Caffe's layers take it as before."""
    data = L.Input(shape={"dim": [2, 3, 6, 6]}, name="data")
    fc = L.InnerProduct(data, num_output=4, weight_filler=FILLER, name="fc")
    net = caffe.Net(write("fc.prototxt", L.Softmax(fc, loss_weight=1)), caffe.TRAIN)
    images, scores = net.inputs[0], net.outputs[0]
    net.blobs[images].data[...] = np.random.default_rng(3).random((2, 3, 6, 6))
    before = net.forward()[scores].copy()
    net.blobs[scores].diff[:, 1] = 1
    net.backward()
    weights = net.params["fc"][0]
    gradient = weights.diff.copy()
    weights.reshape(4, 3, 6, 6)
    np.testing.assert_array_equal(net.forward()[scores], before)
    net.clear_param_diffs()
    net.backward()
    np.testing.assert_array_equal(weights.diff.reshape(4, -1), gradient)
    net.save("fc.caffemodel")
    saved = caffe_pb2.NetParameter.FromString(Path("fc.caffemodel").read_bytes())
    assert list(saved.layer[1].blobs[0].shape.dim) == [4, 3, 6, 6]
    weights.reshape(4, 100)
    with pytest.raises(RuntimeError, match="parameter 0 has 400 numbers, it needs 432"):
        net.forward()


def test_arrays_that_a_program_holds_follow_the_net(folder: Path) -> None:
    """An array of a blob, taken once, has the values of the last pass (net_surgery)."""
    data = L.Input(shape={"dim": [1, 1, 5, 5]})
    conv = L.Convolution(data, num_output=2, kernel_size=3, weight_filler=FILLER)
    net = caffe.Net(write("net.prototxt", conv), caffe.TEST)
    net.blobs[net.inputs[0]].data[...] = 1
    net.forward()
    held = net.blobs[net.outputs[0]].data[0, 0]
    before = held.mean()
    net.params["Convolution1"][1].data[0] = 1.0
    net.forward()
    assert held.mean() == pytest.approx(before + 1)
    net.blobs[net.inputs[0]].reshape(2, 1, 7, 7)
    net.reshape()
    assert net.blobs[net.outputs[0]].data.shape == (2, 2, 5, 5)


def test_a_loop_of_steps_with_looks_between(folder: Path) -> None:
    """Losses and scores of each step, the test net by hand, from a layer on (01-learning-lenet)."""
    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(
        shape=[{"dim": [6, 4]}, {"dim": [6]}],
        data_filler=[{"type": "gaussian", "std": 1}, {"type": "constant", "value": 2}],
        ntop=2,
    )
    n.ip = L.InnerProduct(n.data, num_output=3, weight_filler=FILLER)
    n.loss = L.SoftmaxWithLoss(n.ip, n.label)
    Path("net.prototxt").write_text(str(n.to_proto()))
    messages = caffe.proto.caffe_pb2
    param = messages.SolverParameter(base_lr=0.5, lr_policy="fixed", max_iter=20, random_seed=3)
    param.train_net = "net.prototxt"
    param.test_net.append("net.prototxt")
    param.test_iter.append(1)
    param.test_interval = 1000
    param.snapshot_after_train = False
    param.solver_mode = messages.SolverParameter.CPU
    Path("solver.prototxt").write_text(str(param))
    solver = caffe.get_solver("solver.prototxt")
    losses = np.zeros(20)
    for i in range(20):
        solver.step(1)
        losses[i] = solver.net.blobs["loss"].data
    assert losses[-1] < losses[0] / 4
    solver.test_nets[0].share_with(solver.net)
    solver.test_nets[0].forward(start="data")
    assert (solver.test_nets[0].blobs["ip"].data.argmax(1) == 2).all()


TUPLES = """
import json
import numpy as np
import caffe

class Tuples(caffe.Layer):
    def setup(self, bottom, top):
        settings = json.loads(self.param_str)
        self.rng = np.random.default_rng(settings["seed"])
        top[0].reshape(settings["batch"], 4)
        top[1].reshape(settings["batch"], 2)

    def reshape(self, bottom, top):
        pass

    def forward(self, bottom, top):
        top[0].data[...] = self.rng.standard_normal(top[0].data.shape)
        top[1].data[...] = top[0].data[:, :2] > 0

    def backward(self, top, propagate_down, bottom):
        pass
"""


def test_a_data_layer_in_python_with_several_labels(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pascal-multilabel-with-datalayer; weights move to another net by name (02-fine-tuning)."""
    Path("tuples.py").write_text(TUPLES)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    n = caffe.NetSpec()
    n.data, n.label = L.Python(
        module="tuples", layer="Tuples", ntop=2, param_str='{"seed": 1, "batch": 16}'
    )
    n.score = L.InnerProduct(n.data, num_output=2, weight_filler=FILLER)
    n.loss = L.SigmoidCrossEntropyLoss(n.score, n.label)
    Path("net.prototxt").write_text(str(n.to_proto()))
    Path("solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.5 lr_policy: "fixed" momentum: 0.9 max_iter: 60 '
        "snapshot_after_train: false random_seed: 1"
    )
    solver = caffe.SGDSolver("solver.prototxt")
    solver.step(60)
    solver.net.forward()
    right = (solver.net.blobs["score"].data > 0) == (solver.net.blobs["label"].data > 0)
    assert right.mean() > 0.9
    solver.net.save("trained.caffemodel")
    data = L.Input(shape={"dim": [1, 4]})
    score = L.InnerProduct(data, num_output=2, name="score")
    other = write("other.prototxt", L.InnerProduct(score, num_output=3, name="new"))
    tuned = caffe.Net(other, "trained.caffemodel", caffe.TRAIN)
    np.testing.assert_array_equal(tuned.params["score"][0].data, solver.net.params["score"][0].data)
    assert not tuned.params["new"][0].data.any()


def test_two_halves_share_their_weights(folder: Path) -> None:
    """siamese: parameters of one name are one, and their gradients add up."""
    data = L.Input(shape={"dim": [3, 5]})
    other = L.Input(shape={"dim": [3, 5]})
    same = L.Input(shape={"dim": [3]})
    shared = {"num_output": 2, "weight_filler": FILLER, "param": [{"name": "w"}, {"name": "b"}]}
    halves = [L.InnerProduct(top, name=f"ip{i}", **shared) for i, top in enumerate((data, other))]
    loss = L.ContrastiveLoss(*halves, same, name="loss")
    net = caffe.Net(write("net.prototxt", loss), caffe.TRAIN)
    rng = np.random.default_rng(3)
    for name, shape in zip(net.inputs, ((3, 5), (3, 5), (3,)), strict=True):
        net.blobs[name].data[...] = rng.random(shape) if len(shape) > 1 else [1, 1, 1]
    net.forward()
    net.backward()
    a, b = net.params["ip0"], net.params["ip1"]
    np.testing.assert_array_equal(a[0].data, b[0].data)
    difference = net.blobs[net.inputs[0]].data - net.blobs[net.inputs[1]].data
    expected = (difference @ a[0].data.T).T @ difference / 3  # of half the mean square
    np.testing.assert_allclose(a[0].diff, expected, atol=1e-6)
