"""Which layers a net has in a given state, and the Split layers Caffe adds between them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from i2cnn.torchcaffe.proto import TEST, TRAIN, NetParameter
from i2cnn.util.errors import InputError


def filter_net(net: Any, source: str) -> Any:
    """Layers that belong to the net's state (phase, level, stages)."""
    kept = NetParameter()
    kept.CopyFrom(net)
    del kept.layer[:]
    for layer in net.layer:
        if layer.include and layer.exclude:
            raise InputError(
                f"{source}: layer {layer.name!r}: Specify either include rules or exclude rules; "
                "not both"
            )
        if layer.include:
            included = any(_meets(net.state, rule) for rule in layer.include)
        else:
            included = not any(_meets(net.state, rule) for rule in layer.exclude)
        if included:
            kept.layer.add().CopyFrom(layer)
    return kept


def _meets(state: Any, rule: Any) -> bool:
    if rule.HasField("phase") and rule.phase != state.phase:
        return False
    if rule.HasField("min_level") and state.level < rule.min_level:
        return False
    if rule.HasField("max_level") and state.level > rule.max_level:
        return False
    stages = set(state.stage)
    return stages.issuperset(rule.stage) and stages.isdisjoint(rule.not_stage)


def insert_splits(net: Any, source: str) -> Any:
    """Give every reader of a blob its own copy of it, through Split layers as in Caffe."""
    producer: dict[str, tuple[int, int]] = {}
    source_of: dict[tuple[int, int], tuple[int, int]] = {}
    readers: dict[tuple[int, int], int] = defaultdict(int)
    weights: dict[tuple[int, int], float] = {}
    for i, layer in enumerate(net.layer):
        for j, bottom in enumerate(layer.bottom):
            if bottom not in producer:
                raise InputError(
                    f"{source}: layer {layer.name!r}: Unknown bottom blob {bottom!r} "
                    f"(bottom index {j}); no layer before it makes that top"
                )
            source_of[i, j] = producer[bottom]
            readers[producer[bottom]] += 1
        for j, top in enumerate(layer.top):
            producer[top] = (i, j)
        for j in range(min(len(layer.loss_weight), len(layer.top))):
            if layer.loss_weight[j]:
                weights[i, j] = layer.loss_weight[j]
    # A weighted top that is also read has one reader more: the sum of losses itself. As in Caffe
    # this holds for a weight that is written down, not for the 1 a loss layer has by default.
    for top in weights:
        if readers[top]:
            readers[top] += 1
    result = NetParameter()
    result.CopyFrom(net)
    del result.layer[:]
    used: dict[tuple[int, int], int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        new = result.layer.add()
        new.CopyFrom(layer)
        for j in range(len(layer.bottom)):
            top = source_of[i, j]
            if readers[top] > 1:
                maker = net.layer[top[0]]
                index = used[top] + (top in weights)
                new.bottom[j] = _split_name(maker, top[1]) + f"_{index}"
                used[top] += 1
        for j in range(len(layer.top)):
            if readers[i, j] > 1:
                _add_split(result, layer, j, readers[i, j], weights.get((i, j)))
                if (i, j) in weights:
                    # Caffe forgets the weights of the layer's other tops here, and a loss layer
                    # falls back to 1: the loss counts once more in the sum, not in gradients.
                    del new.loss_weight[:]
    return result


def _split_name(layer: Any, top: int) -> str:
    return f"{layer.top[top]}_{layer.name}_{top}_split"


def _add_split(net: Any, layer: Any, top: int, number: int, weight: float | None) -> None:
    name = _split_name(layer, top)
    split = net.layer.add(name=name, type="Split", bottom=[layer.top[top]])
    split.top.extend(f"{name}_{k}" for k in range(number))
    if weight is not None:
        split.loss_weight.extend([weight] + [0.0] * (number - 1))


def net_state(net: Any, phase: int, level: int, stages: list[str]) -> None:
    """Set the state that include and exclude rules look at."""
    if phase not in (TRAIN, TEST):
        raise InputError(f"phase must be TRAIN (0) or TEST (1), not {phase!r}")
    net.state.phase = phase
    net.state.level = level
    net.state.stage.extend(s for s in stages if s not in net.state.stage)
