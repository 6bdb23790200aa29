"""Writes the evidence at the top of docs/caffe.md.

Counts come from the code and the golden recordings; what was measured beside other programs from
docs/evidence.json: the last lines of `make conformance` and of benchmarks/importers.py.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from describe_torchcaffe import GOLDEN, options, recorded_nets

from i2cnn.torchcaffe.layers import REGISTRY

PAGE = Path(__file__).with_name("caffe.md")
EVIDENCE = Path(__file__).with_name("evidence.json")


def ours(measured: dict[str, Any]) -> str:
    """How torchcaffe was compared with genuine Caffe, in numbers."""
    genuine = set((GOLDEN / "layers/types.txt").read_text().split())
    settings = sum(len(found) for name, found in options().items() if name in genuine)
    solvers = len(json.loads((GOLDEN / "solvers/solvers.json").read_text()))
    solvers += len(list(GOLDEN.glob("solver_*.prototxt")))
    logs = len(list((GOLDEN / "cli").glob("*.log.gz")))
    snapshots = len(list((GOLDEN / "snapshots").iterdir()))
    nets, models = measured["random nets"], measured["models"]
    worst = max(model["worst"] for model in models)
    rows = [
        (
            "layer types",
            f"{len(genuine & set(REGISTRY))} of {len(genuine)}, with {settings} settings in "
            f"{len(list(recorded_nets()))} recorded nets, both directions "
            "([each one's](torchcaffe.md#layers))",
        ),
        (
            "random nets",
            f"{nets['nets']} (seed {nets['seed']}): {nets['same']} the same, {nets['refused']} "
            f"refused by both, {nets.get('deliberate', 0)} [refused on purpose]"
            f"(torchcaffe.md#deliberate-differences-from-genuine-caffe), "
            f"{nets.get('different', 0)} different",
        ),
        (
            "real models",
            f"{len(models)} ({', '.join(model['name'] for model in models)}): all "
            f"{sum(model['blobs'] for model in models)} blobs, parameters and gradients; the worst "
            f"{worst:.1e} of its largest value",
        ),
        (
            "trainings",
            f"{solvers}, all six solvers, weights to 1e-5 ([losses](torchcaffe.md#tolerances))",
        ),
        ("logs", f"{logs} whole ones, line by line"),
        (
            "snapshots",
            f"{snapshots} of genuine Caffe's resumed or read, binary ones written byte for byte; "
            "ours resumed by genuine Caffe (`make conformance`)",
        ),
    ]
    return _table(("compared with genuine Caffe 1.0", "how much"), rows)


def others(measured: dict[str, Any]) -> str:
    """The programs that a user can choose from, one a row."""
    head = ["program", "runs where", "trains", "whole nets", "recorded nets", "layer types"]
    head += ["farthest apart", "ms per image: LeNet, AlexNet"]
    return _table(head, [_row(program) for program in measured["programs"]])


def _row(program: dict[str, Any]) -> tuple[str, ...]:
    distances = program["whole nets"].values()
    alike = [distance for distance in distances if distance is not None]
    worst = max([*alike, program["worst that agrees"]])
    times = program["ms per image"]
    return (
        f"{program['name']} {program['version']}",
        program["where"],
        program["trains"],
        f"{len(alike)} of {len(distances)}",
        f"{program['cases that agree']} of {program['cases']}",
        f"{len(program['types that agree in all cases'])} of {program['types']}",
        f"{worst:.0e}" if worst else "itself",
        ", ".join(f"{times[name]:.2g}" if name in times else "-" for name in ("LeNet", "AlexNet")),
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def described(page: str) -> str:
    """The page with its tables generated again."""
    measured = json.loads(EVIDENCE.read_text())
    for name, text in (("ours", ours(measured)), ("others", others(measured))):
        before, _, rest = page.partition(f"<!-- {name} -->\n")
        _, _, after = rest.partition(f"<!-- end of {name} -->\n")
        page = f"{before}<!-- {name} -->\n{text}\n<!-- end of {name} -->\n{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(described(PAGE.read_text()))
