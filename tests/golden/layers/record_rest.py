"""Records Caffe 1.0's rarer layers as rest.json and rest.npz: run with genuine Caffe's pycaffe."""

# ruff: noqa: UP031, E501 (prototxt is full of braces and does not break well)

import numpy as np
from recording import learned, op, randn, rng, run, write

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
write("rest")
