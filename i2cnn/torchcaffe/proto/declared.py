"""Settings of users' layers, declared in Python: fields of a layer that no schema file has.

They are protobuf's extensions of LayerParameter. Text has them by their plain names, which
:mod:`i2cnn.torchcaffe.formats.prototext` puts into protobuf's brackets and takes out again.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto.torchcaffe_pb2 import FillerParameter, LayerParameter

#: Package of the fields' full names.
PACKAGE = "torchcaffe.declared"
#: The fields that are declared: their schemas by name.
DECLARED: dict[str, bytes] = {}

_FIRST_NUMBER, _LAST_NUMBER = 100_000, 2**29 - 1
_TYPES = {
    bool: FieldDescriptorProto.TYPE_BOOL,
    int: FieldDescriptorProto.TYPE_INT64,
    float: FieldDescriptorProto.TYPE_DOUBLE,
    str: FieldDescriptorProto.TYPE_STRING,
    FillerParameter: FieldDescriptorProto.TYPE_MESSAGE,
}

Default = bool | int | float | str | type


def declare_settings(
    name: str, /, **defaults: Default | list[type]
) -> Callable[[LayerParameter], Any]:
    """Let layers have a field of settings, as in `mish_param { beta: 2 }`.

    Parameters
    ----------
    name : str
        The field's name in a layer.
    **defaults
        Each setting by name: its default value (bool, int, float or str), or `[int]` and so on
        for one that may be given several times, or the class FillerParameter.

    Returns
    -------
    function
        Gives the settings of a LayerParameter, as attributes.

    Raises
    ------
    InputError
        Caffe, or another package, has another field of that name.
    """
    if name in LayerParameter.DESCRIPTOR.fields_by_name:
        raise CaffeError(f"layers have a field {name} already; declare another name")
    file = FileDescriptorProto(name=f"{PACKAGE}.{name}", package=PACKAGE, syntax="proto2")
    file.dependency.append(LayerParameter.DESCRIPTOR.file.name)
    message = file.message_type.add(name=f"{name}_settings")
    for number, (setting, default) in enumerate(defaults.items(), 1):
        _add_field(message, setting, number, default)
    room = _LAST_NUMBER - _FIRST_NUMBER
    file.extension.add(
        name=name,
        number=_FIRST_NUMBER + zlib.crc32(name.encode()) % room,  # the same in every process
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        type=FieldDescriptorProto.TYPE_MESSAGE,
        type_name=f".{PACKAGE}.{message.name}",
        extendee=f".{LayerParameter.DESCRIPTOR.full_name}",
    )
    schema = file.SerializeToString()
    if name not in DECLARED:
        try:
            descriptor_pool.Default().AddSerializedFile(schema)
        except TypeError as error:  # a name, a default or, by chance, the number cannot be
            raise CaffeError(f"settings {name!r} cannot be declared: {error}") from None
    if DECLARED.setdefault(name, schema) != schema:
        raise CaffeError(f"another package has declared other settings {name}")
    return lambda param: settings_of(param, name)


def settings_of(param: LayerParameter, name: str) -> Any:
    """The message of a layer's declared settings."""
    extension = descriptor_pool.Default().FindExtensionByName(f"{PACKAGE}.{name}")
    return param.Extensions[extension]


def _add_field(
    message: DescriptorProto, name: str, number: int, default: Default | list[type]
) -> None:
    repeated = isinstance(default, list)
    kind: object = default if default is FillerParameter else type(default)
    if isinstance(default, list):
        kind = default[0] if len(default) == 1 else None
    if not isinstance(kind, type) or kind not in _TYPES:
        raise CaffeError(
            f"{message.name}: {name} must have a bool, an int, a float or a str as its default, "
            "one of these types in a list, or be FillerParameter"
        )
    field = message.field.add(name=name, number=number, type=_TYPES[kind])
    field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
    if kind is FillerParameter:
        field.type_name = f".{FillerParameter.DESCRIPTOR.full_name}"
    elif not repeated:
        field.default_value = str(default).lower() if kind is bool else str(default)
