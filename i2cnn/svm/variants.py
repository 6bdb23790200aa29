"""Which patches count: ablations that are cheap, since they need no training of their own.

The Gram matrices of single patches add up, so one network trained on all patches can be scored on
any choice of them: the paper's k = 5 and k = 1 (there with a training each, Table 4), each region,
each scale, and all without their mirrored copies.
"""

from __future__ import annotations

from dataclasses import dataclass

from i2cnn.patches.schemes import Scheme

TRAINED, UNTRAINED = "trained", "untrained"


@dataclass(frozen=True)
class Variant:
    """A choice of a job's patches, scored as a method of its own.

    Parameters
    ----------
    method : str
        Name in file names.
    title : str
        Name in reports.
    group : {"trained", "untrained", "selected", "region", "scale", "mirror"}
    net : {"trained", "untrained"}
        Whose features: the trained net's, or the same net's before training.
    positions : tuple of int
        Which of the job's patches.
    """

    method: str
    title: str
    group: str
    net: str
    positions: tuple[int, ...]


def variants(scheme: Scheme, k: int) -> tuple[Variant, ...]:
    """What a job with k patches per face is scored on; the job's own patches come first."""
    every = tuple(range(k))
    found = [
        Variant(TRAINED, f"I2CNN-{k}", TRAINED, TRAINED, every),
        Variant(UNTRAINED, f"untrained net, k = {k}", UNTRAINED, UNTRAINED, every),
    ]
    if k != len(scheme):
        return tuple(found)
    scales = len(scheme.scales)

    def add(method: str, title: str, group: str, chosen: tuple[int, ...]) -> None:
        found.append(Variant(method, title, group, TRAINED, chosen))

    for fewer in reversed(scheme.counts[:-1]):
        add(f"select{fewer}", f"{fewer} of the {k}", "selected", scheme.select(fewer))
    for i, region in enumerate(scheme.regions):
        chosen = tuple(range(2 * scales * i, 2 * scales * (i + 1)))
        add(f"region_{region.name}", f"only the {region.words}", "region", chosen)
    for i, scale in enumerate(scheme.scales):
        chosen = tuple(p for p in every if p // 2 % scales == i)
        add(f"scale_{scale:g}", f"only scale {scale:g}", "scale", chosen)
    add("unmirrored", "without mirrored copies", "mirror", every[::2])
    return tuple(found)
