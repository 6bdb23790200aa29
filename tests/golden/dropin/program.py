"""What of pycaffe few programs use: Detector, coord_map, draw, ids, learning rates.

`run(caffe)` gets the module, genuine pycaffe's or ours, and returns numbers and texts. Run as a
program by genuine pycaffe (with pydot) it records them in program.json.
"""

# ruff: noqa: C408 (as pycaffe programs are written)

import importlib
import json
import os

import numpy as np

NET = """name: "small" force_backward: true
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 3 dim: 3 dim: 12 dim: 12 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv" param { lr_mult: 1 }
        param { lr_mult: 2 } convolution_param { num_output: 5 kernel_size: 3 stride: 2 pad: 1
        weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool"
        pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "fc" type: "InnerProduct" bottom: "pool" top: "fc"
        inner_product_param { num_output: 6 weight_filler { type: "xavier" } } }
layer { name: "label" type: "DummyData" top: "label" include { phase: TRAIN }
        dummy_data_param { shape { dim: 3 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss"
        loss_weight: 0.5 include { phase: TRAIN } }
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" exclude { phase: TRAIN } }
"""
SOLVER = """net: "small.prototxt" base_lr: 0.1 lr_policy: "step" gamma: 0.5 stepsize: 2
momentum: 0.9 max_iter: 5 snapshot_after_train: false solver_mode: CPU
"""
WINDOWS = np.array([[2, 3, 10, 12], [0, 0, 20, 30], [5, 1, 14, 9]])


def part(caffe, name):
    return importlib.import_module(caffe.__name__ + "." + name)


def rounded(array):
    return np.asarray(array, np.float64).round(5).tolist()


def run(caffe):
    with open("small.prototxt", "w") as file:
        file.write(NET)
    with open("solver.prototxt", "w") as file:
        file.write(SOLVER)
    caffe.set_mode_cpu()
    caffe.set_random_seed(4)
    found = ids(caffe.Net("small.prototxt", caffe.TRAIN))
    found["lr"] = rates(caffe.SGDSolver("solver.prototxt"))
    found["ranks"] = [caffe.solver_rank(), caffe.solver_count()]
    found["coord_map"] = maps(caffe)
    caffe.set_random_seed(5)
    caffe.Net("small.prototxt", caffe.TEST).save("small.caffemodel")
    found["detector"] = detections(caffe)
    found["graph"] = graphs(caffe)
    return found


def ids(net):
    net.blobs["data"].data[...] = np.arange(3 * 3 * 12 * 12).reshape(3, 3, 12, 12) % 7
    loss = net._forward(0, len(net.layers) - 1)
    fc = net.blobs["fc"].data.copy()
    net._backward(len(net.layers) - 1, 0)
    return {
        "ids": [[list(net._bottom_ids(i)), list(net._top_ids(i))] for i in range(len(net.layers))],
        "names": list(net._blob_names),
        "shapes": [list(blob.shape) for blob in net._blobs],
        "weights": rounded(list(net._blob_loss_weights)),
        "loss": rounded([loss]),
        "fc": rounded(fc),
        "conv_diff": rounded(np.abs(net.params["conv"][0].diff).sum()),
    }


def rates(solver):
    found = []
    solver.add_callback(lambda: found.append(solver.lr), lambda: found.append(solver.lr))
    solver.step(4)
    return rounded([*found, solver.lr])


def maps(caffe):
    L, P = caffe.layers, caffe.params
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 60, 60]))
    n.conv = L.Convolution(n.data, num_output=2, kernel_size=[3, 5], stride=[1, 2], pad=[0, 3])
    n.relu = L.ReLU(n.conv, in_place=True)
    n.dilated = L.Convolution(n.relu, num_output=2, kernel_size=3, dilation=2, pad=2)
    n.pool = L.Pooling(n.dilated, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.up = L.Deconvolution(
        n.pool, convolution_param=dict(num_output=2, kernel_size=4, stride=2, pad=1)
    )
    n.cut = L.Crop(n.up, n.dilated, axis=2, offset=3)
    coord = part(caffe, "coord_map")
    found = []
    for top in (n.conv, n.relu, n.pool, n.up, n.cut):
        axis, scale, shift = coord.coord_map_from_to(top, n.data)
        found.append([axis, rounded(np.atleast_1d(scale)), rounded(np.atleast_1d(shift))])
    found.append(str(coord.crop(n.up, n.dilated).to_proto().layer[-1].crop_param))
    return found


def picture():
    rng = np.random.RandomState(3)
    pixels = rng.randint(0, 256, (20, 30, 3)).astype(np.uint8)
    with open("picture.ppm", "wb") as file:
        file.write(b"P6\n30 20\n255\n" + pixels.tobytes())
    return "picture.ppm"


def detections(caffe):
    name = picture()
    mean = np.arange(3 * 12 * 12, dtype=np.float32).reshape(3, 12, 12) / 9
    found = []
    for settings in (
        dict(),
        dict(mean=mean.mean(1).mean(1), raw_scale=255.0, channel_swap=(2, 1, 0)),
        dict(mean=mean, raw_scale=255.0, input_scale=0.02, channel_swap=(2, 1, 0), context_pad=2),
    ):
        detector = caffe.Detector("small.prototxt", "small.caffemodel", **settings)
        for one in detector.detect_windows([(name, WINDOWS)]):
            found.append([one["filename"], rounded(one["window"]), rounded(one["prediction"])])
    return found


def graphs(caffe):
    text = importlib.import_module("google.protobuf.text_format")
    net = text.Parse(NET, caffe.io.caffe_pb2.NetParameter())
    draw = part(caffe, "draw")
    return [
        draw.get_pydot_graph(net, "LR", phase=caffe.TRAIN, display_lrm=True).to_string(),
        draw.get_pydot_graph(net, "TB", label_edges=False).to_string(),
    ]


class _Whole:
    """NumPy for genuine Detector.crop, which slices by floats: its round and clip give integers."""

    def __getattr__(self, name):
        return getattr(np, name)

    def round(self, values):
        return np.round(values).astype(int)

    def clip(self, *arguments):
        return np.clip(*arguments).astype(int)


if __name__ == "__main__":
    import tempfile

    import caffe

    here = os.path.dirname(os.path.abspath(__file__))
    os.chdir(tempfile.mkdtemp())
    part(caffe, "detector").np = _Whole()
    # Newer versions of scikit-image do not know the argument that genuine load_image gives.
    skimage = importlib.import_module("skimage.io")
    caffe.io.load_image = lambda name: np.float32(skimage.imread(name) / 255.0)
    with open(os.path.join(here, "program.json"), "w") as file:
        json.dump(run(caffe), file)
