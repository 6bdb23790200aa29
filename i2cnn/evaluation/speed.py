"""How fast this machine works on a run: a few faces go the whole way, with the run's own net."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from i2cnn.datasets.labels import Task
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.settings import Settings, run_scheme
from i2cnn.evaluation.steps import peak_memory
from i2cnn.faces.table import Face
from i2cnn.network.engine import start_engine
from i2cnn.network.features import FeatureExtractor
from i2cnn.network.loop import working_directory
from i2cnn.network.profiles import (
    TrainingSetup,
    ValidationPass,
    patch_size,
    write_training_files,
)
from i2cnn.network.training_folder import (
    DEPLOY_FILE,
    MEAN_FILE,
    SNAPSHOT_FOLDER,
    SOLVER_FILE,
    TRAIN_DB,
    UNTRAINED_FILE,
    VALIDATION_DB,
)
from i2cnn.network.transform import Transform
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.schemes import PatchSet
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram_svc import GramSVC
from i2cnn.svm.projected import LANDMARKS, FoldPoints, ProjectedFold
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.images import read_image

_ITERATIONS = 2
_VALIDATION_BATCH = 60
#: The SVM's cost is measured on this many faces at most.
_SVM_FACES = 300


@dataclass(frozen=True)
class Speed:
    """What was measured.

    Parameters
    ----------
    patch_seconds, patch_bytes : float
        Per patch: time to write it into a database, and its size there.
    iteration_seconds : float
        Per iteration of the solver, with the run's batch.
    validation_seconds : float
        Per patch that the test net validates.
    feature_seconds : float
        Per patch: sampling and forward pass.
    feature_numbers : int
        Features of one patch.
    net_bytes, snapshot_bytes : int
        Size of a .caffemodel, and of all that a snapshot writes.
    memory_bytes : int
        Peak of the process.
    """

    patch_seconds: float
    patch_bytes: float
    iteration_seconds: float
    validation_seconds: float
    feature_seconds: float
    feature_numbers: int
    net_bytes: int
    snapshot_bytes: int
    memory_bytes: int


def measure(
    settings: Settings, execution: Execution, faces: Sequence[Face], root: Path, task: Task
) -> Speed:
    """Measure every step on a few faces, with a run's own net and solver.

    Parameters
    ----------
    settings : Settings
    execution : Execution
        Which engine and device to measure.
    faces : sequence of Face
    root : Path
        Folder that the faces' images start from.
    task : Task
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / SNAPSHOT_FOLDER).mkdir()
        patch_seconds, patch_bytes = _measure_patches(folder, settings, faces, root, task)
        write_training_files(
            folder,
            TrainingSetup(settings.profile, len(task), settings.schedule),
            ValidationPass(_VALIDATION_BATCH, 1),
            encoded=settings.encoding != "raw",
            gpu=execution.device != "cpu",
        )
        engine = start_engine(execution.engine, execution.device, settings.precision)
        iteration, validation = _measure_solver(folder, engine)
        feature, numbers = _measure_features(folder, settings, engine, faces[0], root)
        return Speed(
            patch_seconds=patch_seconds,
            patch_bytes=patch_bytes,
            iteration_seconds=iteration,
            validation_seconds=validation,
            feature_seconds=feature,
            feature_numbers=numbers,
            net_bytes=(folder / UNTRAINED_FILE).stat().st_size,
            snapshot_bytes=sum(f.stat().st_size for f in (folder / SNAPSHOT_FOLDER).iterdir()),
            memory_bytes=peak_memory(),
        )


def svm_seconds(faces: int, classes: int, exact: bool) -> float:
    """Seconds of one tuned SVM on that many faces, from random features: an upper bound.

    Parameters
    ----------
    faces, classes : int
    exact : bool
        On a Gram matrix, which grows with the square of the faces; else on projected features,
        which grow with the faces alone.
    """
    number = min(faces, _SVM_FACES)
    generator = np.random.default_rng(0)
    features = generator.standard_normal((number, 200 if exact else LANDMARKS))
    labels = np.arange(number) % classes
    features[np.arange(number), labels] += 2
    groups = np.array([str(i // classes % 10) for i in range(number)])
    start = time.monotonic()
    if exact:
        GramSVC().fit_gram(features @ features.T, labels, groups)
        return (time.monotonic() - start) * (faces / number) ** 2
    rows = np.arange(number)
    points = FoldPoints.of(features @ features.T, rows, rows, rows[:0])
    ProjectedFold(points, FittedFaces(labels, groups)).fit()
    # A run's points have as many coordinates as there are landmarks.
    coordinates = int(points.fitted.shape[1])
    return (time.monotonic() - start) * faces / number * LANDMARKS / coordinates


def _measure_patches(
    folder: Path, settings: Settings, faces: Sequence[Face], root: Path, task: Task
) -> tuple[float, float]:
    """Seconds and bytes per patch; leaves databases and a mean image."""
    options = DatabaseOptions(
        PatchSet.of(run_scheme(settings)), settings.encoding, size=patch_size(settings.profile)
    )
    labels = [task.index(face.label) for face in faces]
    start = time.monotonic()
    info = write_database(
        faces, labels, root, folder / TRAIN_DB, options, mean_file=folder / MEAN_FILE
    )
    seconds = time.monotonic() - start
    shutil.copytree(folder / TRAIN_DB, folder / VALIDATION_DB)
    return seconds / info.records, info.bytes / info.records


def _measure_solver(folder: Path, engine: ModuleType) -> tuple[float, float]:
    """Seconds per iteration and per validation patch; leaves weights and a snapshot."""
    with working_directory(folder):
        solver = engine.get_solver(SOLVER_FILE)

        def step() -> None:
            solver.step(1)
            float(solver.net.blobs["loss"].data)  # on a GPU: wait for it

        def validate() -> None:
            solver.test_nets[0].forward()
            float(solver.test_nets[0].blobs["loss"].data)

        iteration = _seconds(step, _ITERATIONS)
        validation = _seconds(validate, 2) / _VALIDATION_BATCH
        solver.net.save(UNTRAINED_FILE)
        solver.snapshot()
    return iteration, validation


def _measure_features(
    folder: Path, settings: Settings, engine: ModuleType, face: Face, root: Path
) -> tuple[float, int]:
    """Seconds per patch, and the number of its features."""
    net = engine.Net(str(folder / DEPLOY_FILE), TEST, weights=str(folder / UNTRAINED_FILE))
    extractor = FeatureExtractor(net, Transform.from_training_folder(folder))
    every = PatchSet.of(run_scheme(settings))

    def one_face() -> None:
        image = read_image(root / face.image)
        extractor.describe(image, face.points, every)

    return _seconds(one_face, 2) / len(every), extractor.dim


def _seconds(work: Callable[[], None], times: int) -> float:
    """Mean seconds of some work after a first time that does not count."""
    work()
    start = time.monotonic()
    for _ in range(times):
        work()
    return (time.monotonic() - start) / times
