"""What record_rest.py and record_more.py share: nets of single layers, run by genuine pycaffe.

Per case: blobs x0, x1 ... set before the forward pass; all blobs after it (`after/NAME`); gradients
set before the backward pass (`dy/NAME`); those it left (`dx/NAME`); parameters' (`dp/LAYER/i`);
where asked for, parameters as they were filled from seed 7 (`fill/LAYER/i`). A case whose name ends
in `_twice` runs forward twice. Matrices of infogain losses are files `NAME.binaryproto`, in the
arrays as `file/NAME`.
"""

# ruff: noqa: UP031 (prototxt is full of braces)

import json
import os

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np

caffe.set_mode_cpu()
rng = np.random.RandomState(2027)
CASES = {}
ARRAYS = {}


def randn(*shape):
    return np.asarray(rng.randn(*shape), np.float32)


def inputs(*arrays):
    """Input layers x0, x1 ... of these shapes."""
    text = ""
    for i, array in enumerate(arrays):
        dims = " ".join("dim: %d" % d for d in array.shape)
        text += 'layer { name: "in%d" type: "Input" top: "x%d" input_param { shape { %s } } }\n' % (
            i,
            i,
            dims,
        )
    return text


def run(name, layers, *arrays, **options):
    """Record a net of Input layers and `layers`.

    Options: backward, force, diffs, needs, matrix, fill.
    """
    text = "force_backward: true\n" if options.get("force", True) else ""
    text += inputs(*arrays) + layers
    save = {"x%d" % i: array for i, array in enumerate(arrays)}
    if "matrix" in options:
        blob = caffe.proto.caffe_pb2.BlobProto()
        blob.shape.dim.extend(options["matrix"].shape)
        blob.data.extend(float(v) for v in options["matrix"].ravel())
        with open("matrix.binaryproto", "wb") as file:
            file.write(blob.SerializeToString())
        save["file/matrix"] = options["matrix"]
    with open("net.prototxt", "w") as file:
        file.write(text)
    caffe.set_random_seed(7)
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    os.remove("net.prototxt")
    for i, array in enumerate(arrays):
        net.blobs["x%d" % i].data[...] = array
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            if options.get("fill"):
                save["fill/%s/%d" % (layer, i)] = blob.data.copy()
            blob.data[...] = randn(*blob.data.shape)
            save["p/%s/%d" % (layer, i)] = blob.data.copy()
    for _ in range(2 if name.endswith("_twice") else 1):
        net.forward()
    for blob in net.blobs:
        if blob[0] == "y":
            save["after/" + blob] = net.blobs[blob].data.copy()
    if options.get("backward", True):
        for blob in options.get("diffs", ["y0"]):
            net.blobs[blob].diff[...] = randn(*net.blobs[blob].data.shape)
            save["dy/" + blob] = net.blobs[blob].diff.copy()
        for blobs in net.params.values():
            for blob in blobs:
                blob.diff[...] = 0
        net.backward()
        for blob in options.get("needs", ["x0"]):
            save["dx/" + blob] = net.blobs[blob].diff.copy()
        for layer, blobs in net.params.items():
            for i, blob in enumerate(blobs):
                save["dp/%s/%d" % (layer, i)] = blob.diff.copy()
    CASES[name] = text
    ARRAYS.update({name + "/" + key: value for key, value in save.items()})


def op(kind, bottoms=1, tops=1, more=""):
    """The layer `op` of x0, x1 ... with tops y0, y1 ..."""
    names = ['bottom: "x%d"' % i for i in range(bottoms)] + ['top: "y%d"' % i for i in range(tops)]
    return 'layer { name: "op" type: "%s" %s %s }\n' % (kind, " ".join(names), more)


#: Gives the bottom of a layer a gradient without force_backward, which some layers abort at: x0
#: times 1.
LEARNED = 'layer { name: "one" type: "Scale" bottom: "x0" top: "b0" }\n'


def learned(kind, bottoms, tops=1, more=""):
    """LEARNED, then the layer of b0, x1 ..., then a sum that is a loss."""
    names = ['bottom: "b0"'] + ['bottom: "x%d"' % i for i in range(1, bottoms)]
    names += ['top: "y%d"' % i for i in range(tops)]
    text = LEARNED + 'layer { name: "op" type: "%s" %s %s }\n' % (kind, " ".join(names), more)
    for i in range(tops):
        text += (
            'layer { name: "sum%d" type: "Reduction" bottom: "y%d" top: "s%d" loss_weight: 1 '
            "reduction_param { operation: SUMSQ } }\n" % (i, i, i)
        )
    return text


def write(name):
    """Write NAME.npz and NAME.json."""
    if os.path.exists("matrix.binaryproto"):
        os.remove("matrix.binaryproto")
    np.savez_compressed(name + ".npz", **ARRAYS)
    with open(name + ".json", "w") as file:
        json.dump(CASES, file, indent=1, sort_keys=True)
    print(len(CASES), os.path.getsize(name + ".npz"))
