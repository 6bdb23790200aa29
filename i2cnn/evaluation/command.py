"""The command that continues a run."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path

from i2cnn.datasets import OWN_LABELS
from i2cnn.evaluation import PATCH_COUNTS
from i2cnn.evaluation.settings import SYNTHETIC, Settings, usual_folds
from i2cnn.network.profiles import template_schedule
from i2cnn.rivals import DEFAULT_RIVALS


def command_of(settings: Settings, run: Path, public: bool = False) -> str:
    """The `i2cnn evaluate` command that does all of a run, and so what is left of it.

    Parameters
    ----------
    settings : Settings
    run : Path
    public : bool
        Leave out folders on somebody's disk: PATH stands for those of the data.
    """
    words = ["i2cnn", "evaluate"]
    if settings.root is not None or settings.dataset != SYNTHETIC:
        words.append("PATH" if public or settings.root is None else settings.root)
    for name, value in _options(settings, public).items():
        words += [f"--{name}", value]
    return shlex.join([*words, "--out", public_path(run) if public else str(run)])


def public_path(run: Path) -> str:
    """A run's folder as it was given, without the folders on somebody's disk that it is in."""
    return run.name if run.is_absolute() else str(run)


def _options(settings: Settings, public: bool) -> dict[str, str]:
    """Options whose values are not those that the command has by itself."""
    others = settings.train_also
    if others not in (None, SYNTHETIC) and public:
        others = "PATH"
    given = {
        "dataset": (settings.dataset, SYNTHETIC),
        "task": (settings.task, "folder" if settings.dataset in OWN_LABELS else "seven"),
        "points": (settings.points, "given"),
        "profile": (settings.profile, "paper"),
        **{
            name.replace("_", "-"): (value, getattr(template_schedule(settings.profile), name))
            for name, value in asdict(settings.schedule).items()
        },
        "folds": (settings.folds, usual_folds(settings.dataset)),
        "k": (settings.patch_counts, PATCH_COUNTS),
        "seeds": (len(settings.seeds), 1),
        "rivals": (settings.rivals, DEFAULT_RIVALS),
        "reference": (settings.reference, "none"),
        "reference-pictures": (settings.reference_pictures, ()),
        "reference-classes": (settings.reference_classes, ()),
        "train-also": (others, None),
        "fuse": (settings.fuse, ()),
        "scheme": (settings.public().scheme if public else settings.scheme, "deepid"),
        "encoding": (settings.encoding, "png"),
        "precision": (settings.precision, "float32"),
    }
    return {name: _text(value) for name, (value, usual) in given.items() if value != usual}


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value)) or "none"
    return str(value)
