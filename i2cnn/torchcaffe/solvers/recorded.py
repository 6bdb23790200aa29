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
from i2cnn.torchcaffe.layers.memory import DummyData, Input
from i2cnn.torchcaffe.net import CoreNet

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
    # Data layers' threads go on taking pinned memory, which they must not do to a "global" capture.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
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
        self._places: tuple[object, ...] = ()
        self._inputs = [
            blob for node in net.nodes if isinstance(node.layer, Input) for blob in node.tops
        ]
        #: What a user may set, and where the recorded pass reads it.
        self._given: list[tuple[Blob, Tensor]] = []
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
            for layer, source, _ in self._sources or []:
                if isinstance(source, Data):
                    layer.check_host_labels(source.host_labels)
        if self._replay is None or self._places != self._feeds():
            self._record()
        if self._replay is None:
            return self._plain(prepare=False)
        for blob, place in self._given:
            if blob.tensor.data_ptr() != place.data_ptr():
                blob.tensor = place.copy_(blob.tensor)
                self._check_given(blob)
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
        given = [*self._inputs, *(b for node in nodes for b in node.layer.blobs)]
        self._given = [(blob, blob.tensor) for blob in given]
        for blob in self._inputs:
            self._check_given(blob)
        generators = [g for node in nodes for g in node.layer.generators]
        try:
            self._replay = self._recorder(work, generators)
        except RuntimeError as error:
            self.recordable = False
            reason = str(error).splitlines()[0]
            log.warning("solver.cpp", f"passes are not recorded as a CUDA graph: {reason}")
            for node in nodes:  # those of a broken recording can draw nothing any more
                node.layer.generators = [
                    torch.Generator(g.device).manual_seed(g.initial_seed())
                    for g in node.layer.generators
                ]
            return
        self._tops = [(top, top.tensor) for node in nodes for top in node.tops]
        self._grads = [(entry.blob, entry.blob.grad) for entry in self.net.learnable]

    def _check_given(self, blob: Blob) -> None:
        """Check labels that a user has set."""
        with self.net.naming_records():
            for layer, _, labels in self._sources or []:
                if labels is blob:
                    layer.check_labels(blob.tensor, layer.classes, None)

    def _feeds(self) -> tuple[object, ...]:
        """Where batches lie, and what shape a user's have; a recording holds for one of each."""
        data = [node.layer for node in self.net.nodes if isinstance(node.layer, Data)]
        return (*(layer.feed.places for layer in data), *(blob.shape for blob in self._inputs))


def _label_sources(net: CoreNet) -> list[tuple[Labelled, Layer, Blob]] | None:
    """Layers that read labels, with the layers and blobs that these come from.

    None if some are computed, so that only the device could check them.
    """
    makers: dict[str, tuple[Layer, Blob]] = {}
    found: list[tuple[Labelled, Layer, Blob]] = []
    for node in net.nodes:
        layer = node.layer
        if isinstance(layer, Labelled):
            maker, blob = makers[node.bottom_names[1]]
            if not isinstance(maker, (Data, Input, DummyData)):  # DummyData's never change
                return None
            found.append((layer, maker, blob))
        for name, top in zip(node.top_names, node.tops, strict=True):
            split = layer.type == "Split"
            makers[name] = makers[node.bottom_names[0]] if split else (layer, top)
    return found
