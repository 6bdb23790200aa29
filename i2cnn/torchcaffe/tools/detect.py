"""detect: scores of windows of images by a net, into a .csv or .h5 file."""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from i2cnn.torchcaffe.errors import CaffeError, reading
from i2cnn.torchcaffe.pycaffe import Detector
from i2cnn.torchcaffe.tools import preprocessing
from i2cnn.util.arrays import AnyArray
from i2cnn.util.files import atomic_path
from i2cnn.util.text import show

COORDINATES = ["ymin", "xmin", "ymax", "xmax"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("i2cnn caffe detect", description=__doc__)
    parser.add_argument(
        "input_file",
        help="List of image files (.txt), or a table (.csv) with the columns filename, xmin, ymin, "
        "xmax, ymax.",
    )
    parser.add_argument("output_file", help="Output .csv or .h5 file.")
    preprocessing.add_flags(parser)
    parser.add_argument(
        "--crop_mode",
        default="selective_search",
        choices=["list", "selective_search"],
        help="Where the windows come from: the table, or Selective Search (needs MATLAB; default).",
    )
    parser.add_argument(
        "--context_pad",
        type=int,
        default=16,
        help="Width of the surrounding context in the input window (default: 16).",
    )
    return parser


def main(words: Sequence[str]) -> int:
    """Entry point; returns the exit status."""
    options = _parser().parse_args(words)
    given = preprocessing.settings(options)
    if given["mean"] is not None and given["mean"].ndim == 3:
        given["mean"] = given["mean"].mean((1, 2))
    preprocessing.use_device(options.gpu)
    detector = Detector(
        options.model_def, options.pretrained_model, context_pad=options.context_pad, **given
    )
    start = time.monotonic()
    show("Loading input...")
    if options.crop_mode == "list":
        found = detector.detect_windows(_read_windows(options.input_file).items())
    else:
        found = detector.detect_selective_search(_read_names(options.input_file))
    show(f"Processed {len(found)} windows in {time.monotonic() - start:.3f} s.")
    _write(Path(options.output_file), found)
    show(f"Saved to {options.output_file}.")
    return 0


def _text(path: str) -> str:
    with reading(path):
        return Path(path).read_text(encoding="utf-8", errors="surrogateescape")


def _read_names(path: str) -> list[str]:
    return [line.strip() for line in _text(path).splitlines() if line.strip()]


def _read_windows(path: str) -> dict[str, list[AnyArray]]:
    """Windows (ymin, xmin, ymax, xmax) by file, in the order of the files' first rows."""
    windows: dict[str, list[AnyArray]] = {}
    for number, row in enumerate(csv.DictReader(_text(path).splitlines()), 2):
        try:
            window = np.array([int(float(row[name])) for name in COORDINATES])
            windows.setdefault(row["filename"], []).append(window)
        except (KeyError, TypeError, ValueError):
            raise CaffeError(
                f"{path}:{number}: a row has filename and numbers for {', '.join(COORDINATES)}"
            ) from None
    return windows


def _write(path: Path, found: Sequence[dict[str, Any]]) -> None:
    if not found:
        raise CaffeError("there is no window to be scored")
    if path.suffix.lower() == ".csv":
        classes = [f"class{i}" for i in range(found[0]["prediction"].size)]
        with (
            atomic_path(path) as temporary,
            open(temporary, "w", newline="", encoding="utf-8", errors="surrogateescape") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(["filename", *COORDINATES, *classes])
            for entry in found:
                scores = [f"{score:.9g}" for score in entry["prediction"].ravel()]
                writer.writerow([entry["filename"], *map(int, entry["window"]), *scores])
        return
    try:
        import pandas as pd
    except ImportError:
        raise CaffeError(f"{path}: .h5 needs pandas and tables; give a .csv file") from None
    table = pd.DataFrame(list(found)).set_index("filename")
    table[COORDINATES] = np.vstack([entry["window"] for entry in found])
    table.drop(columns="window").to_hdf(path, key="df", mode="w")
