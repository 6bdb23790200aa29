"""A program written for pycaffe. It runs on genuine Caffe and on ours; both must say the same.

`run(caffe)` gets the module and returns numbers and texts; run as a program it records them.
"""

# ruff: noqa: C408 (as pycaffe programs are written)

import json
import os

import numpy as np

DEPLOY = """name: "small" force_backward: true
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 4 dim: 3 dim: 12 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" convolution_param {
        num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
"""


def rounded(array):
    return np.asarray(array, np.float64).round(5).tolist()


def run(caffe):
    found = {}
    with open("deploy.prototxt", "w") as file:
        file.write(DEPLOY)
    caffe.set_mode_cpu()
    caffe.set_random_seed(4)
    net = caffe.Net("deploy.prototxt", caffe.TEST)
    rng = np.random.RandomState(8)
    images = rng.rand(6, 3, 12, 12).astype(np.float32)

    found["forward_all"] = {
        k: rounded(v.sum(0)) for k, v in net.forward_all(blobs=["fc"], data=images).items()
    }
    diffs = rng.randn(6, 6).astype(np.float32)
    data, grads = net.forward_backward_all(data=images, prob=diffs)
    found["forward_backward_all"] = [
        {k: rounded(np.abs(v).sum()) for k, v in part.items()} for part in (data, grads)
    ]
    found["partial"] = {k: rounded(v.sum()) for k, v in net.forward(end="fc").items()}
    net.blobs["fc"].data[...] = np.arange(24).reshape(4, 6) / 10.0
    found["from_fc"] = rounded(net.forward(start="prob")["prob"][2])
    found["backward_part"] = sorted(net.backward(start="prob", end="fc", prob=diffs[:4]))
    net.blobs["data"].reshape(2, 3, 12, 12)
    net.reshape()
    found["reshaped"] = [list(net.blobs[name].data.shape) for name in ("conv", "prob")]
    net.blobs["data"].data[...] = images[:2]
    found["two"] = rounded(net.forward()["prob"])
    blob = net.blobs["conv"]
    found["legacy_shape"] = [blob.num, blob.channels, blob.height, blob.width, blob.count]
    found["layer"] = [net.layers[1].type, len(net.layers[1].blobs), net.layer_dict["fc"].type]

    net.save("small.caffemodel")
    net.save_hdf5("small.h5")
    caffe.set_random_seed(5)
    other = caffe.Net("deploy.prototxt", caffe.TEST, weights="small.caffemodel")
    found["loaded"] = rounded(other.params["fc"][0].data.sum())
    legacy = caffe.Net("deploy.prototxt", "small.caffemodel", caffe.TEST)
    found["legacy"] = rounded(legacy.params["conv"][0].data.sum())
    third = caffe.Net("deploy.prototxt", caffe.TEST)
    third.load_hdf5("small.h5")
    found["hdf5"] = rounded(third.params["fc"][0].data.sum())
    third.share_with(net)
    net.params["fc"][0].data[...] = 2
    found["shared"] = rounded(third.params["fc"][0].data.sum())

    classifier = caffe.Classifier(
        "deploy.prototxt",
        "small.caffemodel",
        image_dims=(15, 16),
        mean=np.array([0.1, 0.2, 0.3]),
        input_scale=2,
        raw_scale=3,
        channel_swap=(2, 1, 0),
    )
    pictures = [rng.rand(15, 16, 3).astype(np.float32) for _ in range(3)]
    found["ten_crops"] = rounded(classifier.predict(pictures))
    found["centre"] = rounded(classifier.predict(pictures, oversample=False))

    solver = caffe.get_solver("solver_sgd.prototxt")
    calls = []
    solver.add_callback(
        lambda: calls.append(["start", solver.iter]),
        lambda: calls.append(["update", rounded(solver.net.params["fc2"][1].diff)]),
    )
    solver.step(2)
    found["callbacks"] = calls
    by_hand = caffe.SGDSolver("solver_sgd.prototxt")
    by_hand.net.forward()
    by_hand.net.clear_param_diffs()
    by_hand.net.backward()
    by_hand.apply_update()
    found["by_hand"] = rounded(by_hand.net.params["fc2"][0].data.sum(1))
    by_hand.test_nets[0].share_with(by_hand.net)
    found["test_net"] = {k: rounded(v) for k, v in by_hand.test_nets[0].forward().items()}
    found["spec"] = spec(caffe)
    return found


def spec(caffe):
    L, P = caffe.layers, caffe.params
    net = caffe.NetSpec()
    net.data, net.label = L.Data(
        ntop=2,
        batch_size=8,
        source="db",
        backend=P.Data.LMDB,
        transform_param=dict(scale=0.5, mean_value=[1, 2, 3]),
        include=dict(phase=caffe.TRAIN),
    )
    net.conv1 = L.Convolution(
        net.data,
        kernel_size=3,
        num_output=4,
        pad=1,
        param=[dict(lr_mult=1, decay_mult=1), dict(lr_mult=2, decay_mult=0)],
        weight_filler=dict(type="xavier"),
    )
    net.relu1 = L.ReLU(net.conv1, in_place=True)
    net.pool1 = L.Pooling(net.relu1, pool=P.Pooling.AVE, kernel_size=2, stride=2)
    net.sum = L.Eltwise(net.pool1, L.Dropout(net.pool1, dropout_ratio=0.3), operation=P.Eltwise.SUM)
    net["odd-name"] = L.InnerProduct(L.TanH(net.sum), num_output=7, name="other")
    net.a, net.b = L.Slice(net["odd-name"], ntop=2, slice_point=3)
    net.quiet = L.Silence(net.b, ntop=0)
    net.loss = L.SoftmaxWithLoss(net.a, net.label, loss_weight=2, loss_param=dict(ignore_label=1))
    return [str(net.to_proto()), str(caffe.to_proto(net.pool1))]


if __name__ == "__main__":
    os.environ.setdefault("GLOG_minloglevel", "2")
    import caffe

    with open("program.json", "w") as file:
        json.dump(run(caffe), file, indent=1, sort_keys=True)
