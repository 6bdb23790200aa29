"""What every reader returns: the samples, and what was found compared with what was expected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from i2cnn.datasets.labels import Task
from i2cnn.util.errors import InputError
from i2cnn.util.text import counted, noun, some_of

#: Suffixes of pictures that are not what was recorded.
LOSSY = (".jpg", ".jpeg", ".webp")

#: Parts of a set that has its own split, as the sides of a fold are called.
TRAINING, VALIDATION, TEST = "training", "validation", "test"

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Sample:
    """One labelled image.

    Parameters
    ----------
    image : str
        Path relative to the data set's root, with slashes.
    subject, label : str
    sequence : str
        Sequence it comes from; empty for still images.
    frame : int
        Number in the sequence; 0 for still images.
    points : tuple of five (x, y), optional
        Landmarks that the data set itself has.
    part : str
        TRAINING, VALIDATION or TEST of a set that is evaluated on its own split because it does
        not say who is shown; `subject` is then the image itself. Empty for other sets.
    """

    image: str
    subject: str
    label: str
    sequence: str = ""
    frame: int = 0
    points: Points | None = None
    part: str = ""

    @classmethod
    def of_part(cls, image: str, label: str, part: str) -> Sample:
        """A picture of nobody knows whom, in a part of its set."""
        return cls(image, image, label, part=part)


@dataclass
class Dataset:
    """Samples of a data set and an account of how they were found.

    Parameters
    ----------
    name : str
    root : Path
        Folder that the samples' paths start from.
    task : Task
    samples : list of Sample
    expected : mapping of str to int
        What the complete data set has: "images", "subjects" and labels; empty if unknown.
    left_out : mapping of str to list of str
        Reason -> what was left out for it.
    notes : list of str
        What else a user should know.
    warnings : list of str
        What makes the numbers of a run mean something else, if it is so.
    """

    name: str
    root: Path
    task: Task
    samples: list[Sample]
    expected: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.samples:
            raise InputError(
                f"{self.root}: no images of the data set {self.name!r} here"
                + "".join(f"; {counted(len(v), k)} ({v[0]})" for k, v in self.left_out.items())
                + "; check the folder and the --dataset"
            )
        for sample in self.samples:
            names = (sample.image, sample.subject, sample.label, sample.sequence)
            if any("\r" in name for name in names):  # the tables of a run would end a line there
                raise InputError(
                    f"{self.root / sample.image}: subject {sample.subject!r}, label "
                    f"{sample.label!r}: a carriage return in a name; rename it"
                )
            try:
                self.task.index(sample.label)
            except InputError as error:
                raise InputError(f"{self.root / sample.image}: {error}") from None

    @property
    def subjects(self) -> list[str]:
        """Names of the subjects, sorted."""
        return sorted({s.subject for s in self.samples})

    @property
    def has_own_split(self) -> bool:
        """True if it says which pictures test, and not who is shown."""
        return any(s.part for s in self.samples)

    def found(self) -> dict[str, int]:
        """Counts, with the same keys as `expected`."""
        counts = Counter(s.label for s in self.samples)
        result = {"images": len(self.samples)}
        if self.has_own_split:
            parts = Counter(s.part for s in self.samples)
            result |= {part: parts[part] for part in (TRAINING, VALIDATION, TEST) if parts[part]}
        else:
            result["subjects"] = len(self.subjects)
        if any(s.sequence for s in self.samples):
            result["sequences"] = len({(s.subject, s.sequence) for s in self.samples})
        return result | {label: counts[label] for label in self.task.labels}

    def summary(self) -> list[str]:
        """Lines for a user to read: found, expected, left out."""
        from rich.cells import cell_len, set_cell_size  # `--help` reads the names of this module

        found = self.found()
        lines = [f"{self.name}: {self.root}"]
        width = max(10, *map(cell_len, found))  # some letters are as wide as two
        for key, value in found.items():
            line = f"  {set_cell_size(key, width)} {value:>5}"
            if key in self.expected:
                wanted = self.expected[key]
                line += f" of {wanted}"
                if value != wanted:
                    line += (
                        f"   <- {abs(wanted - value)} {'missing' if value < wanted else 'extra'}"
                    )
            lines.append(line)
        for reason, items in self.left_out.items():
            number = len(items)
            lines.append(f"  left out   {number:>5} {noun(number, reason)}: {some_of(items)}")
        lines += [f"  note: {note}" for note in self.notes]
        return lines + [f"  WARNING: {warning}" for warning in self.warnings]

    def to_json(self) -> dict[str, Any]:
        """The content of dataset.json."""
        return {
            "name": self.name,
            "task": {"name": self.task.name, "labels": list(self.task.labels)},
            "found": self.found(),
            "expected": dict(self.expected),
            "left_out": {k: list(v) for k, v in self.left_out.items()},
            "notes": [*self.warnings, *self.notes],
        }


def outside_task(task: Task) -> str:
    """Reason for leaving a sample out."""
    return f"with a label outside task {task.name}"


def check_folder(root: Path, name: str) -> None:
    """InputError unless a data set's folder exists."""
    if root.is_file():
        raise InputError(f"{root}: is a file; give the folder that holds your copy of {name}")
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the folder that holds your copy of {name}")


def least_converted(path: Path) -> tuple[bool, Path]:
    """Order in which files of the same picture are taken: the lossless ones first."""
    return path.suffix.lower() in LOSSY, path
