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

    def upgrade(old: str, new: str) -> None:
        net = read_message(old, NetParameter())
        _upgrade(net, old, upgrade_net)
        write_prototxt(new, net)

    return _run(words, "upgrade_net_proto_text", 49, "NetParameter text", upgrade)


def net_binary(words: Sequence[str]) -> int:
    """`upgrade_net_proto_binary OLD NEW`."""

    def upgrade(old: str, new: str) -> None:
        net = read_net_binary(old)
        _upgrade(net, old, upgrade_net)
        write_weights(new, net)

    return _run(words, "upgrade_net_proto_binary", 48, "NetParameter binary", upgrade)


def solver_text(words: Sequence[str]) -> int:
    """`upgrade_solver_proto_text OLD NEW`."""

    def upgrade(old: str, new: str) -> None:
        solver = read_message(old, SolverParameter())
        _upgrade(solver, old, upgrade_solver)
        write_prototxt(new, solver)

    return _run(words, "upgrade_solver_proto_text", 49, "SolverParameter text", upgrade)


def _run(
    words: Sequence[str], program: str, line: int, what: str, upgrade: Callable[[str, str], None]
) -> int:
    """Upgrade a file into another, and log it as line `line` of the genuine program does."""
    if len(words) != 2:
        show_usage(f"usage: i2cnn caffe {program} OLD_FILE NEW_FILE")
        return 1
    old, new = words
    upgrade(old, new)
    log.info(f"{program}.cpp:{line}", f"Wrote upgraded {what} proto to {new}")
    return 0


def _upgrade(message: Message, source: str, upgrade: Callable[..., Message]) -> None:
    before = message.SerializeToString(deterministic=True)
    upgrade(message, source)
    if message.SerializeToString(deterministic=True) == before:
        log.error("upgrade", f"File already in latest proto format: {Path(source)}")
