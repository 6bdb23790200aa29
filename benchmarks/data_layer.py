"""Does the Data layer keep the network waiting? Training from LMDBs beside training from memory.

    python benchmarks/data_layer.py [--batch 64] [--rounds 3] [--iterations 4] [--json FILE]

The paper's AlexNet trains on made-up data (DummyData) and on databases of real patches, PNG and
raw, with crops, mirrors and the mean image. Sources alternate, round by round; figures are medians.
`waits` is the share of the time that the solver spends in its Data layer.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from training import CLASSES, setup_of, write_solver

from i2cnn.datasets import load_dataset
from i2cnn.faces.locate import locate_faces
from i2cnn.network.profiles import TrainingSetup, fill_train_val, template_schedule
from i2cnn.network.training_folder import MEAN_FILE, VALIDATION_DB
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.torchcaffe.formats.prototext import write_prototxt

os.environ.setdefault("GLOG_minloglevel", "1")
MEMORY = "memory"


def databases(folder: Path, faces: int) -> None:
    """LMDBs of all patches of some embedded faces, png and raw, and their mean."""
    dataset = load_dataset("synthetic", None)
    dataset.samples = dataset.samples[:faces]
    found = locate_faces(dataset).faces
    for encoding in ("png", "raw"):
        write_database(
            found,
            [i % CLASSES for i in range(len(found))],
            dataset.root,
            folder / encoding,
            DatabaseOptions(encoding=encoding),
            mean_file=folder / "mean.binaryproto",
        )


def make_solver(source: str, batch: int, folder: Path) -> Any:
    """Solver of the paper's network on `source`."""
    from i2cnn.torchcaffe import pycaffe as caffe

    path = write_solver(setup_of("paper", batch, 10**6), folder)
    if source != MEMORY:
        setup = TrainingSetup(
            "paper",
            CLASSES,
            replace(template_schedule("paper"), batch_size=batch),
            databases=(str(folder / source), VALIDATION_DB),
            mean_file=str(folder / MEAN_FILE),
        )
        net = fill_train_val(setup, batch, encoded=source == "png")
        write_prototxt(folder / "train_val.prototxt", net)
    return caffe.get_solver(path)


def run(solver: Any, iterations: int) -> tuple[float, float]:
    """(seconds, seconds of these in the Data layer) of some iterations."""
    waited = 0.0
    layer = solver._core.net.nodes[0].layer
    compute = layer.compute

    def timed(bottoms: Any) -> Any:
        nonlocal waited
        start = time.perf_counter()
        try:
            return compute(bottoms)
        finally:
            waited += time.perf_counter() - start

    layer.compute = timed
    start = time.perf_counter()
    solver.step(iterations)
    total = time.perf_counter() - start
    layer.compute = compute
    return total, waited


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--faces", type=int, default=20)
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    figures: dict[str, list[tuple[float, float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        databases(folder, options.faces)
        solvers = {s: make_solver(s, options.batch, folder) for s in (MEMORY, "png", "raw")}
        for solver in solvers.values():
            solver.step(1)  # warm-up
        for _ in range(options.rounds):
            for source, solver in solvers.items():
                figures.setdefault(source, []).append(run(solver, options.iterations))
        for solver in solvers.values():
            solver._core.close()
    images = options.batch * options.iterations
    speeds = {s: statistics.median(images / t for t, _ in v) for s, v in figures.items()}
    table = Table(title=f"AlexNet, batch {options.batch}, {torch.get_num_threads()} threads")
    for column in ("data from", "train img/s", "of memory's", "waits"):
        table.add_column(column, justify="right" if column != "data from" else "left")
    for source, values in figures.items():
        waits = statistics.median(w / t for t, w in values)
        ratio = speeds[source] / speeds[MEMORY]
        table.add_row(source, f"{speeds[source]:.1f}", f"{ratio:.3f}", f"{waits:.1%}")
    Console(highlight=False).print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
