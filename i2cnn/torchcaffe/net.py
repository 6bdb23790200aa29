"""Caffe's Net: layers connected through blobs, run forward and backward."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence

from torch import Tensor

from i2cnn.torchcaffe import debug, gradients, log, weights
from i2cnn.torchcaffe.build_log import BuildLog
from i2cnn.torchcaffe.core.blob import Blob
from i2cnn.torchcaffe.core.context import Context, NetOptions
from i2cnn.torchcaffe.core.layer import memory_of, recording
from i2cnn.torchcaffe.core.position import Position, nest, part_of
from i2cnn.torchcaffe.core.runtime import runtime
from i2cnn.torchcaffe.dialects import beyond_caffe
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.net_rules import filter_net, insert_splits, net_state
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.formats.storage import write_weights
from i2cnn.torchcaffe.layers import LabelError, create_layer
from i2cnn.torchcaffe.layers.python import Python
from i2cnn.torchcaffe.nodes import AUTOMATIC, MULTIPLIERS, Learnable, Node
from i2cnn.torchcaffe.proto import TRAIN, LayerParameter, NetParameter, ParamSpec
from i2cnn.torchcaffe.sizes import check_memory
from i2cnn.util.errors import InputError

#: Moments at which functions of a user are called, with the number of the layer.
MOMENTS = ("before_forward", "after_forward", "before_backward", "after_backward")


class CoreNet:
    """A net built from a NetParameter whose state is set.

    Parameters
    ----------
    param : NetParameter
        All layers; those outside the state's phase, level and stages are dropped.
    options : NetOptions
        Device, generator, shard and precision.
    source : str
        File it came from, for errors.
    """

    def __init__(self, param: NetParameter, options: NetOptions, source: str = "net") -> None:
        self.source = param.name or source
        self.phase = param.state.phase
        filtered = filter_net(param, source)
        self._build_log = BuildLog(filtered)
        self.param = insert_splits(filtered, source)
        self.context = Context(source, self.phase == TRAIN, options)
        self.blobs: OrderedDict[str, Blob] = OrderedDict()
        self.nodes: list[Node] = []
        self.learnable: list[Learnable] = []
        #: Functions by moment, called with the number of each layer.
        self.callbacks: dict[str, list[Callable[[int], object]]] = {name: [] for name in MOMENTS}
        #: Whether the magnitudes of blobs and gradients are logged after each layer.
        self.debug_info = param.debug_info
        self._shared: dict[str, Learnable] = {}
        self._blob_needs: dict[str, bool] = {}
        try:
            for layer_param in self.param.layer:
                self._add_layer(layer_param)
        except BaseException:
            self.close()
            raise
        self._check_memory()
        self._warn_of_same_names()
        beyond = beyond_caffe(self.param)
        if beyond:
            log.warning("net.cpp", f"{self.source}: {beyond}")
        unread: set[str] = set()
        for node in self.nodes:
            unread.difference_update(node.bottom_names)
            unread.update(node.top_names)
        self.outputs = sorted(unread - {AUTOMATIC})  # by name, as Caffe lists them
        self.inputs = [
            name for node in self.nodes if node.layer.type == "Input" for name in node.top_names
        ]
        gradients.prune(self.nodes)
        self._build_log.finish(self.nodes, self.outputs)
        if self.param.force_backward:
            gradients.force(self.nodes)

    @classmethod
    def from_file(
        cls, path: str, phase: int, level: int = 0, stages: Sequence[str] = ()
    ) -> CoreNet:
        """Net of a prototxt file in a state, on the runtime's device."""
        param = read_net(path)
        net_state(param, phase, level, stages)
        return cls(param, runtime.prepare_net(), path)

    # Building -----------------------------------------------------------------------------------

    def _check_memory(self) -> None:
        """Refuse a net whose blobs do not fit into the machine."""
        if self.context.device.type == "cpu":
            tops = {id(b): b.count for n in self.nodes if not n.layer.is_view for b in n.tops}
            try:
                check_memory(sum(tops.values()), "its blobs")
            except InputError as error:
                raise CaffeError(f"{self.source}: {error}; make batch_size smaller") from None

    def _warn_of_same_names(self) -> None:
        for name in weights.same_names(self.nodes):
            log.warning(
                "net.cpp",
                f"{self.source}: several layers with parameters are called {name!r}: as in genuine "
                "Caffe, weights are read and shared only by the first; rename the others",
            )

    def _add_layer(self, param: LayerParameter) -> None:
        self._build_log.create(param.name)
        layer = create_layer(param, self.context)
        bottoms = [self.blobs[name] for name in param.bottom]
        if param.propagate_down and len(param.propagate_down) != len(param.bottom):
            raise layer.fail("propagate_down must be given for no bottom or for each")
        node = Node(
            layer=layer,
            name=param.name,
            bottoms=bottoms,
            bottom_names=list(param.bottom),
            top_names=list(param.top) or [AUTOMATIC] * layer.is_loss,
        )
        self._build_log.connect(node)
        shapes = [blob.shape for blob in bottoms]
        made = None
        if isinstance(layer, Python):
            made = layer.setup_blobs(bottoms)
        else:
            layer.setup(shapes)
        tops = layer.reshape(shapes) if made is None else [blob.shape for blob in made]
        self._add_tops(node, tops, made)
        self._build_log.set_up(node)
        self._add_params(node)
        gradients.plan(node, self._blob_needs)
        self.nodes.append(node)

    def _add_tops(self, node: Node, shapes: list[tuple[int, ...]], made: list[Blob] | None) -> None:
        """Enter the tops of a layer into the net; a user's layer made its own."""
        names = node.top_names
        node.layer.check_shapes(shapes)
        # A loss layer has a weight of 1 unless it is given, which genuine Caffe counts as given.
        given = list(node.layer.param.loss_weight)
        number = len(given) or int(node.layer.is_loss)
        if number and number != len(names):
            raise node.layer.fail(
                "loss_weight must be given for no top or for each; a loss with several tops needs "
                "it, for instance loss_weight: 1 loss_weight: 0"
            )
        default = [1.0 if node.layer.is_loss and i == 0 else 0.0 for i in range(len(names))]
        node.loss_weights = given or default
        for i, (name, shape) in enumerate(zip(names, shapes, strict=True)):
            if name in node.bottom_names[i : i + 1]:
                if not node.layer.may_be_in_place:
                    raise node.layer.fail(f"{node.layer.type} cannot work in place; rename the top")
                if shape != self.blobs[name].shape:
                    raise node.layer.fail(f"an in-place top cannot change its shape to {shape}")
                node.in_place = True
            elif name in self.blobs and name != AUTOMATIC:
                raise node.layer.fail(f"Top blob {name!r} produced by multiple sources")
            else:
                self.blobs[name] = made[i] if made else Blob(shape, self.context.device)
                self.blobs[name].set_loss_weight(node.loss_weights[i])
            node.tops.append(self.blobs[name])

    def _add_params(self, node: Node) -> None:
        specs = list(node.layer.param.param)
        given = len(node.layer.param.blobs)
        if given not in (0, len(node.layer.blobs)):
            raise node.layer.fail(f"{given} blobs are given; it has {len(node.layer.blobs)}")
        if len(specs) > len(node.layer.blobs):
            raise node.layer.fail(
                f"Too many params specified: {len(specs)} for {len(node.layer.blobs)}"
            )
        for i, blob in enumerate(node.layer.blobs):
            spec = specs[i] if i < len(specs) else ParamSpec()
            node.layer.param_needs.append(spec.lr_mult != 0)
            if spec.name and spec.name in self._shared:
                owner = self._shared[spec.name]
                self._share_param(node, i, spec, owner)
                continue
            own = {mult for mult in MULTIPLIERS if spec.HasField(mult)}
            entry = Learnable(blob, node.name, i, spec.lr_mult, spec.decay_mult, own)
            self.learnable.append(entry)
            if spec.name:
                self._shared[spec.name] = entry

    def _share_param(self, node: Node, index: int, spec: ParamSpec, owner: Learnable) -> None:
        mine = node.layer.blobs[index]
        permissive = spec.share_mode == ParamSpec.PERMISSIVE
        if mine.shape != owner.blob.shape and not (permissive and mine.count == owner.blob.count):
            raise node.layer.fail(
                f"Cannot share param {spec.name!r}: shape {mine.shape} here, "
                f"{owner.blob.shape} where it is first used"
            )
        for mult in (mult for mult in MULTIPLIERS if spec.HasField(mult)):
            if mult in owner.given and getattr(spec, mult) != getattr(owner, mult):
                raise node.layer.fail(f"Shared param {spec.name!r} has mismatched {mult}.")
            owner.given.add(mult)
            setattr(owner, mult, getattr(spec, mult))
        self._build_log.share(spec.name, owner)
        node.shared.add(index)
        if mine.shape == owner.blob.shape:
            node.layer.blobs[index] = owner.blob
        else:
            mine.share_all(owner.blob)

    def loss_weights(self) -> OrderedDict[str, float]:
        """Weight in the loss of each blob, by name; 0 for most."""
        weights: OrderedDict[str, float] = OrderedDict()
        for node in self.nodes:
            weights.update(zip(node.top_names, node.loss_weights, strict=True))
        return weights

    # Running ------------------------------------------------------------------------------------

    def forward(self, start: int = 0, end: int | None = None) -> float:
        """Run layers `start` to `end` (inclusive); returns their weighted loss."""
        # Waits for the device, once.
        return sum((weight * float(value) for weight, value in self.run(start, end)), 0.0)

    def run(
        self, start: int = 0, end: int | None = None, *, prepare: bool = True
    ) -> list[tuple[float, Tensor]]:
        """:meth:`forward` without waiting for a GPU; returns the losses with their weights.

        With `prepare` false the layers' :meth:`Layer.prepare` was called already.
        """
        losses = []
        for index in range(len(self.nodes))[start : None if end is None else end + 1]:
            self._call("before_forward", index)
            if prepare:
                self.nodes[index].layer.prepare()
            losses += self._forward_node(self.nodes[index])
            if self.debug_info:
                debug.log_forward(self.nodes[index])
            self._call("after_forward", index)
        return losses

    def _call(self, moment: str, index: int) -> None:
        for function in self.callbacks[moment]:
            function(index)

    def _forward_node(self, node: Node) -> list[tuple[float, Tensor]]:
        """Run a layer; returns the weights and sums of its tops that are losses."""
        layer = node.layer
        if isinstance(layer, Python):
            layer.forward_blobs()
            return node.losses()
        overwritten = node.in_place and node.needs_backward
        inputs = [blob.input() if overwritten else blob.tensor for blob in node.bottoms]
        if inputs:
            layer.reshape([tuple(t.shape) for t in inputs])
        graph = self.context.train and node.needs_backward
        # A later backward pass needs what the top overwrites; none is repeated of a recorded one.
        keeps = overwritten and layer.type not in ("ReLU", "Dropout")
        node.kept_inputs = inputs if keeps and not recording(self.context.device) else None
        with self.naming_records():
            outputs = layer.forward(inputs, node.bottom_needs, graph)
        lenders: dict[int, Blob] = {}
        if not (node.in_place or layer.is_view):
            lenders = dict(zip(map(memory_of, inputs), node.bottoms, strict=True))
        for blob, tensor in zip(node.tops, outputs, strict=bool(outputs)):
            lender = lenders.setdefault(memory_of(tensor), blob)
            if lender is blob or layer.is_view:
                blob.tensor = tensor
            else:
                blob.borrow(tensor, lender)
        return node.losses()

    @contextlib.contextmanager
    def naming_records(self) -> Iterator[None]:
        """Add to the error of a wrong label the record it is of, if a data layer knows it."""
        try:
            yield
        except LabelError as error:
            found = (node.layer.record_of(error.item) for node in self.nodes)
            record = next((f" ({record})" for record in found if record), "")
            raise CaffeError(f"{error}{record}") from None

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run layers `start` down to `end`; diffs of parameters add up."""
        last = len(self.nodes) - 1 if start is None else start
        for index in reversed(range(len(self.nodes))[end : last + 1]):
            self._call("before_backward", index)
            if self.nodes[index].needs_backward:
                self._backward_node(self.nodes[index])
                if self.debug_info:
                    debug.log_backward(self.nodes[index])
            self._call("after_backward", index)
        if self.debug_info and start is None and end == 0:
            debug.log_params(self.learnable)

    def _backward_node(self, node: Node) -> None:
        if node.in_place:  # the diff was overwritten by the last backward pass
            for weight, blob in zip(node.loss_weights, node.tops, strict=True):
                if weight:
                    blob.grad.fill_(weight)
        if isinstance(node.layer, Python):
            node.layer.backward_blobs(node.bottom_needs)
            return
        inputs = node.kept_inputs or [blob.tensor for blob in node.bottoms]
        above = [blob.grad for blob in node.tops]
        grads = node.layer.backward(inputs, above, node.bottom_needs)
        lenders = dict(zip(map(memory_of, above), node.tops, strict=True))
        for blob, grad, need in zip(node.bottoms, grads, node.bottom_needs, strict=True):
            if not need:
                continue
            if grad is None:
                blob.grad.zero_()
                continue
            lender = lenders.setdefault(memory_of(grad), blob)
            if lender is blob or node.layer.is_view:
                blob.grad = grad
            else:
                blob.borrow_grad(grad, lender)

    def clear_param_diffs(self) -> None:
        """Set the diffs of all parameters to 0."""
        for entry in self.learnable:
            entry.blob.clear_grad()

    def reshape(self) -> None:
        """Bring all tops to the shapes that follow from the inputs' shapes."""
        for node in self.nodes:
            if not node.bottoms and not isinstance(node.layer, Python):
                continue  # a data layer of Caffe's, whose tops keep the shapes they have
            shapes = node.layer.reshape([blob.shape for blob in node.bottoms])
            for blob, shape in zip(node.tops, shapes, strict=True):
                blob.reshape(*shape)

    # Weights ------------------------------------------------------------------------------------

    def copy_from(self, path: str) -> None:
        """Copy the parameters of layers with the same name; other layers keep theirs."""
        weights.copy_weights(self.nodes, path, self.source)

    def share_with(self, other: CoreNet) -> None:
        """Use the parameters of another net for layers of the same name."""
        weights.share_weights(self.nodes, other.nodes)

    def save(self, path: str, with_diff: bool = False) -> None:
        """Write a .caffemodel."""
        write_weights(path, weights.to_proto(self.param.name, self.nodes, with_diff))

    def save_hdf5(self, path: str, with_diff: bool = False) -> None:
        """Write a .caffemodel.h5."""
        weights.save_hdf5(path, self.nodes, with_diff)

    def params(self) -> OrderedDict[str, list[Blob]]:
        """Parameters by layer name; of layers with one name the last one's, as in pycaffe."""
        return OrderedDict((n.name, n.layer.blobs) for n in self.nodes if n.layer.blobs)

    # Exact resume -------------------------------------------------------------------------------

    def position(self) -> Position:
        """Where the data layers stand."""
        position: Position = {}
        for node in self.nodes:  # names of layers may occur twice
            position |= nest({node.name: node.layer.position()})
        return position

    def restore_position(self, position: Position) -> None:
        """Bring the data layers to where they stood."""
        for node in self.nodes:
            mine = part_of(position, node.name)
            try:
                if mine:
                    node.layer.restore_position(mine)
            except (LookupError, TypeError, ValueError):
                raise node.layer.fail(
                    "another kind of layer had its name when the training was stopped; delete the "
                    ".resume.npz beside the .solverstate to resume from the first record"
                ) from None

    def close(self) -> None:
        """Stop the data layers' threads and close their files."""
        for node in self.nodes:
            node.layer.close()
