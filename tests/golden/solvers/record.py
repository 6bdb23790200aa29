"""Records trainings of genuine Caffe 1.0 (CPU) that solvers_final.npz lacks: run with its pycaffe.

Run in a folder with tests/golden's prototxt files and unpacked databases.
"""

import json
import os

os.environ.setdefault("GLOG_minloglevel", "2")
import caffe
import numpy as np

caffe.set_mode_cpu()
#: What each case changes in solver_sgd.prototxt and in the net: (new lines, [(old, new) of net]).
CASES = {
    "l1": ('weight_decay: 0.01 regularization_type: "L1"', []),
    "sigmoid": ('lr_policy: "sigmoid" gamma: 0.3 stepsize: 8', []),
    "fixed": ('lr_policy: "fixed"', []),
    "rmsprop": (
        'type: "RMSProp" momentum: 0 rms_decay: 0.95 base_lr: 0.001 delta: 1e-8',
        [],
    ),
    "clip_iter2": ("clip_gradients: 0.5 iter_size: 2", []),
    "adam_l1_frozen": (
        'type: "Adam" base_lr: 0.002 momentum2: 0.99 regularization_type: "L1"',
        [("lr_mult: 1 decay_mult: 1", "lr_mult: 0 decay_mult: 1")],
    ),
    "nesterov_iter2": ('type: "Nesterov" iter_size: 2', []),
    "weights": ('weights: "init.caffemodel" random_seed: 99', []),
    "shared": (
        "",
        [
            (
                'bottom: "fc1" top: "fc1" }',
                'bottom: "fc1" top: "fc1" } '
                'layer { name: "again" type: "InnerProduct" bottom: "pool2" top: "again" '
                'param { name: "w" lr_mult: 1 } param { name: "b" } '
                "inner_product_param { num_output: 20 } } "
                'layer { name: "third" type: "InnerProduct" bottom: "pool2" top: "third" '
                'param { name: "w" } param { name: "b" lr_mult: 2 } '
                'inner_product_param { num_output: 20 weight_filler { type: "xavier" } } } '
                'layer { name: "both" type: "Eltwise" bottom: "again" bottom: "third" '
                'bottom: "fc1" top: "both" eltwise_param { operation: SUM } }',
            ),
            (
                'name: "fc2" type: "InnerProduct" bottom: "fc1"',
                'name: "fc2" type: "InnerProduct" bottom: "both"',
            ),
        ],
    ),
    "dropout_mirror": (
        "",
        [
            ("transform_param {", "transform_param { mirror: true crop_size: 21 "),
            ("batch_size: 8", "batch_size: 7"),
            (
                'layer { name: "relu3"',
                'layer { name: "drop" type: "Dropout" bottom: "fc1" top: "fc1" }\nlayer { '
                'name: "relu3"',
            ),
        ],
    ),
    "two_losses": (
        "",
        [
            (
                'layer { name: "loss"',
                'layer { name: "extra" type: "InnerProduct" bottom: "pool1" top: "extra" '
                'inner_product_param { num_output: 7 weight_filler { type: "xavier" } } } '
                'layer { name: "aux" type: "SoftmaxWithLoss" bottom: "extra" bottom: "label" '
                'top: "aux" loss_weight: 0.3 }\nlayer { name: "loss"',
            )
        ],
    ),
    "batchnorm": (
        "",
        [
            (
                'layer { name: "relu1"',
                'layer { name: "bn" type: "BatchNorm" bottom: "conv1" top: "conv1" } layer { '
                'name: "scale" type: "Scale" bottom: "conv1" top: "conv1" scale_param { '
                'bias_term: true } }\nlayer { name: "relu1"',
            )
        ],
    ),
}


def write(name):
    """Write the case's solver and net; returns the solver's path."""
    lines, changes = CASES[name]
    with open("tiny_train_val.prototxt") as file:
        net = file.read()
    for old, new in changes:
        assert old in net, old
        net = net.replace(old, new)
    with open("solver_sgd.prototxt") as file:
        solver = file.read()
    keys = [word[:-1] for word in lines.split() if word.endswith(":")]
    kept = [line for line in solver.splitlines() if line.split(":")[0] not in keys]
    kept = [line for line in kept if not line.startswith(("net:", "snapshot:"))]
    if 'type: "' in lines and "lr_policy" not in lines:
        kept = [x for x in kept if not x.startswith(("gamma", "stepsize", "lr_policy"))]
        kept.append('lr_policy: "fixed"')
    with open("case_net.prototxt", "w") as file:
        file.write(net)
    with open("case_solver.prototxt", "w") as file:
        file.write("\n".join([*kept, 'net: "case_net.prototxt"', lines]) + "\n")
    return "case_solver.prototxt"


def main():
    arrays, texts = {}, {}
    for name in CASES:
        solver = caffe.get_solver(write(name))
        texts[name] = {}
        for what in ("solver", "net"):
            with open("case_%s.prototxt" % what) as file:  # noqa: UP031
                texts[name][what] = file.read()
        losses = []
        for _ in range(20):
            solver.step(1)
            losses.append(float(solver.net.blobs["loss"].data))
        arrays[name + "/loss"] = np.array(losses)
        for layer, blobs in solver.net.params.items():
            for i, blob in enumerate(blobs):
                arrays["%s/w020/%s.%d" % (name, layer, i)] = blob.data.copy()  # noqa: UP031
        test = solver.test_nets[0]
        test.share_with(solver.net)
        test.forward()
        arrays[name + "/test_loss"] = np.array(float(test.blobs["loss"].data))
        print(name, losses[0], losses[-1])
    np.savez_compressed("solvers.npz", **arrays)
    with open("solvers.json", "w") as file:
        json.dump(texts, file, indent=1)


if __name__ == "__main__":
    main()
