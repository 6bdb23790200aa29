"""What layers random nets are made of: one function for each type, which adds a layer or gives up.

They avoid what genuine Caffe leaves undefined, and the differences that docs/torchcaffe.md lists.
A StopIteration says that no blob will do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tests.conformance.builder import Builder, Top

Maker = Callable[[Builder], None]
LAYERS: dict[str, Maker] = {}


def maker(*names: str) -> Callable[[Maker], Maker]:
    """Decorator: enter the function that adds layers of these types."""

    def enter(function: Maker) -> Maker:
        for name in names:
            LAYERS[name] = function
        return function

    return enter


def axes(number: int) -> Callable[[Top], bool]:
    """Wants blobs of so many axes."""
    return lambda top: len(top.shape) == number


def small(top: Top) -> bool:
    """Wants numbers that are not large, so that powers of them are not, either."""
    return top.bound <= 8


def axis_of(b: Builder, top: Top, first: int = 0) -> int:
    """An axis of the blob from `first` on, counted from the front or from the back."""
    axis = b.integer(first, len(top.shape) - 1)
    return axis if b.chance(0.7) else axis - len(top.shape)


# Numbers one by one -------------------------------------------------------------------------------


def _neuron(kind: str, settings: Callable[[Builder], str], in_place: bool, bound: float) -> None:
    def make(b: Builder) -> None:
        top = b.pick(small)
        here = in_place and b.may_be_in_place(top) and b.chance(0.5)
        (made,) = b.add(kind, [top], settings(b), in_place=here)
        made.bound = bound

    LAYERS[kind] = make


INF = float("inf")
_neuron("ReLU", lambda b: b.some(f"relu_param {{ negative_slope: {b.number(0, 1)} }}"), True, 8)
_neuron("ELU", lambda b: b.some(f"elu_param {{ alpha: {b.number(0, 2)} }}"), True, 8)
_neuron("Sigmoid", lambda b: "", True, 1)
_neuron("TanH", lambda b: "", True, 1)
_neuron("AbsVal", lambda b: "", False, 8)
_neuron("BNLL", lambda b: "", False, 8)
_neuron("Swish", lambda b: b.some(f"swish_param {{ beta: {b.number(-2, 2)} }}"), False, 8)
_neuron(
    "Clip", lambda b: f"clip_param {{ min: {b.number(-2, 0)} max: {b.number(0, 2)} }}", False, 2
)
_neuron(
    "Dropout", lambda b: b.some(f"dropout_param {{ dropout_ratio: {b.number(0, 0.9)} }}"), True, INF
)


@maker("PReLU")
def prelu(b: Builder) -> None:
    top = b.pick(lambda top: 2 <= len(top.shape) <= 4)
    settings = b.some("channel_shared: true", b.filler("filler"))
    in_place = b.may_be_in_place(top) and b.chance(0.5)
    b.add("PReLU", [top], f"prelu_param {{ {settings} }}", in_place=in_place)


@maker("Power")
def power(b: Builder) -> None:
    top = b.pick(small)
    scale, shift = b.number(-1, 1), b.number(-1, 1)
    exponent = b.one_of("0", "1", "2", "3")
    if top.bound <= 1 and b.chance(0.5):
        scale, shift, exponent = b.number(0.1, 0.9), "1.5", b.one_of("-1", "0.5", "1.7")
    settings = b.some(f"power: {exponent}", f"scale: {scale}") + f" shift: {shift}"
    b.add("Power", [top], f"power_param {{ {settings} }}")


@maker("Exp")
def exp(b: Builder) -> None:
    base = b.some(f"base: {b.one_of('2', '0.5', '3')}")
    numbers = f"scale: {b.number(-0.5, 0.5)} shift: {b.number(-1, 1)}"
    b.add("Exp", [b.pick(small)], f"exp_param {{ {base} {numbers} }}")


def _squashed(b: Builder) -> Top:
    """A blob with numbers up to 1, made for the purpose."""
    return b.add(b.one_of("Sigmoid", "TanH"), [b.pick()], bound=1)[0]


@maker("Log")
def log(b: Builder) -> None:
    top = b.pick(lambda top: top.bound <= 1) if b.chance(0.5) else _squashed(b)
    base = b.some(f"base: {b.one_of('2', '0.5', '10')}")
    numbers = f"scale: {b.number(-0.8, 0.8)} shift: {b.number(1, 2)}"
    b.add("Log", [top], f"log_param {{ {base} {numbers} }}")


def without_gradient(b: Builder) -> Callable[[Top], bool]:
    """Wants blobs through which no gradient is asked for: genuine Caffe would abort."""
    return lambda top: not (b.force or top.grad)


@maker("Threshold")
def threshold(b: Builder) -> None:
    settings = b.some(f"threshold_param {{ threshold: {b.number(-1, 1)} }}")
    b.add("Threshold", [b.pick(without_gradient(b))], settings, bound=1)


@maker("ArgMax")
def argmax(b: Builder) -> None:
    top = b.pick(lambda top: without_gradient(b)(top) and len(top.shape) >= 1)
    if b.chance(0.5):
        axis = axis_of(b, top)
        most, settings = top.shape[axis], f"axis: {axis}"
    else:
        most, settings = int(np.prod(top.shape[1:])), ""
    settings += f" top_k: {b.integer(1, min(most, 4))} {b.some('out_max_val: true')}"
    b.add("ArgMax", [top], f"argmax_param {{ {settings} }}")


# Normalisation, scales ----------------------------------------------------------------------------


@maker("BatchNorm")
def batch_norm(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 2)
    settings = b.some(
        f"use_global_stats: {b.one_of('true', 'false')}",
        f"moving_average_fraction: {b.number(0.1, 1)}",
        f"eps: {b.one_of('0.01', '1')}",
    )
    # Every number is the mean itself where there is one per channel: only rounding remains.
    if top.shape[0] * np.prod(top.shape[2:]) < 3:
        settings = "use_global_stats: true"
    in_place = b.may_be_in_place(top) and b.chance(0.3)
    b.add("BatchNorm", [top], f"batch_norm_param {{ {settings} }}", in_place=in_place)


@maker("Scale", "Bias")
def scale(b: Builder) -> None:
    kind = b.one_of("Scale", "Bias")
    top = b.pick(lambda top: len(top.shape) >= 1)
    rank = len(top.shape)
    axis = b.integer(0, rank - 1)
    number = b.integer(1, rank - axis)
    settings = f"axis: {axis if b.chance(0.7) else axis - rank} "
    bottoms = [top]
    if b.chance(0.3):
        bottoms.append(b.source(b.floats(*top.shape[axis : axis + number]), "x"))
    else:
        settings += f"num_axes: {-1 if axis + number == rank and b.chance(0.5) else number} "
        settings += b.filler("filler")
    if kind == "Scale" and b.chance(0.5):
        settings += " bias_term: true " + b.filler("bias_filler")
    in_place = b.may_be_in_place(top) and b.chance(0.3)
    b.add(kind, bottoms, f"{kind.lower()}_param {{ {settings} }}", in_place=in_place)


@maker("LRN")
def lrn(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) == 4 and small(top))
    size = b.one_of(1, 3, 5)
    settings = f"local_size: {size} alpha: {b.number(0.1, 2)} beta: {b.number(0.2, 1)} "
    # Within a channel genuine Caffe fails where its window is larger than the image.
    if min(top.shape[2:]) >= size and b.chance(0.4):
        settings += "norm_region: WITHIN_CHANNEL"
    else:
        settings += b.some(f"k: {b.number(1, 3)}")
    b.add("LRN", [top], f"lrn_param {{ {settings} }}")


@maker("MVN")
def mvn(b: Builder) -> None:
    top = b.pick(
        lambda top: 2 <= len(top.shape) <= 4 and np.prod(top.shape[2:]) > 2 and not top.constant
    )
    settings = b.some("normalize_variance: false", "across_channels: true", "eps: 0.1")
    b.add("MVN", [top], f"mvn_param {{ {settings} }}")


@maker("Softmax")
def softmax(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    axis = axis_of(b, top) if len(top.shape) < 2 or b.chance(0.6) else 1
    facts = {"bound": 1} | ({"constant": True} if top.shape[axis] == 1 else {})
    b.add("Softmax", [top], f"softmax_param {{ axis: {axis} }}", **facts)


# Shapes -------------------------------------------------------------------------------------------


@maker("Flatten")
def flatten(b: Builder) -> None:
    # After some layers it lets no gradient pass in genuine Caffe.
    shared = ("Reshape", "Parameter", "RNN", "LSTM")
    top = b.pick(lambda top: len(top.shape) >= 2 and top.producer not in shared)
    first = b.integer(0, len(top.shape) - 1)
    end = b.integer(first, len(top.shape) - 1)
    settings = f"axis: {first} end_axis: {end if b.chance(0.5) else end - len(top.shape)}"
    b.add("Flatten", [top], f"flatten_param {{ {settings if b.chance(0.6) else ''} }}")


@maker("Reshape")
def reshape(b: Builder) -> None:
    # Its diff is that of its bottom, which a layer in place changes once more.
    top = b.pick(lambda top: len(top.shape) >= 2 and not top.overwritten)
    rank = len(top.shape)
    choice = b.integer(0, 3)
    if choice == 0:
        dims, more = [0, -1], ""
    elif choice == 1:
        dims, more = [-1, top.shape[-1]], ""
    elif choice == 2:
        dims, more = [1], f"axis: {b.integer(0, rank)} num_axes: 0"
    else:
        dims, more = [-1], f"axis: {b.integer(-rank, -1)} num_axes: 1"
    shape = " ".join(f"dim: {dim}" for dim in dims)
    b.add("Reshape", [top], f"reshape_param {{ shape {{ {shape} }} {more} }}", bound=top.bound)


@maker("Split")
def split(b: Builder) -> None:
    top = b.pick()
    b.add("Split", [top], tops=b.integer(1, 3), bound=top.bound)


@maker("Slice")
def slice_(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1 and max(top.shape) >= 2)
    axis = b.one_of(*(i for i, n in enumerate(top.shape) if n >= 2))
    tops = b.integer(2, min(3, top.shape[axis]))
    settings = f"axis: {axis}"
    if top.shape[axis] % tops or b.chance(0.5):
        points = b.rng.choice(np.arange(1, top.shape[axis]), tops - 1, replace=False)
        settings += "".join(f" slice_point: {point}" for point in sorted(points))
    b.add("Slice", [top], f"slice_param {{ {settings} }}", tops, bound=top.bound)


@maker("Concat")
def concat(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    axis = b.integer(0, len(top.shape) - 1)

    def fits(other: Top) -> bool:
        same = [n == m for n, m in zip(top.shape, other.shape, strict=False)]
        return len(other.shape) == len(top.shape) and all(same[:axis] + same[axis + 1 :])

    bottoms = [top, b.pick(fits), *([b.pick(fits)] if b.chance(0.3) else [])]
    b.add("Concat", bottoms, f"concat_param {{ axis: {axis} }}")


@maker("Eltwise")
def eltwise(b: Builder) -> None:
    top = b.pick(small)
    bottoms = [top, b.pick(lambda other: other.shape == top.shape and small(other))]
    if bottoms[1] is top and b.chance(0.8):
        bottoms[1] = b.source(b.floats(*top.shape), "x")
    if b.chance(0.3):
        bottoms.append(b.pick(lambda other: other.shape == top.shape and small(other)))
    operation = b.one_of("PROD", "SUM", "MAX")
    settings = f"operation: {operation}"
    if operation == "SUM" and b.chance(0.5):
        settings += "".join(f" coeff: {b.number(-2, 2)}" for _ in bottoms)
    if operation == "PROD":
        settings += b.some(" stable_prod_grad: true")
    b.add("Eltwise", bottoms, f"eltwise_param {{ {settings} }}")


@maker("Tile")
def tile(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    settings = f"axis: {axis_of(b, top)} tiles: {b.integer(1, 3)}"
    b.add("Tile", [top], f"tile_param {{ {settings} }}", bound=top.bound)


@maker("Crop")
def crop(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 2)
    rank = len(top.shape)
    axis = b.integer(0, rank - 1)
    size = [b.integer(1, n) for n in top.shape]
    most = [n - m for n, m in zip(top.shape[axis:], size[axis:], strict=True)]
    if b.chance(0.4):
        offsets = [b.integer(0, min(most))]
    else:
        offsets = [b.integer(0, n) for n in most]
    settings = f"axis: {axis if b.chance(0.6) else axis - rank}"
    settings += "".join(f" offset: {offset}" for offset in offsets) if b.chance(0.7) else ""
    bottoms = [top, b.source(b.floats(*size), "x")]
    b.add("Crop", bottoms, f"crop_param {{ {settings} }}", bound=top.bound)


@maker("Reduction")
def reduction(b: Builder) -> None:
    top = b.pick(lambda top: len(top.shape) >= 1)
    settings = f"operation: {b.one_of('SUM', 'ASUM', 'SUMSQ', 'MEAN')} axis: {axis_of(b, top)} "
    settings += b.some(f"coeff: {b.number(-2, 2)}")
    b.add("Reduction", [top], f"reduction_param {{ {settings} }}")


@maker("BatchReindex")
def batch_reindex(b: Builder) -> None:
    if b.force:  # genuine Caffe aborts
        raise StopIteration
    top = b.pick(lambda top: len(top.shape) >= 1)
    index = b.source(b.rng.integers(0, top.shape[0], b.integer(1, 5)))
    b.add("BatchReindex", [top, index], bound=top.bound)


@maker("Filter")
def filter_(b: Builder) -> None:
    if b.force:  # genuine Caffe aborts
        raise StopIteration
    top = b.pick(lambda top: len(top.shape) >= 1)
    selector = b.rng.integers(0, 2, top.shape[0])
    selector[b.integer(0, top.shape[0] - 1)] = 1
    (made,) = b.add("Filter", [top, b.source(selector)], bound=top.bound)
    made.shape = (int(selector.sum()), *made.shape[1:])


@maker("Silence")
def silence(b: Builder) -> None:
    top = b.pick(lambda top: not top.readers)
    b.add("Silence", [top], tops=0)
    b.tops.remove(top)
