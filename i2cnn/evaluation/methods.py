"""The methods whose predictions a run's jobs write: names, titles and groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from i2cnn.evaluation.settings import Settings
from i2cnn.rivals import RIVALS
from i2cnn.svm.variants import TRAINED, UNTRAINED, Variant

#: Groups of the methods without a network.
RIVAL, FLOOR = "rival", "floor"
#: Group of networks whose Gram matrix a rival's is added to.
FUSED = "fused"
#: Group of networks that answer themselves, and name of the method within its job.
VOTE = "vote"
#: Group of several networks of one fold, trained from different seeds, that answer together.
ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Method:
    """What makes predictions: a row of the report, joined over folds and seeds.

    Parameters
    ----------
    name : str
        The method within its job, as in predictions_NAME.csv.
    id : str
        `k60_trained`, `k60_region_nose`, `rival_lbp_rbf`, ...
    title : str
        For tables.
    group : str
        Of :class:`i2cnn.svm.variants.Variant`, or VOTE, ENSEMBLE, FUSED, RIVAL or FLOOR.
    k : int
        Patches per face that the network sees; 0 for rivals.
    protocol : str
        What it is, in a sentence; empty where the title says it.
    reference : str
        Which of each person's pictures the others are measured from; empty for none.
    """

    name: str
    id: str
    title: str
    group: str
    k: int = 0
    protocol: str = ""
    reference: str = ""


def network_id(k: int, name: str) -> str:
    """Id of a method of one network with k patches."""
    return f"k{k}_{name}"


def network_method(variant: Variant, k: int) -> Method:
    """An SVM on some patches of a network with k of them."""
    name = variant.method
    return Method(name, network_id(k, name), variant.title, variant.group, k)


def vote_method(network: Method) -> Method:
    """The softmax vote of a network whose features an SVM tells apart."""
    return replace(
        network,
        name=VOTE,
        id=network.id.removesuffix(network.name) + VOTE,
        title=f"{network.title}, softmax vote",
        group=VOTE,
        protocol="The network's own softmax, averaged over a face's patches, in place of the SVM.",
    )


def ensemble_method(network: Method, seeds: int) -> Method:
    """A method of one network by the networks of several seeds together."""
    return replace(
        network,
        id=f"k{network.k}_seeds{seeds}_{network.name}",
        title=f"{network.title}, {seeds} nets together",
        group=network.group if network.group == UNTRAINED else ENSEMBLE,
        protocol="Nets of different seeds: their Gram matrices are added, each at mean 1, or "
        "the probabilities of their softmax.",
    )


def referenced_name(name: str, reference: str) -> str:
    """Name or id of a method that measures faces from references; itself if there are none."""
    return f"{name}_{reference}" if reference else name


def with_references(methods: Sequence[Method], reference: str) -> list[Method]:
    """Methods and, unless `reference` is "none", the same measured from references."""
    if reference == "none":
        return list(methods)
    referenced = [
        replace(
            m,
            name=referenced_name(m.name, reference),
            id=referenced_name(m.id, reference),
            reference=reference,
        )
        for m in methods
    ]
    return [*methods, *referenced]


def fused_methods(method: Method, rivals: Sequence[str]) -> list[Method]:
    """A network's method, fused with each of some rivals."""
    return [
        replace(
            method,
            name=fused_name(method.name, rival),
            id=fused_name(method.id, rival),
            title=f"{method.title} + {RIVALS[rival].title}",
            group=FUSED if method.group == TRAINED else method.group,
            protocol=f"Fusion: the Gram matrices of {method.title} and {RIVALS[rival].title} are "
            "added, both at mean 1.",
        )
        for rival in rivals
    ]


def svm_methods(plain: Method, settings: Settings) -> list[Method]:
    """An SVM on a net's own patches as it is, fused with rivals, and measured from references."""
    methods = [plain, *fused_methods(plain, settings.fuse)]
    return with_references(methods, settings.reference)


def fused_name(method: str, rival: str) -> str:
    """Name or id of a network's method that is fused with a rival."""
    return f"{method}_{rival}"
