"""Records single layers of genuine Caffe 1.0 (CPU) that ops.npz lacks: run with its pycaffe.

Per case: bottoms x0, x1 ...; parameters p0 ...; tops y0 ...; their gradients dy0 ...; what
backward left in the bottoms (dx0 ...) and parameters (dp0 ...).
"""

# ruff: noqa: UP031 (prototxt is full of braces)

import json
import os

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np

caffe.set_mode_cpu()
rng = np.random.RandomState(2026)
CASES = {}
ARRAYS = {}


def randn(*shape):
    return np.asarray(rng.randn(*shape), np.float32)


def run(name, layer, *bottoms, **options):
    """Record one layer; options: tops, phase, backward, params, inplace."""
    tops = options.get("tops", 1)
    phase = options.get("phase", "TRAIN")
    inplace = options.get("inplace", False)
    needs = options.get("needs", [0])
    text = "force_backward: true\n" if options.get("force", True) else ""
    for i, bottom in enumerate(bottoms):
        dims = " ".join("dim: %d" % d for d in bottom.shape)
        text += 'layer { name: "in%d" type: "Input" top: "x%d" input_param { shape { %s } } }\n' % (
            i,
            i,
            dims,
        )
    names = ["x0"] if inplace else ["y%d" % i for i in range(tops)]
    text += 'layer { name: "op" %s %s %s }\n' % (
        " ".join('bottom: "x%d"' % i for i in range(len(bottoms))),
        " ".join('top: "%s"' % n for n in names),
        layer,
    )
    with open("net.prototxt", "w") as file:
        file.write(text)
    net = caffe.Net("net.prototxt", getattr(caffe, phase))
    os.remove("net.prototxt")
    save = {}
    for i, bottom in enumerate(bottoms):
        net.blobs["x%d" % i].data[...] = bottom
        save["x%d" % i] = bottom
    params = list(net.params["op"]) if "op" in net.params else []
    for i, blob in enumerate(params):
        given = options.get("params")
        blob.data[...] = given[i] if given else randn(*blob.data.shape) * np.float32(0.3)
        save["p%d" % i] = blob.data.copy()
    net.forward()
    for i, top in enumerate(names):
        save["y%d" % i] = net.blobs[top].data.copy()
    for i, blob in enumerate(params):
        if not np.array_equal(save["p%d" % i], blob.data):
            save["after%d" % i] = blob.data.copy()
    if options.get("backward", True):
        for i, top in enumerate(names):
            blob = net.blobs[top]
            if "Loss" not in layer:
                blob.diff[...] = randn(*blob.data.shape)
            save["dy%d" % i] = blob.diff.copy()
        for blob in params:
            blob.diff[...] = 0
        net.backward()
        for i in needs:
            save["dx%d" % i] = net.blobs["x%d" % i].diff.copy()
        for i, blob in enumerate(params):
            save["dp%d" % i] = blob.diff.copy()
    CASES[name] = {"phase": phase, "prototxt": text, "tops": names, "needs": needs}
    ARRAYS.update({name + "/" + key: value for key, value in save.items()})


x = randn(2, 6, 7, 8)
other = randn(2, 6, 7, 8)
run(
    "conv_hw",
    'type: "Convolution" convolution_param { num_output: 4 kernel_h: 3 kernel_w: 2 '
    "stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0 }",
    x,
)
run(
    "conv_two_bottoms",
    'type: "Convolution" convolution_param { num_output: 2 kernel_size: 3 }',
    x,
    other,
    tops=2,
    needs=[0, 1],
)
run(
    "conv_repeated_fields",
    'type: "Convolution" convolution_param { num_output: 2 '
    "kernel_size: 3 kernel_size: 2 stride: 1 stride: 2 pad: 0 pad: 1 }",
    x,
)
run(
    "deconv",
    'type: "Deconvolution" convolution_param { num_output: 4 kernel_size: 4 stride: 2 '
    "pad: 1 group: 2 }",
    x,
)
run(
    "deconv_dilation",
    'type: "Deconvolution" convolution_param { num_output: 3 kernel_size: 3 '
    "dilation: 2 bias_term: false }",
    x,
)
for pool in ("MAX", "AVE"):
    base = 'type: "Pooling" pooling_param { pool: %s ' % pool
    run(
        "pool_%s_ties" % pool,
        base + "kernel_size: 3 stride: 2 }",
        rng.randint(0, 2, size=(2, 3, 10, 12)).astype(np.float32),
    )
    run("pool_%s_pad2" % pool, base + "kernel_size: 3 stride: 2 pad: 2 }", x)
    run(
        "pool_%s_hw" % pool,
        base + "kernel_h: 2 kernel_w: 3 stride_h: 1 stride_w: 2 pad_h: 0 pad_w: 1 }",
        x,
    )
    run("pool_%s_k2s2p1" % pool, base + "kernel_size: 2 stride: 2 pad: 1 }", randn(2, 3, 9, 8))
    run("pool_%s_stride3" % pool, base + "kernel_size: 2 stride: 3 }", x)
    run("pool_%s_global" % pool, base + "global_pooling: true }", x)
run(
    "lrn_within",
    'type: "LRN" lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }',
    x,
)
run("lrn_within_default", 'type: "LRN" lrn_param { norm_region: WITHIN_CHANNEL }', x * 3)
run("lrn_wide", 'type: "LRN" lrn_param { local_size: 9 alpha: 2 beta: 0.5 k: 3 }', x)
run("relu_inplace", 'type: "ReLU"', x, inplace=True)
run("leaky_inplace", 'type: "ReLU" relu_param { negative_slope: 0.2 }', x, inplace=True)
run("elu_inplace", 'type: "ELU" elu_param { alpha: 0.7 }', x, inplace=True)
run("sigmoid_inplace", 'type: "Sigmoid"', x, inplace=True)
run("prelu_shared", 'type: "PReLU" prelu_param { channel_shared: true }', x)
run("prelu_inplace", 'type: "PReLU"', x, inplace=True)
run("absval", 'type: "AbsVal"', x)
run("bnll", 'type: "BNLL"', x * 10)
run("power2", 'type: "Power" power_param { power: 2 scale: 0.5 shift: 1 }', x)
run("power_half", 'type: "Power" power_param { power: 0.5 scale: 0.5 shift: 9 }', x)
run("power1", 'type: "Power" power_param { scale: -3 shift: 2 }', x)
run("power0", 'type: "Power" power_param { power: 0 scale: 2 shift: 1 }', x)
run("exp", 'type: "Exp"', x)
run("exp_base2", 'type: "Exp" exp_param { base: 2 scale: 0.5 shift: 1 }', x)
run("log", 'type: "Log" log_param { scale: 0.3 shift: 9 }', x)
run("log_base10", 'type: "Log" log_param { base: 10 }', np.abs(x) + np.float32(0.1))
run("softmax_axis", 'type: "Softmax" softmax_param { axis: 2 }', x)
run("ip_transpose", 'type: "InnerProduct" inner_product_param { num_output: 5 transpose: true }', x)
run(
    "ip_nobias",
    'type: "InnerProduct" inner_product_param { num_output: 5 bias_term: false axis: -1 }',
    x,
)
run("concat_axis", 'type: "Concat" concat_param { axis: 2 }', x, randn(2, 6, 3, 8), needs=[0, 1])
run("slice", 'type: "Slice"', x, tops=3)
run(
    "slice_points", 'type: "Slice" slice_param { axis: 3 slice_point: 1 slice_point: 6 }', x, tops=3
)
run(
    "eltwise_prod",
    'type: "Eltwise" eltwise_param { operation: PROD }',
    x,
    other,
    x * 2,
    needs=[0, 1, 2],
)
run("eltwise_sum", 'type: "Eltwise"', x, other, needs=[0, 1])
small = [rng.randint(0, 3, size=(2, 3, 4, 5)).astype(np.float32) for _ in range(3)]
run("eltwise_max_ties", 'type: "Eltwise" eltwise_param { operation: MAX }', *small, needs=[0, 1, 2])
run("flatten_axes", 'type: "Flatten" flatten_param { axis: 0 end_axis: 2 }', x)
run("reshape", 'type: "Reshape" reshape_param { shape { dim: 0 dim: -1 dim: 4 } axis: 1 }', x)
run(
    "reshape_num_axes",
    'type: "Reshape" reshape_param { shape { dim: 3 dim: 2 } axis: 1 num_axes: 1 }',
    x,
)
run("reshape_insert", 'type: "Reshape" reshape_param { shape { dim: 1 } axis: -1 num_axes: 0 }', x)
for operation in ("SUM", "ASUM", "SUMSQ", "MEAN"):
    run(
        "reduction_" + operation,
        'type: "Reduction" reduction_param { operation: %s axis: 2 coeff: 1.5 }' % operation,
        x,
    )
run("reduction_all", 'type: "Reduction"', x)
run(
    "batchnorm_train",
    'type: "BatchNorm" batch_norm_param { use_global_stats: false '
    "moving_average_fraction: 0.9 eps: 0.001 }",
    x,
    params=[np.arange(6), np.arange(6) + 2, np.array([3])],
)
run("batchnorm_inplace", 'type: "BatchNorm"', x, inplace=True, params=[np.zeros(6)] * 2 + [0])
run("batchnorm_2d", 'type: "BatchNorm"', randn(8, 5), params=[np.zeros(5)] * 2 + [0])
run("scale", 'type: "Scale"', x)
run("scale_inplace", 'type: "Scale" scale_param { bias_term: true }', x, inplace=True)
run("scale_axis0", 'type: "Scale" scale_param { axis: 0 num_axes: 2 }', x)
run(
    "scale_two",
    'type: "Scale" scale_param { axis: 0 bias_term: true }',
    x,
    randn(2, 6),
    needs=[0, 1],
)
run("bias", 'type: "Bias" bias_param { axis: 2 num_axes: -1 }', x)
run("bias_two", 'type: "Bias" bias_param { axis: 1 }', x, randn(6, 7), needs=[0, 1])
run("mvn", 'type: "MVN"', x)
run("mvn_across", 'type: "MVN" mvn_param { across_channels: true eps: 0.01 }', x)
run("mvn_mean_only", 'type: "MVN" mvn_param { normalize_variance: false }', x)
run("mvn_constant", 'type: "MVN"', np.ones((2, 3, 4, 4), np.float32) * 3)
run(
    "embed",
    'type: "Embed" embed_param { input_dim: 9 num_output: 4 }',
    rng.randint(0, 9, size=(5, 3)).astype(np.float32),
    needs=[],
    force=False,
)
ties = rng.randint(0, 3, size=(4, 6)).astype(np.float32)
run("argmax", 'type: "ArgMax" argmax_param { top_k: 3 }', ties, backward=False)
run(
    "argmax_values",
    'type: "ArgMax" argmax_param { out_max_val: true top_k: 2 }',
    ties,
    backward=False,
)
run("argmax_axis", 'type: "ArgMax" argmax_param { axis: 1 top_k: 2 }', x, backward=False)
run(
    "argmax_axis_values",
    'type: "ArgMax" argmax_param { axis: -1 out_max_val: true }',
    x,
    backward=False,
)
logits = (randn(6, 7) * 2).astype(np.float32)
labels = np.array([0, 3, 6, 2, 2, 5], np.float32)
maps, map_labels = randn(2, 4, 3, 5) * 2, rng.randint(0, 4, size=(2, 1, 3, 5)).astype(np.float32)
run("softmaxloss_weight", 'type: "SoftmaxWithLoss" loss_weight: 0.3', logits, labels)
run("softmaxloss_certain", 'type: "SoftmaxWithLoss"', logits * 200, labels)
for mode in ("FULL", "BATCH_SIZE"):
    run(
        "softmaxloss_" + mode,
        'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 normalization: %s }' % mode,
        maps,
        map_labels,
    )
run(
    "softmaxloss_normalize",
    'type: "SoftmaxWithLoss" loss_param { ignore_label: 1 normalize: false }',
    maps,
    map_labels,
)
run(
    "softmaxloss_axis",
    'type: "SoftmaxWithLoss" softmax_param { axis: 3 }',
    maps,
    rng.randint(0, 5, size=(2, 4, 3)).astype(np.float32),
)
run(
    "softmaxloss_all_ignored",
    'type: "SoftmaxWithLoss" loss_param { ignore_label: 2 }',
    logits,
    np.full(6, 2, np.float32),
)
targets = rng.rand(6, 7).astype(np.float32)
run("sigmoidloss", 'type: "SigmoidCrossEntropyLoss"', logits, targets)
run(
    "sigmoidloss_ignore",
    'type: "SigmoidCrossEntropyLoss" loss_param { ignore_label: 0 normalization: VALID }',
    logits,
    np.round(targets),
)
run(
    "sigmoidloss_full",
    'type: "SigmoidCrossEntropyLoss" loss_param { normalization: FULL }',
    logits * 30,
    targets,
)
run("hinge_l1", 'type: "HingeLoss"', logits, labels)
run("hinge_l2", 'type: "HingeLoss" hinge_loss_param { norm: L2 }', logits, labels)
run("euclid_both", 'type: "EuclideanLoss"', logits, randn(6, 7), needs=[0, 1])
run("accuracy_per_class", 'type: "Accuracy"', logits, labels, tops=2, backward=False)
run(
    "accuracy_maps",
    'type: "Accuracy" accuracy_param { ignore_label: 1 top_k: 2 }',
    maps,
    map_labels,
    backward=False,
)
run(
    "accuracy_tied",
    'type: "Accuracy"',
    np.zeros((3, 4), np.float32),
    np.array([0, 1, 3], np.float32),
    backward=False,
)
np.savez_compressed("layers.npz", **ARRAYS)
with open("layers.json", "w") as file:
    json.dump(CASES, file, indent=1, sort_keys=True)
print(len(CASES), os.path.getsize("layers.npz"))
