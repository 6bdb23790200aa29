"""Tuning the SVM: one Gram matrix beside scikit-learn on the wide matrix.

Features are made up, of fc7's kind (not negative, mostly zero, with the structure of classes and
subjects), and lie in a memory-mapped .npy, as those of a run. Every route has the same grid and the
same inner folds, in a process of its own. The wide routes take hours over the whole grid: of their
fits only some are measured, spread over the grid, and the mean is scaled to all of them; the table
says how many. The Gram route is measured in full, Gram matrix included. At each measured fit both
routes name the faces of the held-out inner fold: linear predictions must be equal.

    python benchmarks/svm.py [--json FILE] [--faces N] [--dim D] [--rival-points N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.svm import SVC, LinearSVC

from i2cnn.svm.fitted_faces import INNER_FOLDS, people_apart
from i2cnn.svm.gram import linear_gram
from i2cnn.svm.gram_svc import C_GRID, GAMMA_GRID, GramSVC

PATCHES = 60
#: Share of each class among the faces of CK+ (three peak frames a sequence, one neutral).
CLASS_SHARES = np.array([309, 135, 177, 75, 207, 84, 249]) / 1236
FACES_OF_A_SUBJECT = 12
LATENT = 64
WIDE = {"linear": "SVC(linear)", "LinearSVC": "LinearSVC", "rbf": "SVC(rbf)"}


def make_features(folder: Path, faces: int, dim: int) -> None:
    """Write features.npy (faces, 60, dim / 60), labels.npy and subjects.npy."""
    rng = np.random.default_rng(0)
    ends = np.round(np.cumsum(CLASS_SHARES) * faces).astype(int)
    labels = rng.permutation(np.searchsorted(ends, np.arange(faces), side="right"))
    subjects = rng.integers(0, max(INNER_FOLDS, faces // FACES_OF_A_SUBJECT), faces)
    latent = rng.standard_normal((faces, LATENT), np.float32)
    latent += 0.5 * rng.standard_normal((len(CLASS_SHARES), LATENT), np.float32)[labels]
    latent += rng.standard_normal((subjects.max() + 1, LATENT), np.float32)[subjects]
    out = np.lib.format.open_memmap(
        folder / "features.npy", "w+", np.float32, (faces, PATCHES, dim // PATCHES)
    )
    for p in range(PATCHES):
        seen = latent @ rng.standard_normal((LATENT, out.shape[2]), np.float32) / LATENT**0.5
        noise = rng.standard_normal(seen.shape, np.float32)
        out[:, p] = np.maximum(seen + noise - 1.5, 0)
    np.save(folder / "labels.npy", labels)
    np.save(folder / "subjects.npy", subjects)


class Clock:
    """Wall and processor seconds since it was made; other work on the machine spoils only one."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> np.ndarray:
        """(wall, processor), seconds."""
        return np.array([time.perf_counter(), time.process_time()]) - self._start


class Memory:
    """Peak memory of this process in MB above what it had at the start.

    `resident` counts the pages of mapped files, which the system may take back at any time;
    `anonymous` (sampled) does not.
    """

    def __enter__(self) -> Memory:
        self._stop = threading.Event()
        # Not getrusage: its maximum begins with that of the process that started this one.
        Path("/proc/self/clear_refs").write_text("5")
        self._resident = _status("VmRSS")
        self._anonymous = self._highest = _status("RssAnon")
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self.resident = (_status("VmHWM") - self._resident) * 1024 / 1e6
        self.anonymous = (self._highest - self._anonymous) * 1024 / 1e6

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self._highest = max(self._highest, _status("RssAnon"))


def _status(field: str) -> int:
    """kB of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


class Problem:
    """Features, labels and inner folds in a folder."""

    def __init__(self, folder: Path) -> None:
        self.features = np.load(folder / "features.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy")
        self.subjects = np.load(folder / "subjects.npy")
        self.splits = people_apart(self.subjects)


def points(kind: str, count: int) -> list[tuple[float, float, int]]:
    """(gamma, C, fold) of the measured fits, evenly spread over the grid; 0 means all."""
    gammas = GAMMA_GRID if kind == "rbf" else (0.0,)
    grid = list(itertools.product(gammas, C_GRID, range(INNER_FOLDS)))
    count = min(count, len(grid)) or len(grid)
    return [grid[int((i + 0.5) * len(grid) / count)] for i in range(count)]


def run_gram(folder: Path, count: int) -> dict[str, Any]:
    """Gram matrix and both grids in full, then the predictions at the measured fits."""
    problem = Problem(folder)
    result: dict[str, Any] = {}
    with Memory() as memory:
        clock = Clock()
        gram = linear_gram(problem.features)
        result["gram_seconds"] = clock.read().tolist()
        for kernel in ("linear", "rbf"):
            clock = Clock()
            model = GramSVC((kernel,)).fit_gram(gram, problem.labels, problem.subjects)
            result[kernel] = {
                "seconds": clock.read().tolist(),
                "C": model.choice_.C,
                "gamma": model.choice_.gamma,
                "inner_accuracy": model.choice_.accuracy,
            }
    for kind in ("linear", "rbf"):
        answers = []
        for gamma, c, fold in points(kind, count):
            train, test = problem.splits[fold]
            kernel_matrix = model._kernel(gram, model.diagonal_, gamma)
            svc = SVC(kernel="precomputed", C=c)
            svc.fit(kernel_matrix[np.ix_(train, train)], problem.labels[train])
            tested = kernel_matrix[np.ix_(test, train)]
            answers.append((svc.predict(tested).tolist(), svc.decision_function(tested).tolist()))
        result[kind]["answers"] = answers
    result |= {"scale": model.scale_, "distance": model.distance_}
    return result | {"resident": memory.resident, "anonymous": memory.anonymous}


def run_wide(folder: Path, kind: str, count: int, scale: float, distance: float) -> dict[str, Any]:
    """The measured fits of one rival, C and gamma in its own units."""
    problem = Problem(folder)
    wide = problem.features.reshape(len(problem.labels), -1)
    seconds, answers = [], []
    with Memory() as memory:
        for gamma, c, fold in points(kind, count):
            train, test = problem.splits[fold]
            if kind == "rbf":
                svc = SVC(kernel="rbf", C=c, gamma=gamma / distance)
            else:
                svc = (
                    SVC(kernel="linear", C=c / scale)
                    if kind == "linear"
                    else LinearSVC(C=c / scale)
                )
            clock = Clock()
            predicted = svc.fit(wide[train], problem.labels[train]).predict(wide[test])
            seconds.append(clock.read().tolist())
            decisions = svc.decision_function(wide[test]).tolist() if kind != "LinearSVC" else []
            answers.append((predicted.tolist(), decisions))
    return {
        "seconds": seconds,
        "answers": answers,
        "resident": memory.resident,
        "anonymous": memory.anonymous,
    }


def worker(*arguments: object) -> dict[str, Any]:
    """What `--worker` prints, from a process of its own."""
    command = [sys.executable, __file__, "--worker", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def compare(kind: str, ours: dict[str, Any], rival: dict[str, Any]) -> dict[str, Any]:
    """One row of the table."""
    kernel = "rbf" if kind == "rbf" else "linear"
    fits = len(points(kernel, 0))
    our_wall, our_cpu = np.add(ours["gram_seconds"], ours[kernel]["seconds"]).tolist()
    # All fits of the tuning and the last one on all faces, as ours.
    wall, cpu = (np.mean(rival["seconds"], axis=0) * (fits + 1)).tolist()
    row = {
        "rival": WIDE[kind],
        "fits": fits + 1,
        "measured": len(rival["seconds"]),
        "rival_seconds": wall,
        "rival_cpu_seconds": cpu,
        "rival_seconds_each": rival["seconds"],
        "seconds": our_wall,
        "cpu_seconds": our_cpu,
        "time_ratio": wall / our_wall,
        "cpu_ratio": cpu / our_cpu,
        "resident_mb": ours["resident"],
        "rival_resident_mb": rival["resident"],
        "anonymous_mb": ours["anonymous"],
        "rival_anonymous_mb": rival["anonymous"],
        "memory_ratio": rival["anonymous"] / ours["anonymous"],
    }
    if kind == "LinearSVC":
        # One against the rest, squared hinge: another model.
        return row
    same = total = 0
    difference = 0.0
    for (mine, my_values), (theirs, values) in zip(
        ours[kind]["answers"], rival["answers"], strict=True
    ):
        same += sum(a == b for a, b in zip(mine, theirs, strict=True))
        total += len(mine)
        difference = max(difference, float(np.abs(np.subtract(my_values, values)).max()))
    if kind == "linear" and same < total:
        raise SystemExit(f"linear: only {same} of {total} predictions are equal")
    return row | {"same": same, "compared": total, "largest_decision_difference": difference}


def line(row: dict[str, Any]) -> str:
    """One line of the table."""
    same = f"{row['same']} of {row['compared']}" if "same" in row else "another model"
    return (
        f"| {row['rival']} | {row['measured']} of {row['fits']} "
        f"| {row['rival_seconds']:.0f} / {row['rival_cpu_seconds']:.0f} "
        f"| {row['seconds']:.1f} / {row['cpu_seconds']:.1f} "
        f"| {row['time_ratio']:.0f} / {row['cpu_ratio']:.0f} "
        f"| {row['rival_resident_mb']:.0f} / {row['rival_anonymous_mb']:.0f} "
        f"| {row['resident_mb']:.0f} / {row['anonymous_mb']:.0f} | {row['memory_ratio']:.0f} "
        f"| {same} |"
    )


def heading(ours: dict[str, Any], faces: int, dim: int) -> str:
    """What comes before the rows of the table."""
    lines = [
        f"{platform.machine()}, {os.cpu_count()} cores; {faces} faces x {dim} float32 "
        f"({faces * dim * 4 / 1e6:.0f} MB); seconds: wall / processor; MB: resident / anonymous",
        "Gram matrix: {:.1f} / {:.1f} s".format(*ours["gram_seconds"]),
    ]
    for kernel in ("linear", "rbf"):
        found = ours[kernel]
        lines.append(
            "{} grid: {:.1f} / {:.1f} s".format(kernel, *found["seconds"])
            + f"; C {found['C']:g}, gamma {found['gamma']:g}, inner accuracy "
            f"{found['inner_accuracy']:.1%}"
        )
    columns = (
        "rival",
        "fits measured, then scaled to all",
        "rival, s",
        "Gram route in full, s",
        "times faster",
        "rival, peak MB",
        "Gram route, peak MB",
        "times less anonymous memory",
        "same predictions",
    )
    return "\n".join([*lines, "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--faces", type=int, default=1236, help="default: 1236")
    parser.add_argument("--dim", type=int, default=245760, help="multiple of 60; default: 245760")
    parser.add_argument(
        "--rival-points", type=int, default=1, help="measured fits a rival, 0 for all (default: 1)"
    )
    parser.add_argument(
        "--rivals", nargs="*", choices=tuple(WIDE), default=list(WIDE), help="default: all"
    )
    parser.add_argument("--folder", type=Path, help="where features go (default: temporary)")
    parser.add_argument("--worker", nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        kind, folder, count, *units = options.worker
        if kind == "gram":
            print(json.dumps(run_gram(Path(folder), int(count))))
        else:
            print(json.dumps(run_wide(Path(folder), kind, int(count), *map(float, units))))
        return
    if options.dim % PATCHES:
        parser.error(f"--dim must be a multiple of {PATCHES}")
    count = options.rival_points
    rows = []
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        make_features(Path(name), options.faces, options.dim)
        ours = worker("gram", name, count)
        print(heading(ours, options.faces, options.dim), flush=True)
        for kind in options.rivals:
            rival = worker(kind, name, count, ours["scale"], ours["distance"])
            rows.append(compare(kind, ours, rival))
            print(line(rows[-1]), flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
