"""Runs a case on ours and compares it with what genuine Caffe left in its folder."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.core.layer import Layer
from i2cnn.util.errors import InputError
from tests.conformance.program import steps

#: Of the largest value of an array and of a gradient; what rounding may change besides is found by
#: trying.
TOLERANCE, OF_GRADIENTS = 2e-5, 2e-4
#: Two units in the last place of 1: a small loss is the logarithm of nearly 1.
ONE = 2.4e-7
#: What is refused although genuine Caffe runs it (docs/torchcaffe.md, Deliberate differences).
DELIBERATE = re.compile(
    "the last window begins beyond|does not fit into|the slopes are for|batch_size must be at least"
    "|leaves nothing of crop_size|the last of slice_point"
)

CRASH = "ours crashed: "
Arrays = dict[str, np.ndarray]


@dataclass
class Outcome:
    """How a net compares: same, different, refused (by both), deliberate or laxer (than genuine).

    `words` say what a person should look at; `blobs` is the number of arrays that were compared
    and `worst` how far one is apart, of its largest value.
    """

    kind: str
    words: str = ""
    blobs: int = 0
    worst: float = 0.0


def prepare(modules: Path) -> None:
    """Let the layers in Python be imported, with our caffe."""
    sys.modules["caffe"] = caffe
    sys.path.insert(0, str(modules))
    sys.dont_write_bytecode = True


def outcome(folder: Path, refused: str) -> Outcome:
    """Compare the case in a folder; `refused` is why ours refused a layer as the net grew."""
    nets: list = []
    ours, error = _ours(folder, seen=nets.append)
    theirs = [dict(np.load(path)) for path in sorted(folder.glob("[012].npz"))]
    reason = _abort(folder)
    if error or refused:
        error = error or refused
        if error.startswith(CRASH) and error != CRASH + reason:  # a user's layer raises in both
            return Outcome("different", error)
        if len(theirs) <= len(ours) and len(theirs) < 3:
            return Outcome("refused")
        if DELIBERATE.search(error):
            return Outcome("deliberate")
        return Outcome("different", f"only ours refuses: {error}")
    result = _differences(folder, ours, theirs, _gradients(nets[0]))
    if not result.words and len(theirs) < 3:
        return Outcome("laxer", f"only genuine Caffe refuses: {reason}")
    return result


def _gradients(net) -> set[str]:
    """Names of the gradients that mean something; others are genuine Caffe's scratch."""
    found = []
    for node in net._core.nodes:
        if node.needs_backward:
            found += zip(node.bottom_names, node.bottom_needs, strict=True)
        found += zip(node.top_names, node.loss_weights, strict=True)
    return {f"diff/{name}" for name, wanted in found if wanted}


def _ours(folder: Path, noise: int | None = None, seen=id) -> tuple[list[Arrays], str]:
    found: list[Arrays] = []
    try:
        for step in steps(caffe, str(folder), noise, seen):
            found.append(step)
    except InputError as error:
        return found, str(error)
    except Exception as error:  # ours must not end this way
        return found, f"{CRASH}{type(error).__name__}: {error}"
    return found, ""


def _abort(folder: Path) -> str:
    """Why genuine Caffe aborted: the first line that its logging wrote as fatal."""
    path = folder / "stderr.txt"
    text = path.read_text(errors="replace") if path.exists() else ""
    lines = [line for line in text.splitlines() if re.match(r"F\d{4}|\w+Error", line)]
    return re.sub(r"^F\S+ \S+\s+\d+ ", "", lines[0]) if lines else text[-200:]


def _differences(
    folder: Path, ours: list[Arrays], theirs: list[Arrays], gradients: set[str]
) -> Outcome:
    found = []
    result = Outcome("same")
    changed: list[list[Arrays]] | None = None
    for i, (mine, other) in enumerate(zip(ours, theirs, strict=False)):
        if set(mine) != set(other):
            found.append(f"names differ: {sorted(set(mine) ^ set(other))}")
            continue
        for name in other:
            if name.startswith("diff/") and name not in gradients:
                continue
            if mine[name].shape != other[name].shape:
                found.append(f"{name}: shapes {mine[name].shape} and {other[name].shape}")
                continue
            apart = _apart(mine[name], other[name])
            scale = float(np.abs(other[name][np.isfinite(other[name])]).max(initial=1e-6))
            allowed = max(scale * (OF_GRADIENTS if i == 2 else TOLERANCE), ONE)
            result.blobs += 1
            result.worst = max(result.worst, apart / scale)
            if apart <= allowed:
                continue
            if changed is None:
                with _rounded_otherwise():
                    changed = [_ours(folder, noise)[0] for noise in (1, 2, 3)]
            spread = max(_apart(mine[name], run[i][name]) for run in changed)
            if apart > allowed + 20 * spread:
                found.append(f"{name}: {apart / scale:.2g} of the largest value")
    if found:
        result.kind, result.words = "different", "; ".join(found)
    return result


@contextmanager
def _rounded_otherwise() -> Iterator[None]:
    """Let what layers compute differ in its last digits, as other sums would round it."""
    generator = torch.Generator().manual_seed(1)
    forward, backward = Layer.forward, Layer.backward

    def changed(value: Tensor | None) -> Tensor | None:
        if value is None or torch.equal(value, value.round()):  # indices, masks, labels
            return value
        return value * (1 + 2e-7 * torch.randn(value.shape, generator=generator))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Layer, "forward", lambda *a, **k: [*map(changed, forward(*a, **k))])
        patch.setattr(Layer, "backward", lambda *a, **k: [*map(changed, backward(*a, **k))])
        yield


def _apart(a: np.ndarray, b: np.ndarray) -> float:
    """Largest difference; infinite where only one is finite or they are infinite otherwise."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(a.astype(np.float64) - b)
    apart = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, apart)
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0))
