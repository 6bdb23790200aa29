"""Parameters that caffe-tensorflow wrote, as the layers of a net have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.npy import read_npy
from i2cnn.torchcaffe.nodes import Node
from i2cnn.util.arrays import AnyArray

#: What caffe-tensorflow and programs that took it over call parameters, in Caffe's order; older
#: files have lists.
_NAMES = ("weights", "biases", "alpha", "mean", "variance")
#: Of a Scale layer that was joined to the BatchNorm below it.
_SCALE = ("scale", "offset")


def read_for(nodes: Sequence[Node], path: Path) -> Iterator[tuple[str, dict[int, AnyArray]]]:
    """Layers of a .npy file, named and with parameters as the net's, by number.

    caffe-tensorflow writes an underscore where a layer's name has a slash.

    Raises
    ------
    InputError
        The file cannot be used, or a layer has parameters of unknown names.
    """
    targets = {node.name.replace("/", "_"): node for node in reversed(nodes)}
    targets |= {node.name: node for node in reversed(nodes)}
    for name, params in read_npy(path).items():
        node = targets.get(name)
        if node is None:
            yield name, {}
            continue
        given = dict(params)
        scale = [given.pop(key) for key in _SCALE if key in given]
        yield node.name, dict(enumerate(_in_caffes_order(node, given, path)))
        if scale:
            yield _scale_above(node, nodes, path).name, dict(enumerate(scale))


def _in_caffes_order(node: Node, params: Mapping[str, AnyArray], path: Path) -> list[AnyArray]:
    if not params or all(key.isdigit() for key in params):
        arrays = list(params.values())
    elif set(params) <= set(_NAMES):
        arrays = [params[key] for key in _NAMES if key in params]
    else:
        unknown = sorted(set(params) - set(_NAMES))[0]
        raise CaffeError(f"{path}: layer {node.name!r} has unknown parameters {unknown!r}")
    kind = node.layer.type if arrays else ""
    if kind == "Convolution" and arrays[0].ndim == 4:
        arrays[0] = arrays[0].transpose(3, 2, 0, 1)  # from height, width, input, output
    elif kind == "InnerProduct" and arrays[0].ndim == 2:
        arrays[0] = _inner_product(arrays[0], node.bottoms[0].shape)
    elif kind == "BatchNorm" and len(arrays) == 2:
        arrays.append(np.ones(1, np.float32))  # what the sums are divided by: they are means
    return arrays


def _inner_product(weights: AnyArray, bottom: Sequence[int]) -> AnyArray:
    """Weights (output, input) from (input, output), whose input may be a picture: (H, W, C)."""
    if len(bottom) == 4 and weights.shape[0] == np.prod(bottom[1:]):
        _, channels, height, width = bottom
        picture = weights.reshape(height, width, channels, -1)
        ordered: AnyArray = picture.transpose(3, 2, 0, 1).reshape(weights.shape[::-1])
        return ordered
    return np.transpose(weights)


def _scale_above(node: Node, nodes: Sequence[Node], path: Path) -> Node:
    """The Scale layer that multiplies what a BatchNorm gives."""
    for other in nodes[nodes.index(node) + 1 :]:
        if other.layer.type == "Scale" and other.bottom_names[0] in node.top_names:
            return other
    raise CaffeError(
        f"{path}: layer {node.name!r} has scale and offset, but the net has no Scale layer above it"
    )
