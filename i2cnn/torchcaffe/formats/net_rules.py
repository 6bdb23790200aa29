"""Which layers a net has in a given state, and the Split layers Caffe adds between them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import cast

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import (
    TEST,
    TRAIN,
    LayerParameter,
    NetParameter,
    NetState,
    NetStateRule,
    Phase,
)

#: A bottom or top: the layer's number and the number of the bottom or top there.
Port = tuple[int, int]


def filter_net(net: NetParameter, source: str) -> NetParameter:
    """Layers that belong to the net's state (phase, level, stages)."""
    kept = deepcopy(net)
    del kept.layer[:]
    for layer in net.layer:
        if layer.include and layer.exclude:
            raise CaffeError(
                f"{source}: layer {layer.name!r}: Specify either include rules or exclude rules; "
                "not both"
            )
        if layer.include:
            included = any(_meets(net.state, rule, layer.name) for rule in layer.include)
        else:
            included = not any(_meets(net.state, rule, layer.name) for rule in layer.exclude)
        if included:
            kept.layer.add().CopyFrom(layer)
    return kept


def _meets(state: NetState, rule: NetStateRule, layer: str) -> bool:
    """Whether a state is one that a rule is for; the log says why not."""
    found = _difference(state, rule)
    if found:
        line, what = found
        log.info(f"net.cpp:{line}", f"The NetState {what} specified by a rule in layer {layer}")
    return not found


def _difference(state: NetState, rule: NetStateRule) -> tuple[int, str] | None:
    """The first thing in which a state differs from a rule, in Caffe's words; and Caffe's line."""
    level, stages = state.level, set(state.stage)
    if rule.HasField("phase") and rule.phase != state.phase:
        return 296, f"phase ({state.phase}) differed from the phase ({rule.phase})"
    if rule.HasField("min_level") and level < rule.min_level:
        return 306, f"level ({level}) is above the min_level ({rule.min_level})"  # it means: below
    if rule.HasField("max_level") and level > rule.max_level:
        return 316, f"level ({level}) is above the max_level ({rule.max_level})"
    for stage in rule.stage:
        if stage not in stages:
            return 332, f"did not contain stage '{stage}'"
    for stage in rule.not_stage:
        if stage in stages:
            return 347, f"contained a not_stage '{stage}'"
    return None


def insert_splits(net: NetParameter, source: str) -> NetParameter:
    """Give every reader of a blob its own copy of it, by Split layers (Caffe's InsertSplits).

    Raises
    ------
    InputError
        A layer reads a blob that no layer before it makes.
    """
    wiring = _wire(net, source)
    result = deepcopy(net)
    del result.layer[:]
    copies_taken: dict[Port, int] = defaultdict(int)
    for i, layer in enumerate(net.layer):
        new = result.layer.add()
        new.CopyFrom(layer)
        for j in range(len(layer.bottom)):
            top = wiring.source_of[i, j]
            if wiring.readers[top] > 1:
                # The first copy of a weighted top is the sum of losses' own.
                index = copies_taken[top] + (top in wiring.weights)
                new.bottom[j] = _split_name(net.layer[top[0]], top[1]) + f"_{index}"
                copies_taken[top] += 1
        for j in range(len(layer.top)):
            if wiring.readers[i, j] > 1:
                split = result.layer.add()
                _fill_split(split, layer, j, wiring.readers[i, j])
                if (i, j) in wiring.weights:
                    _move_weight(new, split, wiring.weights[i, j])
    return result


@dataclass
class _Wiring:
    """Who makes and who reads the blobs of a net.

    Attributes
    ----------
    source_of : dict
        The top that each bottom reads.
    readers : dict
        How many bottoms read each top.
    weights : dict
        Loss weights other than 0 that the prototxt gives tops.
    """

    source_of: dict[Port, Port] = field(default_factory=dict)
    readers: dict[Port, int] = field(default_factory=lambda: defaultdict(int))
    weights: dict[Port, float] = field(default_factory=dict)


def _wire(net: NetParameter, source: str) -> _Wiring:
    wiring = _Wiring()
    makers: dict[str, Port] = {}
    for i, layer in enumerate(net.layer):
        for j, bottom in enumerate(layer.bottom):
            if bottom not in makers:
                raise CaffeError(
                    f"{source}: layer {layer.name!r}: Unknown bottom blob {bottom!r} "
                    f"(bottom index {j}); no layer before it makes that top"
                )
            wiring.source_of[i, j] = makers[bottom]
            wiring.readers[makers[bottom]] += 1
        for j, top in enumerate(layer.top):
            makers[top] = (i, j)
        given = min(len(layer.loss_weight), len(layer.top))
        weights = {(i, j): layer.loss_weight[j] for j in range(given)}
        wiring.weights |= {top: weight for top, weight in weights.items() if weight}
    # A weighted top that is also read has one reader more: the sum of losses itself. As in Caffe
    # this holds for a weight that is written down, not for the 1 a loss layer has by default.
    for port in wiring.weights:
        if wiring.readers[port]:
            wiring.readers[port] += 1
    return wiring


def _split_name(layer: LayerParameter, top: int) -> str:
    return f"{layer.top[top]}_{layer.name}_{top}_split"


def _fill_split(split: LayerParameter, layer: LayerParameter, top: int, number: int) -> None:
    """Make `split` the layer that copies a top of `layer` that many times."""
    split.name, split.type = _split_name(layer, top), "Split"
    split.bottom.append(layer.top[top])
    split.top.extend(f"{split.name}_{k}" for k in range(number))


def _move_weight(layer: LayerParameter, split: LayerParameter, weight: float) -> None:
    """Give a top's loss weight to the first copy that its split makes."""
    split.loss_weight.extend([weight] + [0.0] * (len(split.top) - 1))
    # Caffe forgets the weights of the layer's other tops here, and a loss layer falls back to 1:
    # the loss counts once more in the sum, not in gradients.
    del layer.loss_weight[:]


def net_state(net: NetParameter, phase: int, level: int, stages: Sequence[str]) -> None:
    """Set the state that include and exclude rules look at."""
    if phase not in (TRAIN, TEST):
        raise CaffeError(f"phase must be TRAIN (0) or TEST (1), not {phase!r}")
    net.state.phase = cast("Phase", phase)
    net.state.level = level
    net.state.stage.extend(stages)
