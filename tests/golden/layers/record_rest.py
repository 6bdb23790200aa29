"""Records Caffe 1.0's rarer layers from genuine Caffe (CPU) as rest.json and rest.npz: run with its
pycaffe.

Per case: blobs x0, x1 ... set before the forward pass; all blobs after it (`after/NAME`); gradients
set before the backward pass (`dy/NAME`); those it left (`dx/NAME`); parameters' (`dp/LAYER/i`).
Matrices of infogain losses are files `NAME.binaryproto`, in the arrays as `file/NAME`.
"""

# ruff: noqa: UP031, E501 (prototxt is full of braces and does not break well)

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
    """Record a net of Input layers and `layers`; options: backward, force, diffs, matrix."""
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
    net = caffe.Net("net.prototxt", caffe.TRAIN)
    os.remove("net.prototxt")
    for i, array in enumerate(arrays):
        net.blobs["x%d" % i].data[...] = array
    for layer, blobs in net.params.items():
        for i, blob in enumerate(blobs):
            blob.data[...] = randn(*blob.data.shape)
            save["p/%s/%d" % (layer, i)] = blob.data.copy()
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


x = randn(2, 2, 4, 5)
run("swish", op("Swish", more="swish_param { beta: 1.7 }"), x)
run("swish_default", op("Swish"), x * 20)
grid = np.asarray(rng.randint(-4, 5, size=(3, 8)), np.float32) / 2  # numbers at the limits
run("clip", op("Clip", more="clip_param { min: -1 max: 0.5 }"), grid)
run("clip_crossed", op("Clip", more="clip_param { min: 1 max: -1 }"), grid)
run("threshold", op("Threshold", more="threshold_param { threshold: 0.5 }"), grid, backward=False)
run("threshold_default", op("Threshold"), grid, backward=False)
run("tile", op("Tile", more="tile_param { tiles: 3 }"), x)
run("tile_axis", op("Tile", more="tile_param { axis: -2 tiles: 2 }"), x)
run("crop", op("Crop", 2), x, randn(2, 2, 2, 3))
run("crop_offset", op("Crop", 2, more="crop_param { offset: 1 }"), x, randn(7, 9, 3, 3))
run(
    "crop_offsets",
    op("Crop", 2, more="crop_param { axis: -3 offset: 1 offset: 0 offset: 2 }"),
    x,
    randn(1, 1, 3, 2),
)
index = np.array([1, 1, 0, 3, 1.7], np.float32)  # a fraction is cut off
run(
    "batch_reindex",
    learned("BatchReindex", 2),
    randn(4, 3),
    index,
    diffs=[],
    needs=["b0"],
    force=False,
)
run(
    "filter",
    learned("Filter", 3, 2),
    randn(5, 3),
    randn(5, 2, 1),
    np.array([0, 1, 0, -2, 0.5], np.float32).reshape(5, 1),
    diffs=[],
    needs=["b0"],
    force=False,
)
run(
    "filter_all",
    learned("Filter", 2),
    randn(3, 2),
    np.ones(3, np.float32),
    diffs=[],
    needs=["b0"],
    force=False,
)
run(
    "parameter",
    'layer { name: "op" type: "Parameter" top: "y0" parameter_param { shape { dim: 3 dim: 2 } } }\n'
    'layer { name: "sum" type: "EuclideanLoss" bottom: "y0" bottom: "x0" top: "y1" }\n',
    randn(3, 2),
    diffs=[],
    needs=["y0"],
    force=False,
)
labels = np.array([2, 0, 1, 1, 3], np.float32)
p = np.asarray(rng.dirichlet(np.ones(4), size=5), np.float32)
p[1, 0] = 0  # below the threshold
loss = {"diffs": []}
run("multinomial", op("MultinomialLogisticLoss", 2), p, labels, **loss)
run(
    "multinomial_weight",
    op("MultinomialLogisticLoss", 2, more="loss_weight: 0.3"),
    p,
    labels,
    **loss,
)
H = randn(3, 3)
SOURCE = 'infogain_loss_param { source: "matrix.binaryproto" }'
scores, classes = randn(4, 3) * 3, np.array([2, 0, 1, 1], np.float32)
run("infogain", op("InfogainLoss", 2, more=SOURCE), scores, classes, matrix=H, **loss)
run("infogain_far", op("InfogainLoss", 2, more=SOURCE), scores * 100, classes, matrix=H, **loss)
maps, map_labels = randn(2, 3, 2, 4), np.asarray(rng.randint(0, 3, size=(2, 1, 2, 4)), np.float32)
for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE"):
    run(
        "infogain_" + mode,
        op(
            "InfogainLoss",
            2,
            2,
            SOURCE
            + "loss_weight: 2 loss_weight: 0 loss_param { ignore_label: 1 normalization: %s }"
            % mode,
        ),
        maps,
        map_labels,
        matrix=H.reshape(1, 1, 3, 3),
        **loss,
    )
run(
    "infogain_bottom",
    learned("InfogainLoss", 3).split('layer { name: "sum0"')[0],
    scores,
    classes,
    H,
    needs=["b0"],
    force=False,
    **loss,
)
run(
    "infogain_axis",
    op("InfogainLoss", 2, more='infogain_loss_param { axis: 2 source: "matrix.binaryproto" }'),
    randn(2, 4, 3),
    np.asarray(rng.randint(0, 3, size=(2, 4)), np.float32),
    matrix=H,
    **loss,
)
a, b = randn(6, 4), randn(6, 4) * np.float32(0.4)
b[1] = a[1]  # no distance
b[5] = a[5] + np.float32(0.1)
pairs = np.array([1, 0, 1, 0, 0.9, 0], np.float32)  # 0.9 counts as 0
for name, more in (
    ("contrastive", ""),
    ("contrastive_margin", "contrastive_loss_param { margin: 2.5 }"),
    ("contrastive_legacy", "contrastive_loss_param { margin: 5 legacy_version: true }"),
):
    run(name, op("ContrastiveLoss", 3, more=more), a, b, pairs, needs=["x0", "x1"], **loss)
image = randn(1, 2, 9, 12)
for method in ("MAX", "AVE"):
    for height in (1, 3):
        run(
            "spp_%s_%d" % (method, height),
            op("SPP", more="spp_param { pyramid_height: %d pool: %s }" % (height, method)),
            image,
        )
run("im2col", op("Im2col", more="convolution_param { kernel_size: 3 }"), x)
run(
    "im2col_hw",
    op(
        "Im2col",
        more="convolution_param { kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 }",
    ),
    x,
)
run(
    "im2col_dilation",
    op("Im2col", more="convolution_param { kernel_size: 2 pad: 1 pad: 2 dilation: 2 dilation: 3 }"),
    x,
)
run("im2col_beyond", op("Im2col", more="convolution_param { kernel_size: 6 stride: 4 }"), x)
run("im2col_1d", op("Im2col", more="convolution_param { kernel_size: 3 pad: 1 axis: 2 }"), x)
run(
    "im2col_3d",
    op("Im2col", more="convolution_param { kernel_size: 2 axis: 0 stride: 2 pad: 1 }"),
    x,
)
if os.path.exists("matrix.binaryproto"):
    os.remove("matrix.binaryproto")
np.savez_compressed("rest.npz", **ARRAYS)
with open("rest.json", "w") as file:
    json.dump(CASES, file, indent=1, sort_keys=True)
print(len(CASES), os.path.getsize("rest.npz"))
