"""More layers of random nets: those with weights, windows or a loss, and sources."""

from __future__ import annotations

from collections.abc import Sequence

from tests.conformance.builder import Builder, Top
from tests.conformance.layers import axis_of, maker, small


@maker("InnerProduct")
def inner_product(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    axis = axis_of(b, top) if len(top.shape) < 2 or b.chance(0.5) else 1
    settings = f"num_output: {b.integer(1, 6)} axis: {axis} " + b.some(
        "bias_term: false", "transpose: true", b.filler("weight_filler"), b.filler("bias_filler")
    )
    b.add("InnerProduct", [top], f"inner_product_param {{ {settings} }}")


@maker("Embed")
def embed(b: Builder) -> None:
    if b.force:  # genuine Caffe aborts
        raise StopIteration
    rows = b.integer(2, 6)
    index = b.source(b.rng.integers(0, rows, [b.integer(1, 4) for _ in range(b.integer(1, 3))]))
    settings = f"num_output: {b.integer(1, 5)} input_dim: {rows} " + b.some(
        "bias_term: false", b.filler("weight_filler"), b.filler("bias_filler")
    )
    b.add("Embed", [index], f"embed_param {{ {settings} }}")


def _per_axis(b: Builder, name: str, values: Sequence[int]) -> str:
    if len(set(values)) == 1 and b.chance(0.6):
        return f"{name}: {values[0]} "
    return "".join(f"{name}: {value} " for value in values)


def _windows(b: Builder, top: Top, axis: int) -> str:
    """Kernel, stride, pad and dilation over the axes after `axis`; windows may be too large."""
    sizes = top.shape[axis + 1 :]
    dilation = [b.integer(1, 2) if b.chance(0.3) else 1 for _ in sizes]
    kernel = [b.integer(1, max(1, min(3, n))) for n in sizes]
    settings = ""
    if len(sizes) == 2 and b.chance(0.2):
        settings += f"kernel_h: {kernel[0]} kernel_w: {kernel[1]} "
    else:
        settings += _per_axis(b, "kernel_size", kernel or [1])
    if b.chance(0.5):
        settings += _per_axis(b, "stride", [b.integer(1, 3) for _ in sizes] or [1])
    if b.chance(0.5):
        settings += _per_axis(b, "pad", [b.integer(0, 2) for _ in sizes] or [0])
    if any(d > 1 for d in dilation):
        settings += _per_axis(b, "dilation", dilation)
    return settings


@maker("Convolution", "Deconvolution")
def convolution(b: Builder) -> None:
    kind = b.one_of("Convolution", "Deconvolution")
    top = b.pick(lambda top: len(top.shape) >= 2 and max(top.shape) <= 24)
    axis = 1 if len(top.shape) <= 5 and b.chance(0.8) else b.integer(0, len(top.shape) - 1)
    channels = top.shape[axis]
    group = b.one_of(*(g for g in (1, 1, 2, 3) if channels % g == 0))
    settings = f"num_output: {group * b.integer(1, 3)} group: {group} " + _windows(b, top, axis)
    settings += f"axis: {axis} " if axis != 1 or b.chance(0.2) else ""
    settings += b.some(
        "bias_term: false",
        "force_nd_im2col: true",
        b.filler("weight_filler"),
        b.filler("bias_filler"),
    )
    bottoms = [top] * (2 if b.chance(0.1) else 1)
    b.add(kind, bottoms, f"convolution_param {{ {settings} }}", len(bottoms))


@maker("Im2col")
def im2col(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 2 and max(top.shape) <= 24)
    axis = b.integer(0, len(top.shape) - 2)
    settings = f"axis: {axis} " + _windows(b, top, axis)
    b.add("Im2col", [top], f"convolution_param {{ {settings} }}", bound=top.bound)


@maker("Pooling")
def pooling(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) == 4)
    method = b.one_of("MAX", "AVE")
    settings = f"pool: {method} "
    if b.chance(0.15):
        settings += "global_pooling: true"
    else:
        kernel = [b.integer(1, max(1, min(n, 4))) for n in top.shape[2:]]
        square = b.chance(0.6)
        kernel = [min(kernel)] * 2 if square else kernel
        settings += f"kernel_size: {kernel[0]} " if square else ""
        settings += "" if square else f"kernel_h: {kernel[0]} kernel_w: {kernel[1]} "
        settings += b.some(f"stride: {b.integer(1, 3)}", "round_mode: FLOOR")
        if b.chance(0.4):
            settings += f" pad: {b.integer(0, min(kernel) - 1)}"
    tops = 2 if method == "MAX" and b.chance(0.3) else 1
    made = b.add("Pooling", [top], f"pooling_param {{ {settings} }}", tops, bound=top.bound)
    if tops == 2:  # the mask has no gradient
        made[1].grad = False


@maker("SPP")
def spp(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) == 4 and min(top.shape[2:]) >= 2)
    settings = f"pyramid_height: {b.integer(1, 2)} pool: {b.one_of('MAX', 'AVE')}"
    b.add("SPP", [top], f"spp_param {{ {settings} }}", bound=top.bound)


@maker("LSTM", "RNN")
def recurrent(b: Builder) -> None:
    kind = b.one_of("LSTM", "RNN")
    top = b.pick(lambda top: len(top.shape) >= 3 and small(top) and top.shape[0] <= 8)
    steps, items = top.shape[:2]
    outputs, states = b.integer(1, 4), 2 if kind == "LSTM" else 1
    bottoms = [top, b.source(b.rng.integers(0, 2, (steps, items)))]
    settings = f"num_output: {outputs} {b.filler('weight_filler')} {b.filler('bias_filler')} "
    if b.chance(0.3):
        bottoms.append(b.source(b.floats(items, b.integer(1, 3)), "x"))
    expose = b.chance(0.3)
    if expose:
        settings += "expose_hidden: true"
        bottoms += [b.source(b.floats(1, items, outputs), "x") for _ in range(states)]
    tops = 1 + states * expose
    b.add(kind, bottoms, f"recurrent_param {{ {settings} }}", tops, bound=8)


@maker("LSTMUnit")
def lstm_unit(b: Builder) -> None:
    items, outputs = b.integer(1, 4), b.integer(1, 3)
    gates = b.source(b.floats(1, items, 4 * outputs), "x")
    cell = b.source(b.floats(1, items, outputs), "x")
    cont = b.source(b.rng.choice([0, 0.5, 1], (1, items)))
    b.add("LSTMUnit", [cell, gates, cont], tops=2, bound=8)


@maker("Python")
def python(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) == 2)
    settings = f'module: "user_layers" layer: "Scaled" param_str: \'{{"shift": {b.number(0, 1)}}}\''
    b.add("Python", [top], f"python_param {{ {settings} }}")


# Losses -------------------------------------------------------------------------------------------


def labels(b: Builder, shape: Sequence[int], classes: int) -> Top:
    return b.source(b.rng.integers(0, classes, shape))


def _loss_weight(b: Builder, tops: int) -> str:
    if tops == 1 and b.chance(0.6):
        return ""
    return f"loss_weight: {b.number(-1, 2)} " + "loss_weight: 0 " * (tops - 1)


def _loss_param(b: Builder, classes: int) -> str:
    settings = b.some(
        f"ignore_label: {b.integer(0, classes - 1)}",
        f"normalization: {b.one_of('FULL', 'VALID', 'BATCH_SIZE', 'NONE')}",
    )
    return f"loss_param {{ {settings} }} " if settings else ""


@maker("SoftmaxWithLoss", "InfogainLoss", "Accuracy")
def with_labels(b: Builder) -> None:
    kind = b.one_of("SoftmaxWithLoss", "SoftmaxWithLoss", "InfogainLoss", "Accuracy")
    top = b.pick(lambda top: len(top.shape) >= 2)
    if kind == "Accuracy" and b.force:  # genuine Caffe aborts
        raise StopIteration
    axis = 1 if b.chance(0.6) else b.integer(1, len(top.shape) - 1)
    classes = top.shape[axis]
    shape = (*top.shape[:axis], *top.shape[axis + 1 :])
    bottoms = [top, labels(b, shape, classes)]
    # Genuine Caffe's SoftmaxWithLoss stumbles over the loss_weights of two tops.
    tops = 2 if kind != "SoftmaxWithLoss" and b.chance(0.3) else 1
    if kind == "Accuracy":
        settings = f"top_k: {b.integer(1, min(classes, 3))} axis: {axis} "
        settings += b.some(f"ignore_label: {b.integer(0, classes - 1)}")
        for made in b.add(kind, bottoms, f"accuracy_param {{ {settings} }}", tops):
            b.tops.remove(made)
        return
    settings = _loss_weight(b, tops) + _loss_param(b, classes)
    if kind == "InfogainLoss":
        if b.force:  # no gradient can be asked for by the matrix
            raise StopIteration
        bottoms.append(b.source(b.floats(classes, classes)))
        settings += f"infogain_loss_param {{ axis: {axis} }}"
    else:
        settings += f"softmax_param {{ axis: {axis} }}"
    end_with(b, b.add(kind, bottoms, settings, tops))


def end_with(b: Builder, tops: Sequence[Top]) -> None:
    """Nothing reads a loss: its weight would then count for what reads it."""
    for top in tops:
        b.tops.remove(top)


@maker("HingeLoss", "MultinomialLogisticLoss")
def one_label_each(b: Builder) -> None:
    kind = b.one_of("HingeLoss", "MultinomialLogisticLoss")
    top = b.pick(lambda top: len(top.shape) == 2)
    if kind == "MultinomialLogisticLoss":
        (top,) = b.add("Softmax", [top], bound=1)
    bottoms = [top, labels(b, top.shape[:1], top.shape[1])]
    settings = _loss_weight(b, 1)
    if kind == "HingeLoss":
        settings += b.some("hinge_loss_param { norm: L2 }")
    end_with(b, b.add(kind, bottoms, settings))


@maker("EuclideanLoss")
def euclidean(b: Builder) -> None:
    top = b.pick(lambda top: 1 <= len(top.shape) <= 4)
    others = [other for other in b.tops if other.shape == top.shape and other is not top]
    other = b.one_of(*others) if others and b.chance(0.5) else b.source(b.floats(*top.shape), "x")
    end_with(b, b.add("EuclideanLoss", [top, other], _loss_weight(b, 1)))


@maker("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    targets = b.source(b.rng.integers(0, 2, top.shape))
    settings = _loss_weight(b, 1) + _loss_param(b, 2)
    end_with(b, b.add("SigmoidCrossEntropyLoss", [top, targets], settings))


@maker("ContrastiveLoss")
def contrastive(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) == 2)
    other = b.source(b.floats(*top.shape), "x")
    settings = b.some(f"margin: {b.number(0.5, 4)}", "legacy_version: true")
    bottoms = [top, other, b.source(b.rng.integers(0, 2, top.shape[0]))]
    loss = f"{_loss_weight(b, 1)} contrastive_loss_param {{ {settings} }}"
    end_with(b, b.add("ContrastiveLoss", bottoms, loss))


# Sources ------------------------------------------------------------------------------------------


@maker("DummyData")
def dummy_data(b: Builder) -> None:
    shape = " ".join(f"dim: {b.integer(1, 5)}" for _ in range(b.integer(1, 4)))
    settings = f"shape {{ {shape} }} {b.filler('data_filler')}"
    b.add("DummyData", [], f"dummy_data_param {{ {settings} }}")


@maker("Parameter")
def parameter(b: Builder) -> None:
    shape = " ".join(f"dim: {b.integer(1, 5)}" for _ in range(b.integer(1, 4)))
    b.add("Parameter", [], f"parameter_param {{ shape {{ {shape} }} }}")


#: Settings of layers that read the files of golden/sources and golden/lmdb.tar.gz.
FILES = {
    "ImageData": (
        'image_data_param { source: "images.txt" root_folder: "pictures/" batch_size: 3 %s }'
    ),
    "WindowData": 'window_data_param { source: "windows.txt" batch_size: 3 %s }',
    "HDF5Data": 'hdf5_data_param { source: "files.txt" batch_size: 4 %s }',
    "Data": 'data_param { source: "data_lmdb" backend: LMDB batch_size: 3 %s }',
}


@maker(*FILES)
def from_files(b: Builder) -> None:
    kind = b.one_of(*FILES)
    if "data" in [top.name for top in b.tops]:
        raise StopIteration
    more = {
        "ImageData": ("shuffle: true", "is_color: false", "new_height: 9 new_width: 7"),
        "WindowData": ("crop_mode: 'square'", "context_pad: 1", "fg_fraction: 0.5"),
    }.get(kind, ())
    settings = FILES[kind] % b.some(*more)
    if kind != "HDF5Data":
        crop = "crop_size: 5" if kind == "WindowData" or b.chance(0.5) else ""
        rest = b.some("mirror: true", "mean_value: 9")
        rest += " scale: 0.02" if kind != "WindowData" else ""  # which does not look at it
        settings += f" transform_param {{ {crop} {rest} }}"
    names = ["data", "label", *(["other"] if kind == "HDF5Data" and b.chance(0.5) else [])]
    b.add(kind, [], settings, names)
