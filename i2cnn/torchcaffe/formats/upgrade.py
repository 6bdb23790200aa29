"""Upgrades Caffe's older net and solver formats as Caffe itself does on loading.

Four generations are in circulation: V0 (``layers { layer { ... } }``, lower-case types), V1
(``layers`` with an enum type), V1 and V2 with transformation fields inside the data layers, and
nets whose inputs are net-level fields instead of an Input layer.
"""

from __future__ import annotations

from typing import Any, cast

from google.protobuf.message import Message

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import (
    LayerParameter,
    NetParameter,
    ParamSpec,
    SolverParameter,
    V0LayerParameter,
    V1LayerParameter,
)

_V1 = V1LayerParameter.LayerType

#: Type names of V1's enum that are not merely the enum's words joined.
_V2_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SIGMOID_CROSS_ENTROPY_LOSS": "SigmoidCrossEntropyLoss",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}

#: V0's types that are not V1's in lower case.
_V1_TYPES = {
    "conv": "CONVOLUTION",
    "images": "IMAGE_DATA",
    "innerproduct": "INNER_PRODUCT",
    "pool": "POOLING",
}
#: V0's types, and the fields that went into the message of settings that V1 has for the type.
_V0_FIELDS = {
    **dict.fromkeys(("accuracy", "bnll", "euclidean_loss", "flatten", "im2col"), ""),
    **dict.fromkeys(("multinomial_logistic_loss", "relu", "sigmoid", "softmax"), ""),
    **dict.fromkeys(("softmax_loss", "split", "tanh"), ""),
    "concat": "concat_dim",
    "conv": "num_output biasterm weight_filler bias_filler pad kernelsize group stride",
    "data": "source batchsize rand_skip",
    "dropout": "dropout_ratio",
    "hdf5_data": "source batchsize",
    "hdf5_output": "hdf5_output_param",
    "images": "source batchsize rand_skip shuffle_images new_height new_width",
    "infogain_loss": "source",
    "innerproduct": "num_output biasterm weight_filler bias_filler",
    "lrn": "local_size alpha beta k",
    "pool": "pool pad kernelsize stride",
    "window_data": "source batchsize det_fg_threshold det_bg_threshold det_fg_fraction "
    "det_context_pad det_crop_mode",
}
#: Fields of V0 that V1 calls otherwise, apart from "det_".
_V1_FIELDS = {
    "batchsize": "batch_size",
    "biasterm": "bias_term",
    "cropsize": "crop_size",
    "kernelsize": "kernel_size",
    "meanfile": "mean_file",
    "shuffle_images": "shuffle",
}

_TRANSFORM_FIELDS = ("scale", "mean_file", "crop_size", "mirror")
_DATA_PARAMS = ("data_param", "image_data_param", "window_data_param")


def upgrade_net(net: NetParameter, source: str, for_weights: bool = False) -> NetParameter:
    """Bring a net to the current format, in place; `source` names it in errors.

    `for_weights` lets V1 layers have no type: an unknown one of a fork reads as none.
    """
    if net.layers:
        if net.layer:
            raise CaffeError(
                f"{source}: has both 'layer' and the older 'layers' fields; use one of them"
            )
        _upgrade_v0(net, source)
        for old in net.layers:
            _move_transform(old)
        for old in net.layers:
            if old.type == _V1.Value("NONE") and not for_weights:
                raise CaffeError(f"{source}: layer {old.name!r} has no type")
            _upgrade_v1_layer(old, net.layer.add())
        del net.layers[:]
        log.info("upgrade_proto.cpp:63", f"{source}: deprecated V1LayerParameter upgraded")
    else:
        for layer in net.layer:
            _warn_of_ignored(layer, source)
    _upgrade_inputs(net, source)
    for layer in net.layer:
        if layer.type == "BatchNorm" and len(layer.param) == 3:
            # The statistics are not trained, whatever an old file says.
            for spec in layer.param:
                spec.lr_mult = spec.decay_mult = 0
    return net


def upgrade_solver(solver: SolverParameter, source: str) -> SolverParameter:
    """Replace the deprecated `solver_type` enum by the `type` string, in place."""
    if solver.HasField("solver_type"):
        if solver.HasField("type"):
            raise CaffeError(f"{source}: has both 'type' and the older 'solver_type'; keep 'type'")
        names = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
        solver.type = names[solver.solver_type]
        solver.ClearField("solver_type")
    return solver


def _move_transform(layer: V1LayerParameter) -> None:
    """Scale, mean file, crop and mirror belong into transform_param, not into the data layer."""
    for name in _DATA_PARAMS:
        if not layer.HasField(name):
            continue
        param = getattr(layer, name)
        for field in _TRANSFORM_FIELDS:
            if param.HasField(field):
                setattr(layer.transform_param, field, getattr(param, field))
                param.ClearField(field)


def _warn_of_ignored(layer: LayerParameter, source: str) -> None:
    """Caffe moves these fields only out of V1 layers and ignores them in current ones."""
    for name in _DATA_PARAMS:
        if layer.HasField(name):
            param = getattr(layer, name)
            ignored = [field for field in _TRANSFORM_FIELDS if param.HasField(field)]
            if ignored:
                log.warning(
                    "upgrade_proto.cpp:51",
                    f"{source}: layer {layer.name!r}: {', '.join(ignored)} in {name} is ignored, "
                    "as in Caffe; put it into transform_param",
                )


def _upgrade_inputs(net: NetParameter, source: str) -> None:
    """Net-level input fields become an Input layer at the front."""
    if not net.input:
        return
    if not (net.input_shape or net.input_dim) and any(layer.blobs for layer in net.layer):
        net.ClearField("input")  # old versions wrote weights so, with the inputs' names alone
        return
    layer = LayerParameter(name="input", type="Input")
    layer.top.extend(net.input)
    for index in range(len(net.input)):
        shape = layer.input_param.shape.add()
        if net.input_shape:
            if len(net.input_shape) != len(net.input):
                raise CaffeError(f"{source}: give one input_shape for each input")
            shape.dim.extend(net.input_shape[index].dim)
        else:
            if len(net.input_dim) != 4 * len(net.input):
                raise CaffeError(f"{source}: give four input_dim for each input")
            shape.dim.extend(net.input_dim[4 * index : 4 * index + 4])
    net.layer.insert(0, layer)
    for field in ("input", "input_shape", "input_dim"):
        net.ClearField(field)
    log.info("upgrade_proto.cpp:72", f"{source}: deprecated input fields upgraded")


def _upgrade_v1_layer(old: V1LayerParameter, new: LayerParameter) -> None:
    name = _V1.Name(old.type)
    new.type = _V2_TYPES.get(name) or "".join(word.capitalize() for word in name.split("_"))
    new.name = old.name
    for field in ("bottom", "top", "include", "exclude", "blobs", "loss_weight"):
        getattr(new, field).MergeFrom(getattr(old, field))
    modes = old.blob_share_mode
    for index in range(max(len(old.param), len(modes), len(old.blobs_lr), len(old.weight_decay))):
        spec = new.param.add()
        if index < len(old.param):
            spec.name = old.param[index]
        if index < len(modes):
            # Another enum with the same numbers.
            spec.share_mode = cast("ParamSpec.DimCheckMode", modes[index])
        if index < len(old.blobs_lr):
            spec.lr_mult = old.blobs_lr[index]
        if index < len(old.weight_decay):
            spec.decay_mult = old.weight_decay[index]
    for descriptor, value in old.ListFields():
        if descriptor.name.endswith("_param"):
            getattr(new, descriptor.name).CopyFrom(value)


def _upgrade_v0(net: NetParameter, source: str) -> None:
    """V0 layers sit inside V1 ones as `layer`; padding was a layer of its own."""
    if not any(layer.HasField("layer") for layer in net.layers):
        return
    padding: dict[str, tuple[str, int]] = {}
    upgraded = []
    for connection in net.layers:
        old = connection.layer
        if old.type == "padding":
            if len(connection.top) != 1 or len(connection.bottom) != 1:
                raise CaffeError(
                    f"{source}: layer {old.name!r}: padding has one bottom and one top"
                )
            padding[connection.top[0]] = (connection.bottom[0], old.pad)
            continue
        new = V1LayerParameter(name=old.name, bottom=connection.bottom, top=connection.top)
        _upgrade_v0_layer(old, new, source)
        for index, bottom in enumerate(new.bottom):
            if bottom in padding:
                new.bottom[index], pad = padding[bottom]
                if new.type == _V1.Value("CONVOLUTION"):
                    new.convolution_param.pad[:] = [pad]
                elif new.type == _V1.Value("POOLING"):
                    new.pooling_param.pad = pad
                else:
                    raise CaffeError(
                        f"{source}: layer {old.name!r} follows a padding layer, which only "
                        "convolution and pooling can"
                    )
        upgraded.append(new)
    del net.layers[:]
    net.layers.extend(upgraded)
    log.info("upgrade_proto.cpp:36", f"{source}: deprecated V0LayerParameter upgraded")


def _upgrade_v0_layer(old: V0LayerParameter, new: V1LayerParameter, source: str) -> None:
    if old.type not in _V0_FIELDS:
        raise CaffeError(f"{source}: layer {old.name!r} has unknown type {old.type!r}")
    kind = _V1_TYPES.get(old.type) or old.type.upper()
    new.type = _V1.Value(kind)  # type: ignore[assignment]
    own = f"{kind.lower()}_param"
    new.blobs.MergeFrom(old.blobs)
    new.blobs_lr.extend(old.blobs_lr)
    new.weight_decay.extend(old.weight_decay)
    for descriptor, value in old.ListFields():
        name = descriptor.name
        field = _V1_FIELDS.get(name, name.removeprefix("det_"))
        if name in ("name", "type", "blobs", "blobs_lr", "weight_decay"):
            continue
        if field in _TRANSFORM_FIELDS:
            _assign(new.transform_param, field, value)
        elif name in _V0_FIELDS[old.type].split():
            _assign(new if name == own else getattr(new, own), field, value)
        else:
            log.error(
                "upgrade_proto.cpp:467",
                f"{source}: layer {old.name!r}: Unknown parameter {name} for layer type "
                f"{old.type}; it is left out, as in genuine Caffe",
            )


def _assign(message: Message, field: str, value: Any) -> None:
    target = getattr(message, field)
    if hasattr(target, "CopyFrom"):
        target.CopyFrom(value)
    elif hasattr(target, "extend"):
        target.extend([value])
    else:
        setattr(message, field, value)
