"""A rival of the paper's method on one fold: the same faces, the same people apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from i2cnn.evaluation.jobs import Inputs, RivalJob, Steps, finish, save_predictions, working_on
from i2cnn.rivals import RIVALS
from i2cnn.rivals.fold import describe, predict_fold
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path
from i2cnn.util.progress import progress, say

FEATURES_FOLDER = "rivals"


def features_file(run: Path, rival: str, inputs: Inputs) -> Path:
    """Where a rival's features of all faces lie, for all folds."""
    return run / FEATURES_FOLDER / f"{rival}_{inputs.digest[:12]}.npy"


def write_rival_features(run: Path, rival: str, inputs: Inputs) -> None:
    """Describe all faces once for all folds."""
    path = features_file(run, rival, inputs)
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with progress(f"{RIVALS[rival].title} of all faces") as report:
        features = describe(rival, inputs.faces, inputs.root, report)
    with atomic_path(path) as partial:
        np.save(partial, features)


def run_rival_job(run: Path, job: RivalJob, inputs: Inputs) -> None:
    """Fit the rival's SVMs and write their predictions of the test faces."""
    with working_on(run, job, inputs) as folder:
        _fit_and_test(run, folder, job, inputs)


def _fit_and_test(run: Path, folder: Path, job: RivalJob, inputs: Inputs) -> None:
    steps = Steps(folder)
    fitted, tested = inputs.sides(job)
    path = features_file(run, job.rival, inputs)
    try:
        features = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: damaged ({error}); delete it and repeat the command") from None
    methods = {}
    for kernel in RIVALS[job.rival].kernels:
        with steps(kernel):
            result = predict_fold(
                job.rival, features, inputs.labels, inputs.subjects, fitted, tested, kernel
            )
        accuracy = save_predictions(folder, kernel, job, inputs, tested, result.predicted)
        methods[kernel] = {"accuracy": accuracy, **result.choice}
    finish(folder, job, inputs, methods, steps)
    say(f"{job.title}: " + ", ".join(f"{m} {v['accuracy']:.1%}" for m, v in methods.items()))
