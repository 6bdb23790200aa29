"""A net's forward and backward pass as a CUDA graph: queued in one call, the host stays ahead.

The same layers compute the same numbers as in an unrecorded pass. What changes from pass to pass
(batches, seeds of dropout) goes through :meth:`Layer.prepare` into memory that the graph reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.layers import Layer
from i2cnn.torchcaffe.layers.data import Data
from i2cnn.torchcaffe.layers.labels import Labelled
from i2cnn.torchcaffe.layers.memory import DummyData
from i2cnn.torchcaffe.net import CoreNet
from i2cnn.torchcaffe.nodes import Node

#: Passes before the recording: cuDNN chooses its algorithms, libraries take their memory.
WARM_UP = 3

#: Queues on the device again what a function queued; see :func:`record`.
Replay = Callable[[], None]


def record(work: Callable[[], None], generators: Sequence[torch.Generator]) -> Replay:
    """Record what a function queues on the present CUDA device, without doing it."""
    torch.cuda.synchronize()
    torch.cuda.empty_cache()  # the graph takes memory of its own
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph):
        work()
    return graph.replay


class TrainingPass:
    """Loss and gradients of a net, pass after pass, by a graph where that is possible.

    Parameters
    ----------
    net : CoreNet
        A net in phase TRAIN.
    recorder : callable
        :func:`record`.
    """

    def __init__(
        self,
        net: CoreNet,
        recorder: Callable[[Callable[[], None], Sequence[torch.Generator]], Replay] = record,
    ) -> None:
        self.net = net
        self._recorder = recorder
        self._sources = _label_sources(net)
        self.recordable = self._sources is not None and all(
            node.layer.recordable for node in net.nodes
        )
        self._passes = 0
        self._replay: Replay | None = None
        self._places: tuple[int, ...] = ()
        self._weights: list[tuple[Blob, Tensor]] = []
        self._tops: list[tuple[Blob, Tensor]] = []
        self._grads: list[tuple[Blob, Tensor]] = []
        self._loss = torch.empty(0)

    def run(self) -> Tensor:
        """Do one pass; returns its loss, a number on the device. Diffs of parameters are set."""
        self._passes += 1
        watched = any(self.net.callbacks.values()) or self.net.debug_info
        if not self.recordable or watched or self._passes <= WARM_UP:
            return self._plain(prepare=True)
        for node in self.net.nodes:
            node.layer.prepare()
        with self.net.naming_records():
            for layer, source in self._sources or []:
                layer.check_host_labels(source.host_labels)
        if self._replay is None or self._places != self._feeds():
            self._record()
        if self._replay is None:
            return self._plain(prepare=False)
        for blob, place in self._weights:  # a user may have set them through NumPy
            if blob.tensor.data_ptr() != place.data_ptr():
                blob.tensor = place.copy_(blob.tensor)
        self._replay()
        for blob, tensor in self._tops:
            blob.tensor = tensor
        for blob, grad in self._grads:
            blob.grad = grad
        return self._loss.clone()

    def _plain(self, *, prepare: bool) -> Tensor:
        self.net.clear_param_diffs()
        losses = self.net.run(prepare=prepare)
        self.net.backward()
        total = torch.zeros((), device=self.net.context.device)
        for weight, value in losses:
            total = total + weight * value
        return total

    def _record(self) -> None:
        """Record a pass; where the device refuses, say so and go on without."""
        self._places = self._feeds()
        self._replay = None

        def work() -> None:
            self._loss = self._plain(prepare=False)

        nodes = self.net.nodes
        self._weights = [(b, b.tensor) for node in nodes for b in node.layer.blobs]
        generators = [g for node in nodes for g in node.layer.generators]
        try:
            self._replay = self._recorder(work, generators)
        except RuntimeError as error:
            self.recordable = False
            log.warning("solver.cpp", f"passes are not recorded as a CUDA graph: {error}")
            return
        self._tops = [(top, top.tensor) for node in nodes for top in node.tops]
        self._grads = [(entry.blob, entry.blob.grad) for entry in self.net.learnable]

    def _feeds(self) -> tuple[int, ...]:
        """Where the data layers' batches lie; a batch of another size lies elsewhere."""
        data = (node.layer for node in self.net.nodes if isinstance(node.layer, Data))
        return tuple(place for layer in data for place in layer.feed.places)


def _label_sources(net: CoreNet) -> list[tuple[Labelled, Data]] | None:
    """Layers that read labels, with the data layers they come from.

    None if some come from elsewhere, so that only the device could check them.
    """
    makers: dict[str, Layer] = {}
    found = []
    for node in net.nodes:
        maker = makers.get(node.bottom_names[1]) if _reads_labels(node) else None
        if isinstance(node.layer, Labelled) and isinstance(maker, Data):
            found.append((node.layer, maker))
        elif _reads_labels(node) and not isinstance(maker, DummyData):  # constant, checked at first
            return None
        for name in node.top_names:
            split = node.layer.type == "Split"
            makers[name] = makers.get(node.bottom_names[0], node.layer) if split else node.layer
    return found


def _reads_labels(node: Node) -> bool:
    return isinstance(node.layer, Labelled)
