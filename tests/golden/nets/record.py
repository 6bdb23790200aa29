"""Records how genuine Caffe 1.0 builds and runs small nets: run with its pycaffe, in here."""

# ruff: noqa: UP031, E501 (prototxt is full of braces)

import json
import os

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np

caffe.set_mode_cpu()
INPUT = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } } }\nlayer { name: "lab" type: "Input" top: "label" input_param { shape { dim: 4 } } }\n'


def ip(name, bottom, n, top=None, extra=""):
    return (
        'layer { name: "%s" type: "InnerProduct" bottom: "%s" top: "%s" inner_product_param { num_output: %d weight_filler { type: "xavier" } } %s }\n'
        % (name, bottom, top or name, n, extra)
    )


def layer(type, name, bottom, top, extra=""):
    b = " ".join('bottom: "%s"' % x for x in bottom.split())
    t = " ".join('top: "%s"' % x for x in top.split())
    return 'layer { name: "%s" type: "%s" %s %s %s }\n' % (name, type, b, t, extra)


NETS = {
    "inplace_last": INPUT + ip("fc", "x", 5) + layer("ReLU", "r", "fc", "fc"),
    "two_losses": INPUT
    + ip("fc", "x", 5)
    + layer("SoftmaxWithLoss", "zloss", "fc label", "zloss")
    + ip("fb", "fc", 6)
    + layer("SoftmaxWithLoss", "aloss", "fb label", "aloss", "loss_weight: 0.3")
    + layer("Accuracy", "acc", "fb label", "acc"),
    "inplace_after_split": INPUT
    + ip("fc", "x", 5)
    + layer("ReLU", "r", "fc", "fc")
    + ip("a", "fc", 3)
    + ip("b", "fc", 3)
    + layer("Eltwise", "s", "a b", "s")
    + layer("Sigmoid", "sg", "s", "s"),
    "weighted_reduction": INPUT
    + ip("fc", "x", 5)
    + layer("Reduction", "red", "fc", "red", "loss_weight: 2"),
    "weighted_blob": INPUT
    + ip("fc", "x", 5)
    + layer("Power", "pw", "fc", "pw", "loss_weight: 0.5 power_param { power: 2 }"),
    "silence": INPUT + ip("fc", "x", 5) + layer("Silence", "sil", "label", ""),
    "shared": INPUT
    + ip("fa", "x", 5, extra='param { name: "w" lr_mult: 2 } param { name: "b" }')
    + ip("fb", "x", 5, extra='param { name: "w" } param { name: "b" }')
    + layer("EuclideanLoss", "loss", "fa fb", "loss"),
    "unnamed_loss": INPUT
    + ip("fc", "x", 5)
    + 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" }\n',
    "same_names": INPUT
    + ip("fc", "x", 5)
    + layer("ReLU", "same", "fc", "fc")
    + layer("Sigmoid", "same", "fc", "sg"),
    "stages": 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 4 dim: 3 } } }\n'
    + ip("a", "x", 2, extra='include { stage: "deploy" }')
    + ip("b", "x", 2, extra='exclude { stage: "deploy" }')
    + ip("c", "x", 2, extra="include { min_level: 2 }")
    + ip(
        "d",
        "x",
        2,
        extra='include { not_stage: "deploy" max_level: 1 } include { phase: TEST min_level: 3 }',
    ),
    "legacy_input": 'name: "old"\ninput: "x"\ninput_dim: 2\ninput_dim: 3\ninput_dim: 4\ninput_dim: 5\n'
    + ip("fc", "x", 5),
    "legacy_shape": 'input: "x"\ninput_shape { dim: 2 dim: 3 }\ninput: "z"\ninput_shape { dim: 2 }\n'
    + ip("fc", "x", 5)
    + layer("Accuracy", "acc", "fc z", "acc"),
    "prop_down": INPUT
    + ip("f0", "x", 4)
    + ip("fc", "f0", 5, extra="propagate_down: false")
    + layer("SoftmaxWithLoss", "loss", "fc label", "loss"),
    "frozen": INPUT
    + ip("f0", "x", 4, extra="param { lr_mult: 0 } param { lr_mult: 0 }")
    + ip("fc", "f0", 5)
    + layer("SoftmaxWithLoss", "loss", "fc label", "loss"),
    "no_loss_branch": INPUT
    + ip("f0", "x", 4)
    + ip("side", "f0", 2)
    + ip("fc", "f0", 5)
    + layer("SoftmaxWithLoss", "loss", "fc label", "loss"),
    "flatten_axis": INPUT
    + layer("Pooling", "p", "x", "p", "pooling_param { kernel_size: 2 stride: 2 }")
    + layer("Concat", "c", "p p", "c")
    + layer("Slice", "s", "c", "s1 s2")
    + layer("Flatten", "f", "s1", "f")
    + layer("Dropout", "d", "f", "f"),
    "force": "force_backward: true\n"
    + INPUT
    + ip("f0", "x", 4, extra="param { lr_mult: 0 } param { lr_mult: 0 }")
    + ip("fc", "f0", 5)
    + layer("SoftmaxWithLoss", "loss", "fc label", "loss"),
    "layer_phases": INPUT
    + ip("f0", "x", 6)
    + layer("BatchNorm", "bn", "f0", "bn", "phase: TRAIN")
    + layer("Dropout", "always", "bn", "always", "phase: TRAIN")
    + layer("Dropout", "never", "always", "never", "phase: TEST")
    + ip("fc", "never", 5)
    + layer("SoftmaxWithLoss", "loss", "fc label", "loss"),
}

OUT = {}
for name, text in NETS.items():
    for phase in ("TRAIN", "TEST"):
        with open("net.prototxt", "w") as file:
            file.write(text)
        caffe.set_random_seed(3)
        staged = name == "stages"
        net = caffe.Net(
            "net.prototxt",
            phase=getattr(caffe, phase),
            level=int(staged),
            stages=["deploy"] if staged else None,
        )
        os.remove("net.prototxt")
        rng = np.random.RandomState(0)
        for blob in net.inputs:
            data = net.blobs[blob].data
            data[...] = rng.randint(0, 2, data.shape) if data.ndim == 1 else rng.randn(*data.shape)
        facts = {
            "prototxt": text,
            "blobs": [(k, list(b.data.shape)) for k, b in net.blobs.items()],
            "params": [(k, [list(b.data.shape) for b in v]) for k, v in net.params.items()],
            "inputs": list(net.inputs),
            "outputs": list(net.outputs),
            "types": [one.type for one in net.layers],
            "names": list(net._layer_names),
            "tops": [(k, list(v)) for k, v in net.top_names.items()],
            "bottoms": [(k, list(v)) for k, v in net.bottom_names.items()],
            "loss_weights": dict(net.blob_loss_weights),
            "sums": {k: float(np.abs(v).sum()) for k, v in net.forward().items()},
            "gradients": [],
        }
        for _ in range(2 if "label" in net.inputs and name != "silence" else 0):
            net.clear_param_diffs()
            net.backward()
            found = {"%s.%d" % (k, i): b for k, v in net.params.items() for i, b in enumerate(v)}
            found.update(net.blobs)
            facts["gradients"].append({k: float(np.abs(b.diff).sum()) for k, b in found.items()})
            if name == "two_losses":  # weights in the loss can be changed in the diffs
                for blob in ("zloss", "aloss"):
                    net.blobs[blob].diff[...] = 7
        OUT[name + "/" + phase] = facts
with open("nets.json", "w") as file:
    json.dump(OUT, file, indent=1)
