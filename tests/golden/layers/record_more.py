"""Records recurrent layers, convolution over any axes and pooling's mask as more.json and more.npz.

Run with genuine Caffe's pycaffe.
"""

# ruff: noqa: UP031 (prototxt is full of braces)

import numpy as np
from recording import op, randn, rng, run, write

XAVIER = 'weight_filler { type: "xavier" } bias_filler { type: "uniform" }'
FOUR = randn(2, 4, 4, 6)
for kind in ("Convolution", "Deconvolution"):
    for name, more, x in (
        ("1d", "kernel_size: 3 stride: 2 pad: 1", randn(2, 4, 9)),
        ("3d", "kernel_size: 2 kernel_size: 3 kernel_size: 1 stride: 2", randn(2, 4, 3, 4, 3)),
        (
            "4d",
            "kernel_size: 2 stride: 1 stride: 2 stride: 1 stride: 2 pad: 1 dilation: 2 dilation: 1 "
            "dilation: 1 dilation: 2",
            randn(2, 2, 4, 3, 3, 4),
        ),
        ("5d", "kernel_size: 2 pad: 1", randn(1, 2, 2, 3, 2, 3, 2)),
        ("no_axis", "kernel_size: 1", randn(3, 4)),
        ("axis_2", "axis: 2 kernel_size: 3 pad: 1", FOUR),
        ("axis_3", "axis: 3 kernel_size: 3", FOUR),
        ("axis_0", "axis: 0 kernel_size: 2 stride: 2", FOUR),
        ("axis_negative", "axis: -3 kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1", FOUR),
        ("nd", "force_nd_im2col: true kernel_size: 3 pad: 2 dilation: 2", FOUR),
    ):
        settings = "convolution_param { num_output: 6 group: 2 %s %s }" % (more, XAVIER)
        run(kind.lower() + "_" + name, op(kind, more=settings), x, fill=True)
run(
    "convolution_3d_beyond",
    op("Convolution", more="convolution_param { num_output: 2 kernel_size: 3 stride: 2 }"),
    randn(2, 2, 2, 5, 2),
)
ties = np.asarray(rng.randint(0, 3, size=(2, 3, 7, 8)), np.float32)
for name, more in (
    ("", "kernel_size: 3 stride: 2"),
    ("_pad", "kernel_size: 3 stride: 2 pad: 1"),
    ("_wide_pad", "kernel_size: 3 stride: 2 pad: 2"),
    ("_hw", "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1"),
    ("_floor", "kernel_size: 4 stride: 3 round_mode: FLOOR"),
    ("_global", "global_pooling: true"),
):
    run("mask" + name, op("Pooling", tops=2, more="pooling_param { %s }" % more), ties)

cont = np.array([[1, 0, 0.5], [0, 1, 1], [1, 1, 0], [1, 2, 1]], np.float32)
run(
    "lstm_unit",
    op("LSTMUnit", 3, 2),
    randn(1, 4, 3),
    randn(1, 4, 12) * 2,
    cont[3:, :1].repeat(4, 1) * np.array([1, 0, 0.5, 2], np.float32),
    diffs=["y0", "y1"],
    needs=["x0", "x1"],
)
STATIC, STATES = randn(3, 2), {"RNN": [randn(1, 3, 4)], "LSTM": [randn(1, 3, 4), randn(1, 3, 4)]}
FILLER = 'weight_filler { type: "gaussian" std: 0.5 } bias_filler { type: "uniform" }'
for kind, states in STATES.items():
    for name, x, more, expose in (
        ("", randn(4, 3, 5), [], False),
        ("_twice", randn(4, 3, 5), [], False),
        ("_axes", randn(4, 3, 2, 2), [], False),
        ("_static_twice", randn(4, 3, 5), [STATIC], False),
        ("_exposed", randn(4, 3, 5), states, True),
        ("_all_twice", randn(4, 3, 5), [STATIC, *states], True),
    ):
        settings = "recurrent_param { num_output: 4 expose_hidden: %s %s }" % (
            str(expose).lower(),
            FILLER,
        )
        run(
            kind.lower() + name,
            op(kind, 2 + len(more), 1 + len(states) * expose, settings),
            x,
            cont,
            *more,
            fill=True,
            needs=["x0", "x2"] if len(more) > len(states) * expose else ["x0"],
        )
write("more")
