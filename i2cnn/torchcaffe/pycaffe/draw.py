"""Draws a net as a graph, with pydot and Graphviz (the extra `i2cnn[draw]`)."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from i2cnn.torchcaffe.errors import CaffeError, CaffeValueError
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter, PoolingParameter

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {**LAYER_STYLE_DEFAULT, "fillcolor": "#90EE90"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}
_COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_WEIGHTED = ("Convolution", "Deconvolution", "InnerProduct")


def _pydot() -> ModuleType:
    try:
        import pydot
    except ImportError:
        raise CaffeError("drawing nets needs pydot: pip install 'i2cnn[draw]'") from None
    module: ModuleType = pydot
    return module


def get_pooling_types_dict() -> dict[int, str]:
    """Names of the kinds of pooling, by number."""
    return {number: name for name, number in PoolingParameter.PoolMethod.items()}


def get_edge_label(layer: LayerParameter) -> str:
    """Label of the edges that leave a layer: its batch size or number of outputs."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return '""'


def get_layer_lr_mult(layer: LayerParameter) -> tuple[float, float]:
    """Learning rate multipliers of a layer's weights and biases."""
    if layer.type not in _WEIGHTED:
        raise CaffeValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise CaffeValueError(f"layer {layer.name!r} has multipliers of {len(layer.param)} params")
    weights, biases = [*(param.lr_mult for param in layer.param), 1.0, 1.0][:2]
    return weights, biases


def get_layer_label(layer: LayerParameter, rankdir: str, display_lrm: bool = False) -> str:
    """Label of a layer, in quotes: name, type, kernel, stride and pad, multipliers.

    Parameters
    ----------
    layer : LayerParameter
        The layer.
    rankdir : str
        Direction of the graph; in vertical ones (TB, BT) the label is one line.
    display_lrm : bool
        Whether learning rate multipliers are shown.
    """
    separator = " " if rankdir in ("TB", "BT") else r"\n"
    kind = layer.type
    if kind == "Pooling":
        kind += f" {get_pooling_types_dict()[layer.pooling_param.pool]}"
    parts = [layer.name, f"({kind})"]
    if layer.type in ("Convolution", "Deconvolution", "Pooling"):
        kernel, stride, pad = _window(layer)
        parts += [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]
    if display_lrm and layer.type in _WEIGHTED:
        multipliers = get_layer_lr_mult(layer)
        if any(multipliers):
            parts.append("lr mult: {:.1f}, {:.1f}".format(*multipliers))
    return f'"{separator.join(parts)}"'


def _window(layer: LayerParameter) -> tuple[int, int, int]:
    """Kernel size, stride and pad, of the first spatial axis."""
    if layer.type == "Pooling":
        p = layer.pooling_param
        return p.kernel_size, p.stride, p.pad
    c = layer.convolution_param
    return [*c.kernel_size, 1][0], [*c.stride, 1][0], [*c.pad, 0][0]


def choose_color_by_layertype(layertype: str) -> str:
    """Colour of a layer that does not work in place."""
    return _COLOURS.get(layertype, LAYER_STYLE_DEFAULT["fillcolor"])


def get_pydot_graph(
    caffe_net: NetParameter,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """Graph of a net as a pydot.Dot.

    Parameters
    ----------
    caffe_net : NetParameter
        The net as its file has it.
    rankdir : str
        Direction: LR, TB, BT or RL.
    label_edges : bool
        Whether edges have labels.
    phase : int, optional
        TRAIN or TEST; all layers are drawn if it is not given.
    display_lrm : bool
        Whether learning rate multipliers are shown.

    Raises
    ------
    InputError
        pydot is not installed, or a layer has both include and exclude rules.
    """
    pydot = _pydot()
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str, str]] = []
    for layer in caffe_net.layer:
        if phase is not None and not _is_in(layer, phase):
            continue
        name = f"{layer.name}_{layer.type}"
        in_place = list(layer.bottom) == list(layer.top) and len(layer.top) == 1
        style = dict(NEURON_LAYER_STYLE if in_place else LAYER_STYLE_DEFAULT)
        if not in_place:
            style["fillcolor"] = choose_color_by_layertype(layer.type)
        nodes[name] = pydot.Node(get_layer_label(layer, rankdir, display_lrm), **style)
        for bottom in layer.bottom:
            nodes[f"{bottom}_blob"] = pydot.Node(bottom, **BLOB_STYLE)
            edges.append((f"{bottom}_blob", name, '""'))
        for top in layer.top:
            nodes[f"{top}_blob"] = pydot.Node(top)
            edges.append((name, f"{top}_blob", get_edge_label(layer) if label_edges else '""'))
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(nodes[source], nodes[target], label=label))
    return graph


def _is_in(layer: LayerParameter, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise CaffeValueError(f"layer {layer.name} has both include and exclude specified.")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)


def draw_net(
    caffe_net: NetParameter,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """Picture of a net, in the format of a file's extension; see :func:`get_pydot_graph`.

    Raises
    ------
    InputError
        pydot or Graphviz is not installed, or Graphviz does not know the format.
    """
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    try:
        picture: bytes = graph.create(format=ext)
    except FileNotFoundError:
        raise CaffeError("drawing nets needs Graphviz's program dot; install graphviz") from None
    except AssertionError as error:  # pydot's, where dot fails
        raise CaffeError(f"dot cannot draw the net as {ext!r} ({error})") from None
    return picture


def draw_net_to_file(
    caffe_net: NetParameter,
    filename: str,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Write a net's picture; the file's extension gives the format, .raw Graphviz's own text."""
    picture = draw_net(caffe_net, rankdir, filename.rpartition(".")[2], phase, display_lrm)
    with open(filename, "wb") as file:
        file.write(picture)
