"""What of a net is beyond Caffe 1.0."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.message import Message

from i2cnn.torchcaffe.core.layer import DIALECTS
from i2cnn.torchcaffe.proto import NetParameter

#: Number of the first field that Caffe 1.0 does not have.
FIRST_FIELD = 70_000


def beyond_caffe(net: NetParameter) -> str:
    """What genuine Caffe 1.0 refuses of a net that runs here, by fork; empty if it takes it."""
    found: dict[str, list[str]] = {}
    for layer in net.layer:
        dialect = DIALECTS.get(layer.type)
        if dialect:
            found.setdefault(dialect.fork, []).append(layer.type)
        else:
            found.setdefault("forks", []).extend(_fields(layer))
    parts = [f"{', '.join(dict.fromkeys(names))} of {f}" for f, names in found.items() if names]
    return f"genuine Caffe 1.0 refuses this net, for {'; '.join(parts)}" if parts else ""


def _fields(message: Message) -> Iterator[str]:
    """Names of the fields that are set and that Caffe 1.0 does not have."""
    for field, value in message.ListFields():
        if field.number >= FIRST_FIELD:
            yield f"the field {field.name}"
        elif field.message_type is not None and field.name.endswith("_param"):
            yield from _fields(value)
