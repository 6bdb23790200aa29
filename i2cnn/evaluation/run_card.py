"""The card of a recogniser that a run trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from i2cnn.datasets import IN_WORDS
from i2cnn.evaluation.folds import unseen
from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.settings import SYNTHETIC, Settings
from i2cnn.models.card import Card, Share
from i2cnn.svm.probabilities import Bin, calibration_error, wilson

_RENDERED = "Photographs: it has seen rendered faces only, and is wrong on most photographs."
_LIMITS = (
    "What people feel, and decisions about them: a face shows an expression, not an emotion.",
    "People, lights and cameras unlike those that it learned from.",
    "Faces turned away or covered.",
)


def run_card(inputs: Inputs, fold: int, by: str, method: str, trained: Mapping[str, Any]) -> Card:
    """What is known of a recogniser from a run.

    Parameters
    ----------
    inputs : Inputs
        Of the run.
    fold : int
        Number of the fold whose training it is from, counted from 1.
    by, method : str
        How it describes faces, in a word and in a sentence.
    trained : mapping
        How the linear SVMs named the tested faces (see :mod:`i2cnn.evaluation.recogniser_scores`).
    """
    accuracy = float(trained["linear_accuracy"])
    referenced = trained.get("linear_reference_accuracy")
    settings, labels = inputs.settings, inputs.task.labels
    _, tested = inputs.sides(fold)
    data = _data(inputs, fold)
    source = " and ".join(str(one["folder"]) for one in data)
    learned = " and ".join(f"{_whom(one)} of {one['folder']}" for one in data)
    rendered = {settings.dataset, settings.train_also or SYNTHETIC} == {SYNTHETIC}
    own_split = settings.has_own_split
    people = len(set(inputs.subjects[tested]))
    whom = "pictures" if own_split else f"faces of {unseen(people)}"
    result = f"{accuracy:.0%} of {len(tested)} {whom} right"
    return Card(
        name="recogniser",
        title=f"trained by `i2cnn evaluate` on {source}, {by}",
        line=f"{len(labels)} expressions, learned from {source} ({by})",
        warning=f"this recogniser learned from {learned} ({by}) and named "
        f"{result}; "
        + (f"{settings.protocol}; " if own_split else "")
        + ("it has never seen a photograph." if rendered else "others may differ from them."),
        labels=labels,
        method=f"{method}, and a linear SVM.",
        protocol=_own_split(settings, result)
        if own_split
        else f"Fold {fold} of {settings.folds}: {result}. Neither the features nor the SVM had "
        "seen them. The interval is Wilson's, as if faces of one person were independent; the "
        "run's report has one over people.",
        licence="It may be passed on as far as the licences of its pictures allow.",
        data=data,
        as_is=_share(accuracy, len(tested)),
        reference=None if referenced is None else _share(referenced, len(tested)),
        limits=(_RENDERED, *_LIMITS) if rendered else _LIMITS,
        confusion=tuple(map(tuple, trained.get("linear_confusion", ()))),
        calibration=_calibration(trained, referenced is not None),
    )


def _data(inputs: Inputs, fold: int) -> tuple[dict[str, Any], ...]:
    """What a fold's classifiers were fitted on: the data set, and the people who train as well."""
    settings, (fitted, _) = inputs.settings, inputs.sides(fold)
    own = inputs.own[fitted]
    free = settings.dataset == SYNTHETIC and settings.root is None
    data = [_entry(IN_WORDS[settings.dataset], inputs, fitted[own], free)]
    if settings.has_own_split:
        data[0]["people"] = None
    if settings.train_also is not None:
        name = IN_WORDS[SYNTHETIC if settings.train_also == SYNTHETIC else "folder"]
        data.append(_entry(name, inputs, fitted[~own], settings.train_also == SYNTHETIC))
    return tuple(data)


def _entry(name: str, inputs: Inputs, rows: npt.NDArray[np.intp], free: bool) -> dict[str, Any]:
    return {
        "folder": name,
        "pictures": len(rows),
        "people": len(set(inputs.subjects[rows])),
        "licence": "CC0 1.0" if free else "That of the data set.",
    }


def _whom(data: Mapping[str, Any]) -> str:
    """So many people, or pictures where nobody knows who is shown."""
    people = data["people"]
    if people is None:
        return f"{data['pictures']} pictures"
    return f"{people} {'person' if people == 1 else 'people'}"


def _own_split(settings: Settings, result: str) -> str:
    words = settings.protocol
    return (
        f"{words[0].upper()}{words[1:]}. The set's test part: {result}. The interval is Wilson's, "
        "over pictures."
    )


def _calibration(trained: Mapping[str, Any], references: bool) -> dict[str, float]:
    """Expected calibration errors; none unless all that are asked for are known."""
    keys = {"as_is": "calibration"} | ({"reference": "reference_calibration"} if references else {})
    if not all(trained.get(key) for key in keys.values()):
        return {}
    return {
        name: calibration_error([[Bin(**one) for one in trained[key]]])
        for name, key in keys.items()
    }


def _share(accuracy: float, faces: int) -> Share:
    """The share of faces that are right, with Wilson's interval."""
    return Share(accuracy, *wilson(round(accuracy * faces), faces))
