"""Expressions, and tasks: the labels that a run tells apart, in class order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from i2cnn.util.errors import InputError

NEUTRAL = "neutral"
ANGER = "anger"
DISGUST = "disgust"
FEAR = "fear"
HAPPY = "happy"
SADNESS = "sadness"
SURPRISE = "surprise"
CONTEMPT = "contempt"


@dataclass(frozen=True)
class Task:
    """A classification task: a name and its labels in class order.

    Parameters
    ----------
    name : str
        "six" or "seven" for the paper's tasks, "eight" with contempt, "folder" for the labels of a
        user's own folder.
    labels : tuple of str
        Label of each class; the position is the class number that Caffe sees.
    """

    name: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(set(self.labels)) != len(self.labels):
            raise InputError(f"task {self.name}: a label appears twice in {list(self.labels)}")
        if len(self.labels) < 2:
            raise InputError(
                f"task {self.name}: at least two labels are needed, found {list(self.labels)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    def index(self, label: str) -> int:
        """Class number of a label; InputError if the task does not have it."""
        try:
            return self.labels.index(label)
        except ValueError:
            raise InputError(
                f"label {label!r} is outside the task {self.name!r} ({', '.join(self.labels)}); "
                "correct the label or choose another task"
            ) from None


SIX = Task("six", (ANGER, DISGUST, FEAR, HAPPY, SADNESS, SURPRISE))
SEVEN = Task("seven", (NEUTRAL, *SIX.labels))
EIGHT = Task("eight", (*SEVEN.labels, CONTEMPT))
TASKS = {task.name: task for task in (SIX, SEVEN, EIGHT)}


def task_of(labels: Iterable[str]) -> Task:
    """Task "folder" with a user's own labels: the paper's first, in its order, others sorted."""
    found = set(labels)
    known = [label for label in SEVEN.labels if label in found]
    return Task("folder", tuple(known + sorted(found - set(known))))


def get_task(name: str) -> Task:
    """Look up the task "six", "seven" or "eight"; InputError for another."""
    if name not in TASKS:
        raise InputError(f"unknown task {name!r}; choose one of {', '.join(TASKS)}")
    return TASKS[name]
