"""Nets on whose building genuine Caffe 1.0 aborts, and what torchcaffe's refusals say."""

from __future__ import annotations


def data(*dims: int, top: str = "x", value: float = 1) -> str:
    """A layer that makes a blob of these dimensions."""
    shape = " ".join(f"dim: {dim}" for dim in dims)
    return (
        f'layer {{ name: "{top}" type: "DummyData" top: "{top}" dummy_data_param {{ '
        f'shape {{ {shape} }} data_filler {{ type: "constant" value: {value} }} }} }}\n'
    )


def layer(type_name: str, bottoms: str, tops: str, settings: str = "") -> str:
    """A layer with these bottoms and tops, separated by spaces."""
    blobs = [f'bottom: "{name}"' for name in bottoms.split()]
    blobs += [f'top: "{name}"' for name in tops.split()]
    return f'layer {{ name: "it" type: "{type_name}" {" ".join(blobs)} {settings} }}\n'


IMAGE = data(2, 3, 8, 8)
TWO = IMAGE + data(2, 3, 9, 8, top="y")
SCORES = data(2, 3, 2, 2) + data(8, top="y")
CONVOLUTION = "convolution_param {{ num_output: 4 {} }}"
BIG = 2**32 - 1


def dummy(settings: str, tops: str = "x") -> str:
    """A DummyData layer."""
    return layer("DummyData", "", tops, f"dummy_data_param {{ {settings} }}")


def convolution(settings: str, bottom: str = "x", top: str = "t") -> str:
    """A convolution of the image."""
    return layer("Convolution", bottom, top, CONVOLUTION.format(settings))


def pooling(settings: str) -> str:
    """A pooling of the image."""
    return layer("Pooling", "x", "t", f"pooling_param {{ {settings} }}")


#: By what is wrong: the net, and a pattern of what torchcaffe says.
RULES = {
    "a loss of two tops without weights": (
        SCORES.replace("dim: 8", "dim: 2 dim: 2 dim: 2")
        + layer("SoftmaxWithLoss", "x y", "loss prob"),
        "loss_weight must be given",
    ),
    "a slice without anything for its last top": (
        IMAGE + layer("Slice", "x", "t u", "slice_param { slice_point: 3 }"),
        "the last of slice_point, 3, leaves nothing for a top",
    ),
    "in place, but not of the bottom at the top's place": (
        TWO.replace("dim: 9", "dim: 8") + layer("Eltwise", "x y", "y"),
        "'y' produced by multiple sources",
    ),
    "global pooling with pad": (
        IMAGE + pooling("global_pooling: true pad: 1"),
        "global_pooling takes no pad",
    ),
    "global pooling with stride": (
        IMAGE + pooling("global_pooling: true stride: 2"),
        "no stride but 1",
    ),
    "global pooling with kernel_w": (
        IMAGE + pooling("global_pooling: true kernel_w: 2"),
        "takes no kernel size",
    ),
    "pooling with pad_h alone": (
        IMAGE + pooling("kernel_size: 3 pad_h: 1"),
        "both pad_h and pad_w",
    ),
    "convolution of bottoms of unequal shapes": (
        TWO + convolution("kernel_size: 3", "x y", "t u"),
        "different shapes",
    ),
    "convolution with fewer tops than bottoms": (
        TWO.replace("dim: 9", "dim: 8") + convolution("kernel_size: 3", "x y"),
        "one top of each bottom",
    ),
    "labels of another first dimension": (
        SCORES + layer("SoftmaxWithLoss", "x y", "loss"),
        "differ in their first dimension",
    ),
    "labels of another count": (
        SCORES.replace("dim: 8", "dim: 2") + layer("SoftmaxWithLoss", "x y", "loss"),
        "Number of labels must match",
    ),
    "targets of another count": (
        SCORES.replace("dim: 8", "dim: 2") + layer("SigmoidCrossEntropyLoss", "x y", "loss"),
        "differ in size",
    ),
    "AbsVal in place": (IMAGE + layer("AbsVal", "x", "x"), "cannot work in place"),
    "Flatten in place": (data(2, 3) + layer("Flatten", "x", "x"), "cannot work in place"),
    "Reshape in place": (
        data(2, 3) + layer("Reshape", "x", "x", "reshape_param { shape { dim: 0 dim: 0 } }"),
        "cannot work in place",
    ),
    "Concat with axis and concat_dim": (
        IMAGE + layer("Concat", "x x", "t", "concat_param { axis: 1 concat_dim: 1 }"),
        "either axis or concat_dim",
    ),
    "Slice with axis and slice_dim": (
        data(2, 4) + layer("Slice", "x", "t u", "slice_param { axis: 1 slice_dim: 1 }"),
        "either axis or slice_dim",
    ),
    "Embed without rows": (
        data(2) + layer("Embed", "x", "t", "embed_param { num_output: 2 }"),
        "input_dim must be at least 1",
    ),
    "Scale over fewer than no axes": (
        IMAGE + layer("Scale", "x", "t", "scale_param { num_axes: -2 }"),
        "num_axes must be at least 0",
    ),
    "DummyData with both kinds of shapes": (
        dummy("shape { dim: 2 } num: 1 channels: 1 height: 1 width: 1"),
        "either shape or num",
    ),
    "DummyData with a count of sizes that fits nothing": (
        dummy("num: 1 num: 2 channels: 1 height: 1 width: 1"),
        "give one num",
    ),
}

#: The same for sizes. Genuine Caffe dies by a signal for some of them.
SIZES = {
    "group 0": (IMAGE + convolution("kernel_size: 3 group: 0"), "group must be at least 1"),
    "a pad that makes too large a top": (
        IMAGE + convolution("kernel_size: 3 pad: 100000"),
        "more numbers than Caffe's limit",
    ),
    "a kernel above INT_MAX": (
        IMAGE + convolution(f"kernel_size: {BIG}"),
        "kernel_size 4294967295",
    ),
    "a stride above INT_MAX": (
        IMAGE + convolution(f"kernel_size: 1 stride: {BIG}"),
        "stride 4294967295 is above",
    ),
    "a pad above INT_MAX": (
        IMAGE + convolution(f"kernel_size: 1 pad: {BIG}"),
        "pad 4294967295 is above",
    ),
    "a pad of pooling above INT_MAX": (
        IMAGE + pooling(f"kernel_size: {2**31 - 1} pad: {2**31 - 2}"),
        "pad 2147483646 is above",
    ),
    "parameters above INT_MAX": (
        IMAGE + convolution("kernel_size: 20000").replace("num_output: 4", "num_output: 400"),
        "more numbers than Caffe's limit",
    ),
    "outputs above INT_MAX": (
        IMAGE + layer("InnerProduct", "x", "t", f"inner_product_param {{ num_output: {BIG} }}"),
        "more numbers than Caffe's limit",
    ),
    "a table above INT_MAX": (
        data(2) + layer("Embed", "x", "t", "embed_param { num_output: 100000 input_dim: 100000 }"),
        "more numbers than Caffe's limit",
    ),
    "1e12 numbers": (data(1000000, 1000000), "more numbers than Caffe's limit"),
    "dimensions whose product overflows": (data(2**62, 4), "more numbers than Caffe's limit"),
    "a negative dimension": (data(2, -3), "negative dimensions"),
    "two negative dimensions": (data(-2, -3), "negative dimensions"),
    "33 axes": (data(*[1] * 33), "33 axes are more than Caffe's 32"),
    "a reshaping to negative dimensions": (
        data(6) + layer("Reshape", "x", "t", "reshape_param { shape { dim: -2 dim: -3 } }"),
        "negative dimensions",
    ),
}
