"""The parts of gpu.py, each in a process of its own that gpu.py starts."""

from __future__ import annotations

import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from gpu import ROOT, parse
from gpu_measure import Part, paper_setup, use_precision, write_solver
from gpu_networks import measure_ours, measure_rival

from i2cnn.datasets import load_dataset
from i2cnn.evaluation.folds import make_folds
from i2cnn.faces.locate import locate_faces
from i2cnn.network.loop import load_training, train
from i2cnn.network.profiles import (
    ValidationPass,
    fill_train_val,
    template_schedule,
    write_training_files,
)
from i2cnn.network.training_folder import MEAN_FILE, TRAIN_DB, VALIDATION_DB
from i2cnn.patches.lmdb_facts import database_size
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.torchcaffe import pycaffe as caffe

os.environ.setdefault("GLOG_minloglevel", "1")
#: The paper's trainings: three tasks, three values of k, ten folds.
TRAININGS = 90
#: Images of a training that stops once validation no longer rises: 1500 iterations of 128.
EARLY_IMAGES = 1500 * 128


def run_tests(part: Part) -> None:
    """`pytest -m gpu`."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider"]
    tests = ROOT / "tests" / ("torchcaffe/test_gpu.py" if part.options.tiny else "")
    start = time.perf_counter()
    run = subprocess.run(
        [*command, str(tests)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    counts = re.findall(r"(\d+) (passed|failed|error|skipped)", run.stdout)
    part.write(
        work="pytest -m gpu",
        total_s=time.perf_counter() - start,
        counts={kind: int(number) for number, kind in counts},
        failure="" if run.returncode in (0, 5) else run.stdout[-3000:],
    )


def measure_device(part: Part) -> None:
    """Name of the device, speed of one large product in each precision."""
    options, cuda = part.options, part.cuda
    name = torch.cuda.get_device_name() if cuda else "CPU"
    part.write(work="device", name=name, torch=torch.__version__)
    size = 256 if options.tiny else 8192
    for precision in options.precisions:
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        a, b = (torch.randn(size, size, device=part.device, dtype=kind) for _ in range(2))

        def multiply(number: int, a: torch.Tensor = a, b: torch.Tensor = b) -> None:
            for _ in range(number):
                a @ b

        part.seconds(multiply, 3)
        one = statistics.median(part.seconds(multiply, 5) for _ in range(3))
        part.write(precision=precision, work="product", size=size, tflops=2 * size**3 / one / 1e12)


def write_patches(part: Part) -> None:
    """Databases of the embedded faces' patches, training and validation, and their mean."""
    options = part.options
    folder = options.work / "patches"
    if folder.exists():
        return
    start = time.perf_counter()
    dataset = load_dataset("synthetic", None, "seven")
    faces = locate_faces(dataset).faces
    fold = make_folds([f.subject for f in faces], [f.label for f in faces], 10, 0).folds[0]
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    patches = PatchSet.of(DEEPID, 1 if options.tiny else None)
    for name, subjects in ((TRAIN_DB, fold.training), (VALIDATION_DB, fold.validation)):
        chosen = [face for face in faces if face.subject in subjects]
        chosen = chosen[:8] if options.tiny else chosen
        write_database(
            chosen,
            [dataset.task.index(face.label) for face in chosen],
            dataset.root,
            partial / name,
            DatabaseOptions(patches, "png", classes=dataset.task.labels),
            mean_file=partial / MEAN_FILE if name == TRAIN_DB else None,
        )
    partial.rename(folder)
    records = database_size(folder / TRAIN_DB)
    part.write(work="patches", records=records, total_s=time.perf_counter() - start)


def train_paper(part: Part) -> None:
    """The paper's profile on the embedded faces for a given time, and the hours of 90 trainings."""
    options = part.options
    use_precision(part)
    setup = paper_setup(options)
    setup = replace(
        setup, schedule=replace(setup.schedule, validate_every=2 if options.tiny else 200)
    )
    validation = ValidationPass.covering(database_size(Path(setup.databases[1])))
    times: list[tuple[int, float]] = []

    # Ctrl-C ends a training after its iteration, with its state saved.
    timer = threading.Timer(options.paper_seconds, os.kill, (os.getpid(), signal.SIGINT))

    def keep(done: int, total: int, note: str = "") -> None:
        if not times:
            timer.start()
        times.append((done, time.perf_counter()))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_training_files(folder, setup, validation, gpu=part.cuda)
        start = time.perf_counter()
        try:
            train(caffe, folder, setup.schedule, validation.batches, keep, gpu=part.cuda)
        except KeyboardInterrupt:
            pass
        finally:
            timer.cancel()
        curve = load_training(folder).curve
    part.write(
        work="paper",
        iterations=times[-1][0],
        start_s=times[0][1] - start,
        curve=[[p.iteration, p.train_loss, p.accuracy, p.loss] for p in curve],
        **paper_hours(times, setup.schedule.validate_every, options.batch),
    )


def paper_hours(times: list[tuple[int, float]], every: int, batch: int) -> dict[str, float]:
    """Speed of a training, and from it the hours of all of the paper's.

    Parameters
    ----------
    times : list of (int, float)
        Iterations done, and when, seconds.
    every : int
        Iterations from one validation to the next.
    batch : int
        Images of an iteration.
    """
    if len(times) < 3:
        return {}
    done, when = np.transpose(times)
    steps, seconds = np.diff(done), np.diff(when)
    validating = done[:-1] % every == 0
    # The first epoch decodes what later ones find in memory.
    later = np.arange(len(steps)) >= len(steps) // 2
    plain = later & ~validating
    if not plain.any():
        return {}
    one = float(seconds[plain].sum() / steps[plain].sum())
    extra = seconds[validating] - steps[validating] * one
    validation = float(extra.mean()) if validating.any() else 0.0
    schedule = template_schedule("paper")
    most = schedule.max_iter * one + schedule.max_iter / schedule.validate_every * validation
    early = EARLY_IMAGES / batch * one + validation
    return {
        "iterations_per_s": 1 / one,
        "validation_s": validation,
        "hours_early": TRAININGS * early / 3600,
        "hours_cap": TRAININGS * most / 3600,
    }


def train_by_command(part: Part) -> None:
    """`caffe train` from the LMDB, alone and as a group of one process under torchrun (NCCL)."""
    options = part.options
    ways = {
        "caffe train": ["-m", "i2cnn.torchcaffe"],
        "caffe train, torchrun": [
            *("-m", "torch.distributed.run", "--nproc-per-node", "1", "--master-port", "29533"),
            *("-m", "i2cnn.torchcaffe"),
        ],
    }
    environment = {**os.environ, "GLOG_minloglevel": "0"}
    paths = [str(ROOT), environment.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        net = fill_train_val(paper_setup(options), options.batch)
        number, display = (3, 1) if options.tiny else (401, 50)
        solver = write_solver(options, folder, net, number, display)
        flags = ["train", "-solver", str(solver), "-precision", options.precision]
        for way, program in ways.items():
            start = time.perf_counter()
            command = [sys.executable, *program, *flags, *(("-gpu", "0") if part.cuda else ())]
            run = subprocess.run(
                command, env=environment, capture_output=True, text=True, check=False
            )
            speeds = [
                float(x) for x in re.findall(r"Iteration \d+ \(([\d.e+-]+) iter/s", run.stderr)
            ]
            part.write(
                work=way,
                total_s=time.perf_counter() - start,
                iterations_per_s=speeds[-1] if speeds else None,
                images_per_s=options.batch * speeds[-1] if speeds else None,
                failure="" if run.returncode == 0 else run.stderr[-2000:],
            )


PARTS: dict[str, Callable[[Part], None]] = {
    "patches": write_patches,
    "tests": run_tests,
    "device": measure_device,
    "ours": measure_ours,
    "eager": measure_rival,
    "compiled": measure_rival,
    "paper": train_paper,
    "command": train_by_command,
}


def main() -> None:
    """Run the part that gpu.py names."""
    options = parse()
    PARTS[options.part](Part(options.part, options))


if __name__ == "__main__":
    main()
