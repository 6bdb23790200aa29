"""The nets that a solver file asks for, as messages whose state is set."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.proto import TEST, TRAIN, NetParameter, SolverParameter

#: Where a solver file may have its net to train, with Caffe's words for it and its line.
_TRAIN_NETS = {
    "net": (102, "from net file: {}"),
    "net_param": (97, "specified in net_param."),
    "train_net": (92, "from train_net file: {}"),
    "train_net_param": (88, "specified in train_net_param."),
}


def train_net(param: SolverParameter, source: str) -> NetParameter:
    """The net to train, in phase TRAIN with the solver's train_state.

    Raises
    ------
    InputError
        The solver file names no net, or several; or the net's file cannot be used.
    """
    given = [name for name in _TRAIN_NETS if param.HasField(name)]
    if len(given) != 1:
        raise CaffeError(
            f"{source}: SolverParameter must specify a train net using exactly one of "
            f"{', '.join(_TRAIN_NETS)}"
        )
    value = getattr(param, given[0])
    line, words = _TRAIN_NETS[given[0]]
    log.info(f"solver.cpp:{line}", f"Creating training net {words.format(value)}")
    net = read_net(value) if isinstance(value, str) else deepcopy(value)
    net.state.MergeFrom(param.train_state)
    net.state.phase = TRAIN
    return net


def test_nets(param: SolverParameter, source: str) -> Iterator[tuple[str, NetParameter]]:
    """The nets to test, one per test_iter, in phase TEST with their test_state; and their files.

    Nets of their own (test_net_param, test_net) come first; the net to train serves for the rest.
    The log has a line for each when it is asked for.

    Raises
    ------
    InputError
        The numbers of nets, test_iter and test_state do not match; or a file cannot be used.
    """
    nets = [("test_net_param", source, deepcopy(net)) for net in param.test_net_param]
    nets += [(f"test_net file: {path}", path, read_net(path)) for path in param.test_net]
    shared = range(len(param.test_iter) - len(nets))
    if param.HasField("net_param"):
        nets += [("net_param", source, deepcopy(param.net_param)) for _ in shared]
    elif param.HasField("net"):
        nets += [(f"net file: {param.net}", param.net, read_net(param.net)) for _ in shared]
    if len(nets) != len(param.test_iter):
        raise CaffeError(f"{source}: test_iter must be given once for each test net")
    if nets and param.test_interval <= 0:
        raise CaffeError(f"{source}: test_interval must be above 0")
    if param.test_state and len(param.test_state) != len(nets):
        raise CaffeError(f"{source}: test_state must be given for no test net or for each")
    for i, (given, path, net) in enumerate(nets):
        log.info("solver.cpp:190", f"Creating test net (#{i}) specified by {given}")
        if param.test_state:
            net.state.MergeFrom(param.test_state[i])
        net.state.phase = TEST
        yield path, net
