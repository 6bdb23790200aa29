"""The schema: the same facts as in genuine Caffe, and the generated module is the schema's."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

from i2cnn.torchcaffe import proto
from i2cnn.torchcaffe.dialects import FIRST_FIELD
from i2cnn.torchcaffe.proto import torchcaffe_pb2

FOLDER = Path(torchcaffe_pb2.__file__).parent

#: Digest of :func:`facts` of the descriptor compiled into Debian's libcaffe.so.1.0.0
#: (caffe 1.0.0+git20180821.99bd997-8+b2), package name left out.
GENUINE = "8e2af2f128f3495c3394c96d7f90b973de9f2b75a68368ce28a6f46ac487e44e"


def facts(file: descriptor_pb2.FileDescriptorProto) -> dict[str, list]:
    """Every message, field and enum value with its number, type, label, default and packing."""
    found: dict[str, list] = {}

    def default(field):
        if field.type == field.TYPE_FLOAT and field.default_value:
            return f"{float(field.default_value):.6g}"
        return field.default_value

    def visit(path, message):
        found[path] = []
        for enum in message.enum_type:
            found[f"{path}.{enum.name}"] = [[v.name, v.number] for v in enum.value]
        for field in message.field:
            kind = field.type_name.removeprefix(f".{file.package}.")
            found[f"{path}.{field.name}"] = [
                field.number,
                field.type,
                field.label,
                kind,
                default(field),
                field.options.packed,
            ]
        for nested in message.nested_type:
            visit(f"{path}.{nested.name}", nested)

    for enum in file.enum_type:
        found[enum.name] = [[v.name, v.number] for v in enum.value]
    for message in file.message_type:
        visit(message.name, message)
    return found


def digest(found: dict[str, list]) -> str:
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def committed() -> descriptor_pb2.FileDescriptorProto:
    return descriptor_pb2.FileDescriptorProto.FromString(torchcaffe_pb2.DESCRIPTOR.serialized_pb)


def test_schema_has_the_facts_of_genuine_caffe():
    """What dialects add has numbers of its own, and their messages come last."""
    file = committed()
    last = [message.name for message in file.message_type].index("PReLUParameter")
    del file.message_type[last + 1 :]
    for message in file.message_type:
        kept = [field for field in message.field if field.number < FIRST_FIELD]
        del message.field[:]
        message.field.extend(kept)
    assert digest(facts(file)) == GENUINE


def test_generated_module_has_the_fields_of_the_schema_file():
    text = (FOLDER / "torchcaffe.proto").read_text()
    lines = re.findall(r"^\s*(?:optional|required|repeated) [\w.]+ (\w+) = (\d+)", text, re.M)
    written = sorted((name, int(number)) for name, number in lines)
    fields = [
        (field.name, field.number)
        for message in torchcaffe_pb2.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
    ]
    assert sorted(fields) == written
    assert len(written) > 400


@pytest.mark.skipif(shutil.which("protoc") is None, reason="protoc is not installed")
def test_generated_module_is_what_protoc_makes(tmp_path):
    path = tmp_path / "schema"
    subprocess.run(
        ["protoc", f"-I{FOLDER}", f"--descriptor_set_out={path}", "torchcaffe.proto"], check=True
    )
    compiled = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes()).file[0]
    assert facts(compiled) == facts(committed())


def test_all_messages_are_exported():
    for name in torchcaffe_pb2.DESCRIPTOR.message_types_by_name:
        assert getattr(proto, name) is getattr(torchcaffe_pb2, name)
    assert (proto.TRAIN, proto.TEST) == (0, 1)


def test_old_protobuf_runtimes_load_the_module():
    """protoc 3.20 to 3.21 wrote it: newer ones demand a runtime as new as they are."""
    text = (FOLDER / "torchcaffe_pb2.py").read_text()
    assert "runtime_version" not in text
    assert "_builder.BuildMessageAndEnumDescriptors" in text
