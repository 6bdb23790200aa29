"""Time and memory of each step for 1 000, 10 000 and 100 000 faces, and where the method changes.

Faces, patches and features cost the same for each face: their costs are measured on a few of the
embedded faces, with the paper's net, and multiplied. Gram matrices are measured on one of 60
patches of 4096 numbers, and multiplied. SVMs, whose cost does not depend on the numbers per face,
are tuned on made-up features as in svm.py: one inner fold is measured with every C, and multiplied
by the folds. What is larger than --largest follows from the two largest measured sizes, or, where
a law is known, from it: these rows say "extrapolated". Each measurement has a process of its own.

Exact and projected SVMs are fitted on the same faces, and name the same 1000 others.

    python benchmarks/growth.py [--largest N] [--svm-largest N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from cost import measure
from sklearn.svm import SVC
from svm import make_features

from i2cnn.cli.evaluate import make_settings
from i2cnn.cli.parser import build_parser
from i2cnn.datasets import load_dataset
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.speed import measure as measure_speed
from i2cnn.faces.locate import locate_faces
from i2cnn.svm import gram_svc, projected
from i2cnn.svm.fitted_faces import INNER_FOLDS, FittedFaces, people_apart
from i2cnn.svm.gram import FoldGram, linear_gram, per_patch_gram
from i2cnn.svm.gram_svc import C_GRID
from i2cnn.svm.projected import FoldPoints, PairwiseLinear, ProjectedFold, choose_landmarks

SIZES = (1_000, 10_000, 100_000)
PATCHES, DIM = 60, 4096
#: Faces named by both kinds of SVM, which neither was fitted on.
OTHERS = 1000
_SAMPLE = 10


def per_face(_: int) -> dict[str, float]:
    """Seconds per face of finding it, writing its patches and computing its features."""
    dataset = load_dataset("synthetic", None, "seven")
    samples = dataset.samples[:: len(dataset.samples) // _SAMPLE][:_SAMPLE]
    few = replace(dataset, samples=samples)
    locate_faces(replace(few, samples=samples[:1]), use_given_points=False)  # loads the models
    start = time.perf_counter()
    faces = locate_faces(few, use_given_points=False).faces
    found = {"faces": (time.perf_counter() - start) / len(faces)}
    words = ["evaluate", "--out=none", "--batch-size=2", "--max-iter=2", "--k=60"]
    settings = make_settings(build_parser().parse_args(words))
    speed = measure_speed(settings, Execution(), faces, dataset.root, dataset.task)
    found["patches"] = PATCHES * speed.patch_seconds
    found["patches_disk"] = PATCHES * speed.patch_bytes
    found["features"] = PATCHES * speed.feature_seconds
    found["features_disk"] = 4 * PATCHES * speed.feature_numbers
    return found | {"mb": speed.memory_bytes / 1e6}


def gram(faces: int, is_projected: bool) -> dict[str, float]:
    """The Gram matrix of one patch, times 60: with all faces, or with the landmarks only."""
    with tempfile.TemporaryDirectory() as name:
        features = np.lib.format.open_memmap(
            Path(name) / "features.npy", "w+", np.float32, (faces, 1, DIM)
        )
        rng = np.random.default_rng(0)
        for start in range(0, faces, 1000):
            block = features[start : start + 1000]
            block[:] = np.maximum(rng.standard_normal(block.shape, np.float32) - 1, 0)
        columns = choose_landmarks(np.arange(faces)) if is_projected else None
        cost = measure(lambda: per_patch_gram(features, columns))
    width = faces if columns is None else len(columns)
    return {
        "seconds": PATCHES * cost.seconds,
        "processor": PATCHES * cost.processor,
        "mb": cost.memory,
        "disk": 4.0 * PATCHES * faces * width,
    }


def svm(faces: int, is_projected: bool) -> dict[str, float]:
    """Tuning on one inner fold, times the folds, and the last fit; accuracy on other faces."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_features(folder, faces + OTHERS, 60 * 32)
        features, labels, subjects = (
            np.load(folder / f"{what}.npy") for what in ("features", "labels", "subjects")
        )
    fitted, tested = np.arange(faces), np.arange(faces, faces + OTHERS)
    work = _projected_svm if is_projected else _exact_svm
    row: dict[str, float] = {}
    peak = measure(lambda: row.update(work(features, labels, subjects, fitted, tested)))
    return row | {"mb": peak.memory}


def _exact_svm(features: Any, labels: Any, subjects: Any, fitted: Any, tested: Any) -> Any:
    products = linear_gram(features)
    fold = FoldGram.of(products / np.diag(products)[fitted].mean(), fitted, tested)
    del products
    split, counted, hits = people_apart(subjects[fitted])[0], np.ones(len(fitted), bool), []
    tuning = measure(
        lambda: hits.extend(gram_svc._hits(fold.fitted, labels[fitted], counted, split))
    )
    model, named = SVC(kernel="precomputed", C=C_GRID[int(np.argmax(hits))]), []
    last = measure(
        lambda: named.extend(model.fit(fold.fitted, labels[fitted]).predict(fold.tested))
    )
    return _svm_row(INNER_FOLDS, tuning, last, np.array(named) == labels[tested])


def _projected_svm(features: Any, labels: Any, subjects: Any, fitted: Any, tested: Any) -> Any:
    landmarks = choose_landmarks(fitted)
    wide = features.reshape(len(features), -1)
    products = wide @ wide[landmarks].T
    points: list[FoldPoints] = []
    projecting = measure(lambda: points.append(FoldPoints.of(products, landmarks, fitted, tested)))
    fold = ProjectedFold(points[0], FittedFaces(labels[fitted], subjects[fitted]))
    hits: list[int] = []
    tuning = measure(
        lambda: hits.extend(fold._hits(fold.faces.inner_folds(projected._INNER_FOLDS)[0]))
    )
    model = PairwiseLinear(C_GRID[int(np.argmax(hits))])
    named: list[int] = []
    last = measure(
        lambda: named.extend(model.fit(points[0].fitted, labels[fitted]).predict(points[0].tested))
    )
    row = _svm_row(projected._INNER_FOLDS, tuning, last, np.array(named) == labels[tested])
    row["seconds"] += projecting.seconds
    row["processor"] += projecting.processor
    return row


def _svm_row(folds: int, tuning: Any, last: Any, right: Any) -> dict[str, float]:
    return {
        "seconds": folds * tuning.seconds + last.seconds,
        "processor": folds * tuning.processor + last.processor,
        "accuracy": float(right.mean()),
    }


WORKERS: dict[str, Callable[[int], dict[str, float]]] = {
    "per face": per_face,
    "Gram, exact": partial(gram, is_projected=False),
    "Gram, projected": partial(gram, is_projected=True),
    "SVM, exact": partial(svm, is_projected=False),
    "SVM, projected": partial(svm, is_projected=True),
}
#: Powers of the faces that seconds and memory grow with, from theory: the exact SVM's seconds lie
#: between the square and the cube, so its power is that of the two largest measured sizes.
POWERS: dict[str, tuple[float | None, float]] = {
    "Gram, exact": (2, 2),
    "Gram, projected": (1, 1),
    "SVM, exact": (None, 2),
    "SVM, projected": (1, 1),
}


def worker(name: str, faces: int) -> dict[str, float]:
    """A measurement in a process of its own."""
    command = [sys.executable, __file__, "--worker", name, str(faces)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def table_of(name: str, largest: int) -> list[dict[str, Any]]:
    """Rows of one step, measured up to a size."""
    sizes = sorted({*(size for size in SIZES if size <= largest), largest, max(largest // 3, 500)})
    rows: list[dict[str, Any]] = []
    for n in sizes:
        rows.append({"step": name, "faces": n, "how": "measured", **worker(name, n)})
        print(line(rows[-1]), flush=True)
    small, large = rows[-2:]
    for size in (size for size in SIZES if size > largest):
        ratio, (seconds, memory) = size / large["faces"], POWERS[name]
        if seconds is None:
            growth = large["faces"] / small["faces"]
            seconds = math.log(large["processor"] / small["processor"]) / math.log(growth)
        row = {"step": name, "faces": size, "how": f"extrapolated (power {seconds:.1f})"}
        row |= {what: large[what] * ratio**seconds for what in ("seconds", "processor")}
        row |= {what: large[what] * ratio**memory for what in ("mb", "disk") if what in large}
        rows.append(row)
        print(line(row), flush=True)
    return rows


def rows_per_face() -> list[dict[str, Any]]:
    """Rows of the steps that cost the same for each face."""
    found = worker("per face", 0)
    rows: list[dict[str, Any]] = []
    for step in ("faces", "patches", "features"):
        for size in SIZES:
            row: dict[str, Any] = {
                "step": step,
                "faces": size,
                "how": f"{_SAMPLE} measured",
                "mb": found["mb"],
            }
            row |= {"seconds": size * found[step], "disk": size * found.get(f"{step}_disk", 0.0)}
            rows.append(row)
            print(line(row), flush=True)
    return rows


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    disk = f"{row['disk'] / 1e9:.2g}" if row.get("disk") else ""
    right = f"{100 * row['accuracy']:.1f}" if "accuracy" in row else ""
    seconds = f"{row['seconds']:.3g} / {row['processor']:.3g}" if "processor" in row else ""
    seconds = seconds or f"{row['seconds']:.3g}"
    cells = (row["step"], row["faces"], row["how"], seconds, f"{row['mb']:.0f}", disk, right)
    return "| " + " | ".join(map(str, cells)) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--largest", type=int, default=10_000, help="faces of measured Gram matrices"
    )
    parser.add_argument("--svm-largest", type=int, default=10_000, help="faces of measured SVMs")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        name, faces = options.worker
        print(json.dumps(WORKERS[name](int(faces))))
        return
    print(f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| step | faces | how | seconds: wall / processor | peak MB | disk, GB | right, % |")
    print("|---" * 7 + "|")
    rows = rows_per_face()
    for name in POWERS:
        rows += table_of(name, options.largest if "Gram" in name else options.svm_largest)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
