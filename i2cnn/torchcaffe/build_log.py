"""The lines Caffe logs while it builds a net: layers, what they read and make, shapes, gradients.

Words, order and places in the source are genuine Caffe's, for people and programs that look there.
"""

from __future__ import annotations

import re
from copy import deepcopy

import numpy as np

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.formats.prototext import to_text
from i2cnn.torchcaffe.nodes import Learnable, Node
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter

#: Losses that make a Softmax of their own.
_WITH_SOFTMAX = ("InfogainLoss", "SoftmaxWithLoss")
#: A number that Python wrote as one with a fraction, at the end of a line.
_FRACTION = re.compile(r"(?<=: )-?\d+(?:\.\d+(?:e[+-]\d+)?|e[+-]\d+)$", re.MULTILINE)


def log_solver(param: SolverParameter) -> None:
    """Log a solver's settings."""
    if log.shows_information():
        log.info("solver.cpp:45", f"Initializing solver from parameters: \n{_debug_string(param)}")


def _debug_string(param: NetParameter | SolverParameter) -> str:
    """Prototxt text with numbers as C++ writes them."""
    return _FRACTION.sub(_as_in_c, to_text(param)).rstrip("\n")


def _as_in_c(number: re.Match[str]) -> str:
    value = np.float32(number[0])
    short = f"{value:.6g}"
    return short if np.float32(short) == value else f"{value:.9g}"


class BuildLog:
    """Follows the building of one net; its methods are called in the order they stand here.

    Parameters
    ----------
    param : NetParameter
        The net, without the layers outside its state.
    """

    def __init__(self, param: NetParameter) -> None:
        self._numbers = 0
        if log.shows_information():
            shown = deepcopy(param)
            for layer in shown.layer:
                del layer.blobs[:]  # the weights of a .caffemodel, which genuine Caffe shows
            log.info("net.cpp:53", f"Initializing net from parameters: \n{_debug_string(shown)}")

    def create(self, name: str) -> None:
        """A layer is going to be made."""
        log.info("layer_factory.hpp:77", f"Creating layer {name}")

    def connect(self, node: Node) -> None:
        """A layer was made, and is going to be set up."""
        log.info("net.cpp:86", f"Creating Layer {node.name}")
        for name in node.bottom_names:
            log.info("net.cpp:408", f"{node.name} <- {name}")
        for i, name in enumerate(node.top_names):
            if name in node.bottom_names[i : i + 1]:
                log.info("net.cpp:369", f"{node.name} -> {name} (in-place)")
            else:
                log.info("net.cpp:382", f"{node.name} -> {name}")
        with_bias = node.layer.type == "Scale" and node.layer.param.scale_param.bias_term
        if with_bias or node.layer.type in _WITH_SOFTMAX:
            self.create(node.name)  # a layer within it, of its name

    def set_up(self, node: Node) -> None:
        """A layer was set up; its tops have their shapes."""
        log.info("net.cpp:124", f"Setting up {node.name}")
        for top, weight in zip(node.tops, node.loss_weights, strict=True):
            sizes = "".join(f"{size} " for size in top.shape)
            log.info("net.cpp:131", f"Top shape: {sizes}({top.count})")
            if weight:
                log.info("net.cpp:134", f"    with loss weight {weight:g}")
            self._numbers += top.count
        log.info("net.cpp:139", f"Memory required for data: {4 * self._numbers}")

    def share(self, name: str, owner: Learnable) -> None:
        """A layer takes a parameter that another one has."""
        place = f"owned by layer '{owner.layer}', param index {owner.index}"
        log.info("net.cpp:467", f"Sharing parameters '{name}' {place}")

    def finish(self, nodes: list[Node], outputs: list[str]) -> None:
        """All layers are there, and it is known which of them a gradient reaches."""
        for node in reversed(nodes):
            if node.needs_backward:
                log.info("net.cpp:200", f"{node.name} needs backward computation.")
            else:
                log.info("net.cpp:202", f"{node.name} does not need backward computation.")
        for name in outputs:
            log.info("net.cpp:244", f"This network produces output {name}")
        log.info("net.cpp:257", "Network initialization done.")
