"""upgrade_net_proto_text, upgrade_net_proto_binary, upgrade_solver_proto_text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from google.protobuf.message import Message

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.torchcaffe.formats.prototext import read_message, write_prototxt
from i2cnn.torchcaffe.formats.storage import read_net_binary, write_weights
from i2cnn.torchcaffe.formats.upgrade import upgrade_net, upgrade_solver
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter


def net_text(words: Sequence[str]) -> int:
    """`upgrade_net_proto_text OLD NEW`."""
    files = _files(words, "upgrade_net_proto_text")
    if files is None:
        return 1
    net = read_message(files[0], NetParameter())
    _upgrade(net, files[0], upgrade_net)
    write_prototxt(files[1], net)
    log.info(
        "upgrade_net_proto_text.cpp:49", f"Wrote upgraded NetParameter text proto to {files[1]}"
    )
    return 0


def net_binary(words: Sequence[str]) -> int:
    """`upgrade_net_proto_binary OLD NEW`."""
    files = _files(words, "upgrade_net_proto_binary")
    if files is None:
        return 1
    net = read_net_binary(files[0])
    _upgrade(net, files[0], upgrade_net)
    write_weights(files[1], net)
    log.info(
        "upgrade_net_proto_binary.cpp:48", f"Wrote upgraded NetParameter binary proto to {files[1]}"
    )
    return 0


def solver_text(words: Sequence[str]) -> int:
    """`upgrade_solver_proto_text OLD NEW`."""
    files = _files(words, "upgrade_solver_proto_text")
    if files is None:
        return 1
    solver = read_message(files[0], SolverParameter())
    _upgrade(solver, files[0], upgrade_solver)
    write_prototxt(files[1], solver)
    log.info(
        "upgrade_solver_proto_text.cpp:49",
        f"Wrote upgraded SolverParameter text proto to {files[1]}",
    )
    return 0


def _files(words: Sequence[str], program: str) -> tuple[str, str] | None:
    if len(words) != 2:
        show_usage(f"usage: i2cnn caffe {program} OLD_FILE NEW_FILE")
        return None
    old, new = words
    return old, new


def _upgrade(message: Message, source: str, upgrade: Callable[..., Message]) -> None:
    before = message.SerializeToString(deterministic=True)
    upgrade(message, source)
    if message.SerializeToString(deterministic=True) == before:
        log.error("upgrade", f"File already in latest proto format: {Path(source)}")
