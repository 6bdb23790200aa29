"""Prints the tables of a published run as docs/results.md has them: to be pasted when it is new.

python docs/describe_results.py results/synthetic-better
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: Groups of methods that the page lists.
_GROUPS = ("trained", "vote", "ensemble", "fused", "rival", "untrained", "floor")
_EN_DASH = "\N{EN DASH}"


def tables(run: Path) -> Iterator[list[str]]:
    """The lines of each table: methods, references, the network against each other method."""
    content = json.loads((run / "report" / "metrics.json").read_text(encoding="utf-8"))
    yield list(_methods(content))
    if "references" in content:
        yield list(_references(content))
    yield list(_comparisons(content))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _methods(content: Any) -> Iterator[str]:
    few = all(m["interval95"] == m["interval95_wilson"] for m in content["methods"])
    kind = "Wilson's" if few else "over people"
    yield _row("method", "accuracy %", "std over folds", f"95 % interval, {kind}")
    yield _row(*["---"] * 4)
    for m in content["methods"]:
        if m["group"] in _GROUPS and "reference" not in m:
            mean, std, low, high = (
                f"{100 * v:.1f}" for v in (m["mean"], m["std"], *m["interval95"])
            )
            std = std if len(content["folds_done"]) > 1 else ""
            yield _row(m["method"], mean, std, f"{low}{_EN_DASH}{high}")
    yield f"| chance | {100 * content['chance']:.1f} | | |"


def _references(content: Any) -> Iterator[str]:
    methods = {m["id"]: m for m in content["methods"]}
    yield _row("method", "as is %", "with reference %", "gain, 95 % interval")
    yield _row(*["---"] * 4)
    for row in content["references"]:
        plain, referenced = methods[row["plain"]], methods[row["id"]]
        low, high = (f"{100 * v:+.1f}" for v in row["gain_interval95"])
        means = (f"{100 * m['mean']:.1f}" for m in (plain, referenced))
        yield _row(plain["method"], *means, f"{low} to {high}")


def _comparisons(content: Any) -> Iterator[str]:
    methods = {m["id"]: m for m in content["methods"]}
    plain, *others = ({p["second"]: p for p in c["network"]} for c in content["comparisons"])
    suffix = content["settings"].get("reference", "none")
    network = methods[next(iter(plain.values()))["first"]]["method"]
    heads = ("as is", *["with reference"] * len(others))
    yield _row(f"{network} against", *(text for head in heads for text in (head, "p")))
    yield _row(*["---"] * (1 + 2 * len(heads)))
    for second, pair in sorted(plain.items(), key=lambda item: item[1]["difference"]):
        twin = second if second == "chance" else f"{second}_{suffix}"
        cells = [_pair(pair), *(_pair(other.get(twin)) for other in others)]
        yield _row(methods.get(second, {"method": second})["method"], *cells)


def _pair(pair: Any) -> str:
    if pair is None:
        return " | "
    low, high = (f"{100 * v:+.1f}" for v in pair["interval95"])
    p = f"{pair['p_holm']:.3f}" if pair["p_holm"] >= 0.001 else "< 0.001"
    return f"{100 * pair['difference']:+.1f} ({low} to {high}) | {p}"


if __name__ == "__main__":
    for table in tables(Path(sys.argv[1])):
        sys.stdout.write("\n".join(table) + "\n\n")
