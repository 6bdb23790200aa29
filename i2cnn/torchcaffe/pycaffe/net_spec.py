"""NetSpec, layers and params: nets written in Python, as with pycaffe's module of that name.

Examples
--------
>>> from i2cnn.torchcaffe.pycaffe.net_spec import NetSpec, layers as L, params as P
>>> net = NetSpec()
>>> net.data = L.Input(input_param=dict(shape=dict(dim=[1, 3, 9, 9])))
>>> net.conv = L.Convolution(net.data, num_output=4, kernel_size=3)
>>> net.pool = L.Pooling(net.conv, pool=P.Pooling.MAX, kernel_size=3, stride=2)
>>> [layer.name for layer in net.to_proto().layer]
['data', 'conv', 'pool']
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import Any

from i2cnn.torchcaffe.errors import CaffeAttributeError
from i2cnn.torchcaffe.plugins import load_plugins
from i2cnn.torchcaffe.proto import LayerParameter, NetParameter, torchcaffe_pb2
from i2cnn.torchcaffe.proto.declared import DECLARED, settings_of


def param_name_dict() -> dict[str, str]:
    """Type of a layer -> name of its settings: "Convolution" -> "convolution"."""
    return {
        field.message_type.name.removesuffix("Parameter"): field.name.removesuffix("_param")
        for field in LayerParameter.DESCRIPTOR.fields
        if field.message_type is not None and field.name.endswith("_param")
    }


_PARAM_NAMES = param_name_dict()


class Top:
    """One output of a layer that is not written yet."""

    def __init__(self, function: Function, index: int) -> None:
        self.fn = function
        self.n = index

    def to_proto(self) -> Any:
        """NetParameter with all layers this top depends on."""
        return to_proto(self)


class Function:
    """A layer with its bottoms and settings; tops are named when the net is written."""

    def __init__(self, type_name: str, inputs: Iterable[Any], params: dict[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = list(inputs)
        for i, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                # pycaffe's own words, which programs look for.
                raise TypeError(f"{type_name} input {i} is not a Top (type is {type(bottom)})")
        self.in_place = bool(params.pop("in_place", False))
        self.ntop: int = params.pop("ntop", 1)
        self.params = params
        self.tops = tuple(Top(self, i) for i in range(self.ntop))


class _Writer:
    """Names layers and tops, and writes each layer once, after those it depends on."""

    def __init__(self, names: dict[Top | Function, str]) -> None:
        self.names = dict(names)
        self.counts: Counter[str] = Counter()
        self.written: OrderedDict[Function, Any] = OrderedDict()

    def name_of(self, named: Top | Function) -> str:
        if named not in self.names:
            kind = (named.fn if isinstance(named, Top) else named).type_name
            self.counts[kind] += 1
            self.names[named] = f"{kind}{self.counts[kind]}"
        return self.names[named]

    def write(self, function: Function) -> None:
        if function in self.written:
            return
        for bottom in function.inputs:
            self.write(bottom.fn)
        layer = LayerParameter(type=function.type_name)
        layer.bottom.extend(self.written[bottom.fn].top[bottom.n] for bottom in function.inputs)
        names = layer.bottom if function.in_place else [self.name_of(top) for top in function.tops]
        layer.top.extend(names)
        # A layer is named after its first top; an in-place one too, though the blob keeps its name.
        layer.name = self.name_of(function.tops[0] if function.tops else function)
        for key, value in function.params.items():
            _assign_setting(layer, key, value)
        self.written[function] = layer


def to_proto(*tops: Top) -> Any:
    """NetParameter of all layers that these tops depend on; names are generated."""
    return _write(tops, {})


def _write(tops: Iterable[Top | Function], names: dict[Top | Function, str]) -> Any:
    writer = _Writer(names)
    for top in tops:
        writer.write(top.fn if isinstance(top, Top) else top)
    net = NetParameter()
    net.layer.extend(writer.written.values())
    return net


def _assign_setting(layer: Any, key: str, value: Any) -> None:
    """Set a field of the layer's own parameter message, or else of the layer."""
    name = _PARAM_NAMES.get(layer.type)
    if name and not key.endswith("param"):
        message = getattr(layer, f"{name}_param")
        if key in message.DESCRIPTOR.fields_by_name:
            assign_proto(message, key, value)
            return
    if key in layer.DESCRIPTOR.fields_by_name:
        assign_proto(layer, key, value)
        return
    load_plugins()
    if key not in DECLARED:
        raise CaffeAttributeError(f"{layer.type} has no setting called {key!r}")
    for setting, part in value.items():
        assign_proto(settings_of(layer, key), setting, part)


def assign_proto(message: Any, name: str, value: Any) -> None:
    """Set a field from a number, string, dict, or list of these."""
    if name not in message.DESCRIPTOR.fields_by_name:
        raise CaffeAttributeError(f"{message.DESCRIPTOR.name} has no field called {name!r}")
    field = getattr(message, name)
    repeated = hasattr(field, "append")
    values = value if isinstance(value, (list, tuple)) else [value]
    if message.DESCRIPTOR.fields_by_name[name].message_type is not None:
        for item in values:
            target = field.add() if repeated else field
            for key, part in item.items():
                assign_proto(target, key, part)
    elif repeated:
        field.extend(values)
    else:
        setattr(message, name, value)


class MissingTopError(AttributeError, KeyError):
    """A top that a NetSpec does not have; a KeyError in pycaffe."""

    __str__ = Exception.__str__  # a KeyError would show the text in quotes


class NetSpec:
    """Attributes and items are tops; their names become the blobs' and layers' names."""

    tops: OrderedDict[str, Any]

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        try:
            return self.tops[name]
        except KeyError:
            raise MissingTopError(f"the net has no top called {name!r}") from None

    def __delattr__(self, name: str) -> None:
        del self[name]

    __setitem__ = __setattr__
    __getitem__ = __getattr__

    def __delitem__(self, name: str) -> None:
        del self.tops[name]

    def to_proto(self) -> Any:
        """NetParameter with all layers."""
        names = {top: name for name, top in self.tops.items()}
        return _write(self.tops.values(), names)


class Layers:
    """``layers.Convolution(bottom, num_output=...)`` makes a layer of that type.

    Settings: the fields of the type's own parameter message, any field of LayerParameter, and
    `ntop` (number of tops, 0 returns the layer itself), `in_place`, `name`.
    """

    def __getattr__(self, type_name: str) -> Any:
        if type_name.startswith("__"):
            raise AttributeError(type_name)

        def make(*bottoms: Top, **settings: Any) -> Any:
            function = Function(type_name, bottoms, settings)
            if len(function.tops) == 1:
                return function.tops[0]
            return function.tops or function

        return make


class Parameters:
    """``params.Pooling.MAX``: enumeration values of a type's parameter message."""

    def __getattr__(self, name: str) -> Any:
        message = getattr(torchcaffe_pb2, f"{name}Parameter", None)
        if message is None:
            raise AttributeError(f"there is no message {name}Parameter")
        return message


layers = Layers()
params = Parameters()
