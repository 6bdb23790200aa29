"""Tasks: labels in class order."""

from __future__ import annotations

import pytest

from i2cnn.datasets.labels import SEVEN, SIX, Task, get_task, task_of
from i2cnn.util.errors import InputError


def test_six_is_in_the_papers_order() -> None:
    assert SIX.labels == ("anger", "disgust", "fear", "happy", "sadness", "surprise")


def test_seven_is_neutral_and_then_six() -> None:
    assert SEVEN.labels == ("neutral", *SIX.labels)


@pytest.mark.parametrize("task", [SIX, SEVEN])
def test_a_task_is_found_by_its_name(task: Task) -> None:
    assert get_task(task.name) is task


def test_a_class_number_is_the_labels_position() -> None:
    assert [SEVEN.index(label) for label in SEVEN.labels] == list(range(7))


def test_a_label_outside_the_task_is_refused() -> None:
    with pytest.raises(InputError, match="'joy' is outside the task 'six'"):
        SIX.index("joy")


def test_a_users_labels_begin_with_the_papers() -> None:
    labels = ["zest", "sadness", "awe", "neutral", "sadness"]
    assert task_of(labels).labels == ("neutral", "sadness", "awe", "zest")


@pytest.mark.parametrize(
    ("labels", "message"),
    [(("a",), "at least two labels are needed"), (("a", "b", "a"), "a label appears twice")],
)
def test_impossible_tasks_are_refused(labels: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Task("folder", labels)
