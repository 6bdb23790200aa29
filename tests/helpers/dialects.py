"""Nets of one layer of a fork: tops, gradients, and the tops of OpenCV's importer."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.formats.upgrade import upgrade_net
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.proto import NetParameter
from i2cnn.torchcaffe.weights import to_proto

Arrays = Sequence[np.ndarray]


class OneLayer:
    """A net of inputs `x0`, `x1`, ... and one layer.

    Parameters
    ----------
    layer : str
        What stands in the layer beside its name and its bottoms, its tops too.
    bottoms : sequence of arrays
        Its bottoms, float32.
    params : sequence of arrays
        Its parameters; as the fillers make them if left out.
    phase : {TEST, TRAIN}
    """

    def __init__(
        self, layer: str, bottoms: Arrays, params: Arrays = (), phase: int = caffe.TEST
    ) -> None:
        names = [f"x{i}" for i in range(len(bottoms))]
        text = "force_backward: true\n"
        for name, x in zip(names, bottoms, strict=True):
            shape = " ".join(f"dim: {n}" for n in x.shape)
            text += f'input: "{name}" input_shape {{ {shape} }}\n'
        text += 'layer { name: "it" ' + " ".join(f'bottom: "{name}"' for name in names)
        self.text = f"{text} {layer} }}\n"
        param = NetParameter()
        parse(self.text, param, "net")
        upgrade_net(param, "net")
        param.state.phase = phase
        self.net = CoreNet(param, runtime.prepare_net(), "net")
        self.bottoms = [np.float32(x) for x in bottoms]
        self.blobs = [self.net.blobs[name] for name in names]
        self.layer = self.net.nodes[-1].layer
        self.tops = [self.net.blobs[name] for name in self.net.nodes[-1].top_names]
        for blob, value in zip(self.layer.blobs, params, strict=bool(params)):
            assert blob.shape == np.shape(value)
            blob.data[...] = value

    def forward(self) -> list[np.ndarray]:
        """The tops."""
        for blob, x in zip(self.blobs, self.bottoms, strict=True):
            blob.data[...] = x
        self.net.forward()
        return [top.data.copy() for top in self.tops]

    def opencv(self) -> list[np.ndarray]:
        """The tops of OpenCV's importer of Caffe nets, the second oracle."""
        files = self.text.encode(), to_proto("net", self.net.nodes).SerializeToString()
        net = cv2.dnn.readNetFromCaffe(*(np.frombuffer(file, np.uint8) for file in files))
        for i, x in enumerate(self.bottoms):
            net.setInput(x, f"x{i}")
        return list(net.forwardAndRetrieve(["it"])[0])

    def check_gradients(self, tolerance: float = 2e-2, step: float = 1e-2) -> None:
        """Compare the gradients of bottoms and parameters with finite differences."""
        random = np.random.default_rng(3)
        weights = [random.normal(size=top.shape) for top in self.tops]
        self.forward()
        for top, weight in zip(self.tops, weights, strict=True):
            top.diff[...] = weight
        self.net.clear_param_diffs()
        self.net.backward()
        bottoms = zip(self.bottoms, self.blobs, self.net.nodes[-1].bottom_needs, strict=True)
        found = [(x, blob.diff.copy()) for x, blob, need in bottoms if need]
        learned = [entry.blob for entry in self.net.learnable if entry.lr_mult]
        found += [(blob.data, blob.diff.copy()) for blob in learned]
        assert found
        for values, gradient in found:
            for place in random.permutation(values.size)[:12]:
                slope = self._slope(values, np.unravel_index(place, values.shape), weights, step)
                assert abs(slope - gradient.flat[place]) <= tolerance * max(1, abs(slope))

    def _slope(
        self, values: np.ndarray, place: tuple[np.ndarray, ...], weights: Arrays, step: float
    ) -> float:
        old, sums = values[place].copy(), []
        for sign in (1, -1):
            values[place] = old + sign * step
            tops = zip(self.forward(), weights, strict=True)
            sums.append(sum(float((top.astype(float) * weight).sum()) for top, weight in tops))
        values[place] = old
        return (sums[0] - sums[1]) / (2 * step)
