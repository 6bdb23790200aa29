"""What Caffe's programs write of small inputs, by golden/tools/record.py: ours beside genuine."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import numpy as np

from i2cnn.torchcaffe.formats.prototext import parse
from i2cnn.torchcaffe.proto import NetParameter, SolverParameter
from tests.helpers.golden import GOLDEN


def recorder() -> ModuleType:
    """golden/tools/record.py: the inputs, the commands, and what they have written."""
    spec = importlib.util.spec_from_file_location("record", GOLDEN / "tools" / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def assert_same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Equal, but for the form of text and the order of fields, and 2e-4 in features."""
    ours, theirs = dict(ours), dict(theirs)
    mine, other = (d.pop("new_solver.prototxt") for d in (ours, theirs))
    assert parse(mine, SolverParameter(), "ours") == parse(other, SolverParameter(), "theirs")
    mine, other = (bytes.fromhex(d.pop("new.binaryproto")) for d in (ours, theirs))
    assert NetParameter.FromString(mine) == NetParameter.FromString(other)
    for name in ("conv_db", "ip_db"):
        both = zip(ours.pop(name), theirs.pop(name), strict=True)
        for (key, (shape, first, total)), (their_key, record) in both:
            assert (key, shape) == (their_key, record[0])
            np.testing.assert_allclose([*first, *total], [*record[1], *record[2]], atol=2e-4)
    assert ours == theirs
