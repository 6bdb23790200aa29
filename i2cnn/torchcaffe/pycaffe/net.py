"""pycaffe's Net."""

from __future__ import annotations

import itertools
import os
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import SupportsIndex, cast

import numpy as np

from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.errors import CaffeError, CaffeTypeError, CaffeValueError
from i2cnn.torchcaffe.layers import Layer
from i2cnn.torchcaffe.layers.memory import MemoryData
from i2cnn.torchcaffe.layers.python import Python
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.util.arrays import AnyArray, Float32Array


class Net:
    """A net with pycaffe's interface.

    Parameters
    ----------
    network_file : str
        Prototxt of the net, in any of Caffe's formats.
    phase : int
        TRAIN or TEST. The legacy form ``Net(prototxt, weights, phase)`` works too.
    level : int, optional
        Level of the net's state, for include and exclude rules.
    stages : list of str, optional
        Stages of the net's state, for include and exclude rules.
    weights : str, optional
        .caffemodel to load.

    Raises
    ------
    InputError
        A file is missing (a RuntimeError, as in pycaffe), damaged or not accepted by Caffe; or
        the arguments fit neither form (a TypeError).
    """

    def __init__(
        self,
        network_file: str | os.PathLike[str],
        phase: int | str | os.PathLike[str] | None = None,
        level: int | None = None,
        stages: Sequence[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
    ) -> None:
        number: object = phase
        if isinstance(phase, (str, os.PathLike)) and weights is None and stages is None:
            number, level, weights = level, None, phase
        if not isinstance(number, SupportsIndex):
            raise CaffeTypeError("Net needs a phase: caffe.TRAIN or caffe.TEST")
        if not isinstance(level, SupportsIndex | None):
            raise CaffeTypeError(
                f"Net's third argument is the level, a number, not {level!r}; weights are named: "
                "Net(file, caffe.TEST, weights=...)"
            )
        if isinstance(stages, str):
            raise CaffeTypeError(f"Net's stages are a list of names, not {stages!r}")
        self._core = CoreNet.from_file(
            str(network_file), int(number), int(level or 0), stages or ()
        )
        #: The prototxt's name. Genuine pycaffe's nets have none, so programs give them their own.
        self.name = self._core.param.name
        if weights is not None:
            self.copy_from(str(weights))

    @classmethod
    def _wrap(cls, core: CoreNet) -> Net:
        net = cls.__new__(cls)
        net._core = core
        net.name = core.param.name
        return net

    # Inspecting ---------------------------------------------------------------------------------

    @property
    def blobs(self) -> OrderedDict[str, Blob]:
        """Blobs by name, in the order of the layers that make them."""
        return self._core.blobs

    @property
    def params(self) -> OrderedDict[str, list[Blob]]:
        """Parameters by layer name."""
        return self._core.params()

    @property
    def layers(self) -> list[Layer]:
        """Layers in the order they run, Split layers included."""
        return [_seen(node.layer) for node in self._core.nodes]

    @property
    def layer_dict(self) -> OrderedDict[str, Layer]:
        """Layers by name."""
        return OrderedDict((node.name, _seen(node.layer)) for node in self._core.nodes)

    @property
    def _layer_names(self) -> list[str]:
        return [node.name for node in self._core.nodes]

    @property
    def _blob_names(self) -> list[str]:
        return list(self.blobs)

    @property
    def _blobs(self) -> list[Blob]:
        return list(self.blobs.values())

    @property
    def _blob_loss_weights(self) -> list[float]:
        return list(self.blob_loss_weights.values())

    def _top_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self._core.nodes[layer].top_names]

    def _bottom_ids(self, layer: int) -> list[int]:
        return [self._blob_names.index(name) for name in self._core.nodes[layer].bottom_names]

    @property
    def _inputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.inputs]

    @property
    def _outputs(self) -> list[int]:
        return [self._blob_names.index(name) for name in self.outputs]

    @property
    def inputs(self) -> list[str]:
        """Names of the blobs that a user fills."""
        return list(self._core.inputs)

    @property
    def outputs(self) -> list[str]:
        """Names of the blobs that no layer reads, sorted."""
        return list(self._core.outputs)

    @property
    def top_names(self) -> OrderedDict[str, list[str]]:
        """Names of the blobs that each layer makes, by layer name."""
        return OrderedDict((node.name, list(node.top_names)) for node in self._core.nodes)

    @property
    def bottom_names(self) -> OrderedDict[str, list[str]]:
        """Names of the blobs that each layer reads, by layer name."""
        return OrderedDict((node.name, list(node.bottom_names)) for node in self._core.nodes)

    @property
    def blob_loss_weights(self) -> OrderedDict[str, float]:
        """Weight in the loss of each blob, by name; 0 for most."""
        return self._core.loss_weights()

    # Running ------------------------------------------------------------------------------------

    def _index(self, layer: str) -> int:
        try:
            return self._layer_names.index(layer)
        except ValueError:
            raise CaffeValueError(f"{self._core.source}: no layer is called {layer!r}") from None

    def _forward(self, start: int, end: int) -> float:
        """Run the layers with these numbers, both included; returns their loss."""
        return self._core.forward(start, end)

    def _backward(self, start: int, end: int) -> None:
        """Run backward from the layer numbered `start` down to `end`."""
        self._core.backward(start, end)

    def forward(
        self,
        blobs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: AnyArray,
    ) -> dict[str, Float32Array]:
        """Run the net, or its layers from `start` to `end`.

        Returns
        -------
        dict
            Data of the outputs (of the end layer's tops if `end` is given) and of `blobs`.
        """
        first = self._index(start) if start is not None else 0
        last = self._index(end) if end is not None else None
        outputs = self.top_names[end] if end is not None else self.outputs
        _check_names(kwargs, self.inputs, "Input blob arguments do not match net inputs.")
        for name, array in kwargs.items():
            self._check_batch(name, array, "Input")
            self.blobs[name].data = array
        self._core.forward(first, last)
        return {name: self.blobs[name].data for name in _union(outputs, blobs)}

    def backward(
        self,
        diffs: Sequence[str] | None = None,
        start: str | None = None,
        end: str | None = None,
        **kwargs: AnyArray,
    ) -> dict[str, Float32Array]:
        """Run backward from `start` to `end`, with diffs of all outputs or those that are there.

        Returns
        -------
        dict
            Diffs of the inputs (of the end layer's bottoms if `end` is given) and of `diffs`.
        """
        first = self._index(start) if start is not None else None
        last = self._index(end) if end is not None else 0
        outputs = self.bottom_names[end] if end is not None else self.inputs
        _check_names(kwargs, self.outputs, "Top diff arguments do not match net outputs.")
        for name, array in kwargs.items():
            self._check_batch(name, array, "Diff")
            self.blobs[name].diff = array
        self._core.backward(first, last)
        return {name: self.blobs[name].diff for name in _union(outputs, diffs)}

    def _check_batch(self, name: str, array: AnyArray, what: str) -> None:
        """CaffeError unless an array has as many items as the blob that it is for."""
        shape = self.blobs[name].shape
        if array.shape[:1] != shape[:1]:
            raise CaffeError(
                f"{what} is not batch sized: {name} has the shape {array.shape}, its blob {shape}; "
                "reshape the net's inputs first, or call forward_all"
            )

    def forward_all(
        self, blobs: Sequence[str] | None = None, **kwargs: AnyArray
    ) -> dict[str, Float32Array]:
        """Run over any number of inputs, batch by batch."""
        found = [_copies(self.forward(blobs, None, None, **fed)) for fed in self._batch(kwargs)]
        return _joined(found, kwargs)

    def forward_backward_all(
        self,
        blobs: Sequence[str] | None = None,
        diffs: Sequence[str] | None = None,
        **kwargs: AnyArray,
    ) -> tuple[dict[str, Float32Array], dict[str, Float32Array]]:
        """Run forward and backward over any number of inputs, batch by batch.

        Where no inputs, or no diffs of outputs, are given, the blobs are used as they are.
        """
        forward = {k: v for k, v in kwargs.items() if k in self.inputs}
        backward = {k: v for k, v in kwargs.items() if k in self.outputs}
        data, grads = [], []
        batches = itertools.zip_longest(
            self._batch(forward), self._batch(backward), fillvalue=dict[str, AnyArray]()
        )
        for fed, given in batches:
            data.append(_copies(self.forward(blobs, None, None, **fed)))
            grads.append(_copies(self.backward(diffs, None, None, **given)))
        return _joined(data, kwargs), _joined(grads, kwargs)

    def _batch(self, arrays: Mapping[str, AnyArray]) -> Iterator[dict[str, AnyArray]]:
        """The arrays in batches of the net's size, the last one padded with zeros."""
        number = len(next(iter(arrays.values()), ()))
        size = next(iter(self.blobs.values())).num
        for start in range(0, number, size):
            batch: dict[str, AnyArray] = {}
            for name, values in arrays.items():
                part = np.asarray(values[start : start + size])
                padding = np.zeros((size - len(part), *part.shape[1:]), part.dtype)
                batch[name] = np.concatenate([part, padding])
            yield batch

    def before_forward(self, function: Callable[[int], object]) -> None:
        """Call a function with the number of each layer before its forward pass."""
        self._core.callbacks["before_forward"].append(function)

    def after_forward(self, function: Callable[[int], object]) -> None:
        """Call a function with the number of each layer after its forward pass."""
        self._core.callbacks["after_forward"].append(function)

    def before_backward(self, function: Callable[[int], object]) -> None:
        """Call a function with the number of each layer before its backward pass."""
        self._core.callbacks["before_backward"].append(function)

    def after_backward(self, function: Callable[[int], object]) -> None:
        """Call a function with the number of each layer after its backward pass."""
        self._core.callbacks["after_backward"].append(function)

    def clear_param_diffs(self) -> None:
        """Set the diffs of all parameters to 0."""
        self._core.clear_param_diffs()

    def reshape(self) -> None:
        """Bring all blobs to the shapes that follow from the inputs'."""
        self._core.reshape()

    def set_input_arrays(self, data: AnyArray, labels: AnyArray) -> None:
        """Give images (N, C, H, W) and N labels to the net's first layer, a MemoryData."""
        self._set_input_arrays(data, labels)

    def _set_input_arrays(self, data: AnyArray, labels: AnyArray) -> None:
        layer = self.layers[0]
        if not isinstance(layer, MemoryData):
            raise CaffeError("set_input_arrays needs a net whose first layer is MemoryData")
        layer.reset(np.asarray(data), np.asarray(labels))

    # Weights ------------------------------------------------------------------------------------

    def copy_from(self, weights: str) -> None:
        """Load a .caffemodel; layers are matched by name."""
        self._core.copy_from(str(weights))

    def share_with(self, other: Net) -> None:
        """Use another net's parameters."""
        self._core.share_with(other._core)

    def save(self, path: str) -> None:
        """Write a .caffemodel."""
        self._core.save(str(path))

    def save_hdf5(self, path: str, write_diff: bool = False) -> None:
        """Write a .caffemodel.h5."""
        self._core.save_hdf5(str(path), write_diff)

    def load_hdf5(self, path: str) -> None:
        """Load a .caffemodel.h5."""
        self._core.copy_from(str(path))


def _check_names(arrays: Mapping[str, AnyArray], names: Sequence[str], message: str) -> None:
    """Arrays are given for all blobs that can be filled, or for none."""
    if arrays and set(arrays) != set(names):
        wanted = ", ".join(names) or "none"
        raise CaffeError(f"{message} Given: {', '.join(arrays)}; the net has: {wanted}")


def _union(names: Sequence[str], others: Sequence[str] | None) -> list[str]:
    """All names once, in order."""
    return list(dict.fromkeys([*names, *(others or [])]))


def _copies(arrays: Mapping[str, Float32Array]) -> dict[str, Float32Array]:
    """Copies that the next pass does not overwrite."""
    return {name: array.copy() for name, array in arrays.items()}


def _joined(
    batches: Sequence[Mapping[str, Float32Array]], given: Mapping[str, AnyArray]
) -> dict[str, Float32Array]:
    """The arrays of all batches, without the last one's padding."""
    if not given:
        raise CaffeError("forward_all and forward_backward_all need arrays for inputs or outputs")
    total, names = len(next(iter(given.values()))), batches[0] if batches else ()
    return {name: np.concatenate([batch[name] for batch in batches])[:total] for name in names}


def _seen(layer: Layer) -> Layer:
    """The layer as a user knows it: a Python layer is the user's own object."""
    return cast(Layer, layer.user) if isinstance(layer, Python) else layer
