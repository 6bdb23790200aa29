"""upgrade_net_proto_text, upgrade_net_proto_binary, upgrade_solver_proto_text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.flags import show_usage
from i2cnn.torchcaffe.formats.prototext import read_message, write_prototxt
from i2cnn.torchcaffe.formats.storage import read_net_binary, write_weights
from i2cnn.torchcaffe.formats.upgrade import upgrade_net, upgrade_solver
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter

M = TypeVar("M", NetParameter, SolverParameter)


def net_text(words: Sequence[str]) -> int:
    """`upgrade_net_proto_text OLD NEW`."""
    location = "upgrade_net_proto_text.cpp:49"
    return _run(words, location, "NetParameter text", _net, upgrade_net, write_prototxt)


def net_binary(words: Sequence[str]) -> int:
    """`upgrade_net_proto_binary OLD NEW`."""
    location = "upgrade_net_proto_binary.cpp:48"
    return _run(words, location, "NetParameter binary", read_net_binary, upgrade_net, write_weights)


def solver_text(words: Sequence[str]) -> int:
    """`upgrade_solver_proto_text OLD NEW`."""
    location = "upgrade_solver_proto_text.cpp:49"
    return _run(words, location, "SolverParameter text", _solver, upgrade_solver, write_prototxt)


def _net(path: str) -> NetParameter:
    return read_message(path, NetParameter())


def _solver(path: str) -> SolverParameter:
    return read_message(path, SolverParameter())


def _run(
    words: Sequence[str],
    location: str,
    what: str,
    read: Callable[[str], M],
    upgrade: Callable[[M, str], object],
    write: Callable[[str, M], None],
) -> int:
    """Upgrade a file into another, and log it where the genuine program does."""
    program = location.partition(".")[0]
    if len(words) != 2:
        return show_usage(f"usage: i2cnn caffe {program} OLD_FILE NEW_FILE")
    old, new = words
    message = read(old)
    before = message.SerializeToString(deterministic=True)
    upgrade(message, old)
    if message.SerializeToString(deterministic=True) == before:
        log.error(f"{program}.cpp:43", f"File already in latest proto format: {old}")
    write(new, message)
    log.info(location, f"Wrote upgraded {what} proto to {new}")
    return 0
