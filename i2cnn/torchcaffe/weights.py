"""Parameters of a net from and to files and other nets, matched by the layers' names.

Where several layers of a net have one name, the first is meant, as in genuine Caffe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.npy import is_npy
from i2cnn.torchcaffe.formats.storage import (
    is_hdf5,
    read_layers,
    to_blobproto,
    write_weights_hdf5,
)
from i2cnn.torchcaffe.from_tensorflow import read_for
from i2cnn.torchcaffe.nodes import Node
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.util.arrays import AnyArray, Float32Array


def copy_weights(nodes: Sequence[Node], path: str, source: str) -> None:
    """Copy the parameters of layers with the same name, and diffs; other layers keep theirs.

    The file is a .caffemodel, a .caffemodel.h5 or a .npy of caffe-tensorflow. Layers of the file
    that the net does not have are logged; that none fits is a warning.

    Raises
    ------
    InputError
        The file cannot be used, or a layer has other parameters in it.
    """
    # Of several layers with one name Caffe fills the first, but from HDF5 the last.
    targets = {node.name: node for node in (nodes if is_hdf5(Path(path)) else reversed(nodes))}
    copied = False
    layers: Iterable[tuple[str, Mapping[int, AnyArray], Mapping[int, AnyArray]]]
    if is_npy(Path(path)):
        layers = ((name, arrays, {}) for name, arrays in read_for(nodes, Path(path)))
    else:
        layers = read_layers(path)
    for name, arrays, diffs in layers:
        if name not in targets:
            log.info("net.cpp:746", f"Ignoring source layer {name}")
            continue
        _fill(targets[name], arrays, path)
        for i, diff in diffs.items():
            blob = targets[name].layer.blobs[i]
            blob.diff = diff.reshape(blob.shape)
        copied = copied or bool(arrays)
    if not copied and any(node.layer.blobs for node in nodes):
        log.warning(
            "net.cpp",
            f"{path}: has no layer with parameters in common with {source}, so all of the net's "
            "stay as they were; check the file and the layers' names",
        )


def _fill(node: Node, arrays: Mapping[int, AnyArray], path: str) -> None:
    blobs = dict(enumerate(node.layer.blobs))
    if arrays.keys() - blobs.keys() or blobs.keys() - arrays.keys() - node.shared:
        raise node.layer.fail(
            f"Incompatible number of blobs: {len(blobs)} here, {len(arrays)} in {path}"
        )
    for i, array in arrays.items():
        blob = blobs[i]
        if squeeze(array.shape) != squeeze(blob.shape):
            raise node.layer.fail(
                f"Cannot copy param {i} weights from {path}: shape mismatch. Source param "
                f"shape is {array.shape}; target param shape is {blob.shape}. To learn "
                "this layer's parameters from scratch, rename the layer."
            )
        blob.data = array.reshape(blob.shape)


def share_weights(nodes: Sequence[Node], others: Sequence[Node]) -> None:
    """Let layers use the parameters of another net's layers of the same name."""
    targets = {node.name: node for node in reversed(nodes)}
    for other in others:
        node = targets.get(other.name)
        if node is None:
            log.info("net.cpp:678", f"Ignoring source layer {other.name}")
            continue
        if len(other.layer.blobs) != len(node.layer.blobs):
            raise node.layer.fail("the other net's layer has a different number of params")
        for i, (mine, blob) in enumerate(zip(node.layer.blobs, other.layer.blobs, strict=True)):
            if mine.shape != blob.shape:
                raise node.layer.fail(
                    f"Cannot share param {i} of the other net's layer: its shape is {blob.shape}, "
                    f"here it is {mine.shape}"
                )
            mine.share(blob)


def to_proto(name: str, nodes: Sequence[Node], with_diff: bool = False) -> NetParameter:
    """NetParameter with the current parameters."""
    result = NetParameter(name=name)
    for node in nodes:
        layer = result.layer.add()
        layer.CopyFrom(node.layer.param)
        del layer.blobs[:]
        if node.layer.is_loss and not layer.loss_weight:
            layer.loss_weight.append(1)
        for blob in node.layer.blobs:
            diff = _array(blob.grad) if with_diff else None
            layer.blobs.append(to_blobproto(_array(blob.tensor), diff))
    return result


def _array(tensor: Tensor) -> Float32Array:
    """Numbers for a file; a blob that handed out its array for them would watch it ever after."""
    array: Float32Array = tensor.detach().float().cpu().contiguous().numpy()
    return array


def save_hdf5(path: str, nodes: Sequence[Node], with_diff: bool = False) -> None:
    """Write a .caffemodel.h5.

    Raises
    ------
    InputError
        Two layers with parameters have one name, or one a name that the format cannot hold.
    """
    twice = same_names(nodes)
    if twice:
        raise CaffeError(
            f"{path}: HDF5 holds one layer per name, and several are called {twice[0]!r}; rename "
            "them, or use snapshot_format: BINARYPROTO"
        )
    # Every layer has a group. What it shares is with the owner, but diffs are everywhere.
    data: dict[str, dict[int, Float32Array]] = {}
    diff: dict[str, dict[int, Float32Array]] = {}
    for node in nodes:
        blobs = dict(enumerate(node.layer.blobs))
        if {"", "."} & set(node.name.split("/")):  # no path to a group
            if blobs:
                raise CaffeError(
                    f"{path}: HDF5 cannot hold a layer called {node.name!r}; rename it, or use "
                    "snapshot_format: BINARYPROTO"
                )
        elif blobs or node.name not in data:
            data[node.name] = {i: _array(blobs[i].tensor) for i in blobs if i not in node.shared}
            diff[node.name] = {i: _array(blob.grad) for i, blob in blobs.items() if with_diff}
    write_weights_hdf5(path, data, diff if with_diff else None)


def same_names(nodes: Sequence[Node]) -> list[str]:
    """Names that several layers with parameters have."""
    names = [node.name for node in nodes if node.layer.blobs]
    return [name for name in dict.fromkeys(names) if names.count(name) > 1]


def squeeze(shape: Sequence[int]) -> tuple[int, ...]:
    """Shape without leading ones, by which Caffe compares old 4-d parameters with new ones."""
    shape = tuple(shape)
    while shape and shape[0] == 1:
        shape = shape[1:]
    return shape
