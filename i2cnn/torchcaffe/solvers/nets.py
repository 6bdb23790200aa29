"""The nets that a solver file asks for, as messages whose state is set."""

from __future__ import annotations

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.prototext import read_net
from i2cnn.torchcaffe.proto import TEST, TRAIN, NetParameter, SolverParameter


def train_net(param: SolverParameter, source: str) -> NetParameter:
    """The net to train, in phase TRAIN with the solver's train_state.

    Raises
    ------
    InputError
        The solver file names no net, or several; or the net's file cannot be used.
    """
    given = [n for n in ("net", "net_param", "train_net", "train_net_param") if param.HasField(n)]
    if len(given) != 1:
        raise CaffeError(
            f"{source}: SolverParameter must specify a train net using exactly one of "
            "net, net_param, train_net, train_net_param"
        )
    value = getattr(param, given[0])
    net = read_net(value) if isinstance(value, str) else _copy(value)
    state = NetParameter().state
    state.phase = TRAIN
    state.MergeFrom(net.state)
    state.MergeFrom(param.train_state)
    net.state.CopyFrom(state)
    net.state.phase = TRAIN
    return net


def test_nets(param: SolverParameter, source: str) -> list[tuple[str, NetParameter]]:
    """The nets to test, one per test_iter, in phase TEST with their test_state; and their files.

    Nets of their own (test_net_param, test_net) come first; the net to train serves for the rest.

    Raises
    ------
    InputError
        The numbers of nets, test_iter and test_state do not match; or a file cannot be used.
    """
    nets = [(source, _copy(net)) for net in param.test_net_param]
    nets += [(path, read_net(path)) for path in param.test_net]
    shared = len(param.test_iter) - len(nets)
    if param.HasField("net_param"):
        nets += [(source, _copy(param.net_param)) for _ in range(shared)]
    elif param.HasField("net"):
        nets += [(param.net, read_net(param.net)) for _ in range(shared)]
    if len(nets) != len(param.test_iter):
        raise CaffeError(f"{source}: test_iter must be given once for each test net")
    if nets and param.test_interval <= 0 and param.HasField("test_interval"):
        raise CaffeError(f"{source}: test_interval must be above 0")
    if param.test_state and len(param.test_state) != len(nets):
        raise CaffeError(f"{source}: test_state must be given for no test net or for each")
    for i, (_, net) in enumerate(nets):
        if param.test_state:
            net.state.MergeFrom(param.test_state[i])
        net.state.phase = TEST
    return nets


def _copy(net: NetParameter) -> NetParameter:
    result = NetParameter()
    result.CopyFrom(net)
    return result
