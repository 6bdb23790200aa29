"""One colour per method, in every picture of a report."""

from __future__ import annotations

from collections.abc import Sequence

from i2cnn.evaluation.methods import ENSEMBLE, FUSED, VOTE, Method
from i2cnn.rivals import RIVALS
from i2cnn.svm.variants import UNTRAINED

INK, QUIET = "#222222", "#5f5f5f"
PUBLISHED = "#a8442a"
#: Of networks, by how many patches they see: all, fewer, fewest.
_NETWORKS = ("#1f6f54", "#7aa83c", "#b8860b", "#8a6d3b")
_OTHERS = {UNTRAINED: "#9a9a92", FUSED: "#0d3b2e", VOTE: "#4fa38a", ENSEMBLE: "#155c8a"}
#: Of rivals, in the order of their table; kernels of one rival share its colour.
_RIVALS = (
    "#c4c4bc",
    "#6ba3d6",
    "#2c5f9e",
    "#c9762b",
    "#8c5aa8",
    "#d1a5c9",
    "#4aa3a2",
    "#a04050",
    "#e0b84c",
    "#596ea3",
    "#7d7f3f",
    "#d98880",
)


def colours(methods: Sequence[Method]) -> dict[str, str]:
    """Colour of each method, by its id.

    Parameters
    ----------
    methods : sequence of Method
        All of the report.
    """
    counts = sorted({m.k for m in methods if m.k}, reverse=True)
    return {m.id: _colour(m, counts) for m in methods}


def _colour(method: Method, counts: Sequence[int]) -> str:
    if method.group in _OTHERS:
        return _OTHERS[method.group]
    if method.k:
        return _NETWORKS[min(counts.index(method.k), len(_NETWORKS) - 1)]
    rival = method.id.split("_")[1]
    number = list(RIVALS).index(rival) if rival in RIVALS else len(RIVALS)
    return _RIVALS[number % len(_RIVALS)]
