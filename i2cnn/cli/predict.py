"""`i2cnn predict`: expressions of the faces in photographs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from i2cnn.recogniser.draw import annotate
from i2cnn.recogniser.recogniser import FacePrediction, Recogniser
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.images import read_image, write_image


def predict(options: argparse.Namespace) -> int:
    """Print the expressions of the faces in photographs.

    Status 1 if a picture cannot be read or has no face; the others are still answered.
    """
    if options.save:
        _check_names(options.images)
    recogniser = Recogniser(options.model, options.engine, options.device)
    answers: list[dict[str, Any]] = []
    status = 0
    for path in options.images:
        try:
            image, found = _recognise(recogniser, path)
        except InputError as error:
            print(f"i2cnn: error: {error}", file=sys.stderr)
            status = 1
            continue
        if not found:
            status = 1
        if options.save:
            write_image(options.save / _annotated(path), annotate(image, found))
        if options.json:
            answers += _answers(path, found, options.explain)
        else:
            _print_faces(path, found, recogniser.labels, options.explain)
    if options.json:
        print(json.dumps(answers, indent=1))
    return status


def _recognise(recogniser: Recogniser, path: Path) -> tuple[UInt8Array, list[FacePrediction]]:
    """A picture and its faces; InputError names the picture."""
    image = read_image(path)
    try:
        return image, recogniser.predict(image)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _answers(path: Path, found: Sequence[FacePrediction], explain: bool) -> list[dict[str, Any]]:
    """An entry of `predict --json` for each face, or one that says there is none."""
    if not found:
        none: dict[str, Any] = {"box": None, "found": None, "label": None, "scores": {}}
        return [{"image": str(path), **none, **({"patches": {}} if explain else {})}]
    return [
        {
            "image": str(path),
            "box": list(p.detection.box),
            "found": p.detection.found,
            "label": p.label,
            "scores": p.scores,
            **({"patches": p.patches} if explain else {}),
        }
        for p in found
    ]


def _print_faces(
    path: Path, found: Sequence[FacePrediction], labels: Sequence[str], explain: bool
) -> None:
    if not found:
        print(f"{path}: no face found")
        return
    console = Console(highlight=False)
    table = Table(title=str(path), caption="Scores are shares of the SVM's votes.")
    table.add_column("face")
    for label in labels:
        table.add_column(label, justify="right")
    for number, p in enumerate(found, 1):
        cells = [
            f"[bold]{v:.2f}[/]" if name == p.label else f"{v:.2f}" for name, v in p.scores.items()
        ]
        table.add_row(f"{number}: {p.label}", *cells)
    console.print(table)
    if explain:
        for number, p in enumerate(found, 1):
            ranked = sorted(p.patches.items(), key=lambda item: -item[1])
            best = ", ".join(f"{name} {value:+.2f}" for name, value in ranked[:5])
            console.print(f"  face {number}, for {p.label}: {best}", markup=False)


def _annotated(path: Path) -> str:
    return f"{path.stem}_expressions.png"


def _check_names(images: Sequence[Path]) -> None:
    """Refuse photographs whose annotated pictures would have one name."""
    names: dict[str, Path] = {}
    for path in images:
        other = names.setdefault(_annotated(path), path)
        if other != path:
            raise InputError(
                f"{other} and {path} would both be saved as {_annotated(path)}; use two commands "
                "with different --save folders"
            )
