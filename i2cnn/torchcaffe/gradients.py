"""Which layers run backward, and which blobs get gradients, by the rules of Caffe's Net::Init."""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.torchcaffe.nodes import Node


def plan(node: Node, blob_needs: dict[str, bool]) -> None:
    """Decide what a new layer needs, from what lies below it.

    Parameters
    ----------
    node : Node
        The layer; its parameters know whether they are learned.
    blob_needs : dict
        Whether something is learned below each blob so far; the layer's tops are entered.
    """
    layer, flags = node.layer, list(node.layer.param.propagate_down)
    below = False
    for i, name in enumerate(node.bottom_names):
        asked = flags[i] if flags else blob_needs[name]
        node.bottom_needs.append(asked and layer.passes_gradient(i))
        below = below or (blob_needs[name] and layer.passes_gradient(i))
    # What propagate_down asks for or forbids does not count here, as in Caffe.
    reached = below or (layer.differentiable and any(layer.param_needs))
    node.needs_backward = reached and (any(node.bottom_needs) or any(layer.param_needs))
    if node.needs_backward and layer.all_params_need:
        layer.param_needs = [True] * len(layer.param_needs)
    for name in node.top_names:
        blob_needs[name] = reached


def prune(nodes: Sequence[Node]) -> None:
    """Turn off the backward pass of layers that no loss's gradient reaches."""
    under_loss: set[str] = set()
    skipped: set[str] = set()  # read by layers that pass no gradient down
    for node in reversed(nodes):
        reaches = any(node.loss_weights) or any(name in under_loss for name in node.top_names)
        if not reaches or all(name in skipped for name in node.top_names):
            node.needs_backward = False
            node.bottom_needs = [False] * len(node.bottom_needs)
            node.layer.param_needs = [False] * len(node.layer.param_needs)
        needs = zip(node.bottom_names, node.bottom_needs, strict=True)
        skipped.update(name for name, need in needs if not need)
        if reaches:
            under_loss.update(
                name for i, name in enumerate(node.bottom_names) if i not in node.layer.labels_only
            )


def force(nodes: Sequence[Node]) -> None:
    """Compute all gradients there are (force_backward)."""
    for node in nodes:
        layer = node.layer
        node.bottom_needs = [layer.passes_gradient(i) for i in range(len(node.bottoms))]
        layer.param_needs = [True] * len(layer.param_needs)
        node.needs_backward = layer.differentiable and any([*node.bottom_needs, *layer.param_needs])
