"""Runs on some people of the embedded set: their data, their command lines, their folders."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from i2cnn.cli.evaluate import make_settings
from i2cnn.cli.parser import build_parser
from i2cnn.datasets import embedded_root
from i2cnn.evaluation.settings import Settings

#: The one job of the shared finished run.
JOB = "fold_01/k5_seed0"


def small_set(root: Path, subjects: int = 4, takes: int = 1) -> Path:
    """Some subjects of the embedded set as a data set of its own."""
    root.mkdir(parents=True)
    with open(embedded_root() / "landmarks.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [
        r
        for r in rows
        if int(r["subject"][1:]) <= subjects and int(r["file"].split(".")[1][2]) <= takes
    ]
    with open(root / "landmarks.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(kept)
    for row in kept:
        shutil.copy(embedded_root() / row["file"], root)
    return root


def arguments(data: Path, out: Path, k: str = "5", iterations: int = 6) -> list[str]:
    """Command line of a small evaluation of one fold."""
    return [
        "evaluate",
        str(data),
        f"--out={out}",
        "--profile=quick",
        f"--max-iter={iterations}",
        "--validate-every=3",
        "--batch-size=8",
        "--folds=4",
        "--only-folds=1",
        f"--k={k}",
        "--rivals=none",
        "--device=cpu",
    ]


def settings_of(words: list[str]) -> Settings:
    """Settings that a command line of :func:`arguments` asks for."""
    return make_settings(build_parser().parse_args(words))


def data_of(run: Path) -> Path:
    """Folder of a run's data set."""
    return Path(json.loads((run / "run.json").read_text())["settings"]["root"])


def copy_of(run: Path, folder: Path) -> Path:
    """A run, or a folder of it, to change."""
    return Path(shutil.copytree(run, folder))
