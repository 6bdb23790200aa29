"""A run made small enough to be published: what people read, without networks and databases.

FOLDER/
    run.json, dataset.json, folds.json, faces.csv    as in the run directory
    extras.csv, SCHEME.toml                          where the run has them
    predictions.csv, jobs.json                       see :mod:`i2cnn.report.collection`
    windows.npz                                      sub-windows that boosted LBP selected, by fold
    report/                                          as in the run directory; of faces, only those
                                                     that ship are shown
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.evaluation.extras import EXTRAS_FILE
from i2cnn.evaluation.inputs import FOLDS_FILE
from i2cnn.evaluation.pictures import DATASET_FILE, FACES_FILE
from i2cnn.evaluation.rival_job import WINDOWS_FILE
from i2cnn.evaluation.run import PUBLISHED_JOBS_FILE
from i2cnn.evaluation.settings import SETTINGS_FILE, write_settings
from i2cnn.patches.schemes import SCHEMES
from i2cnn.report.collection import write_collection
from i2cnn.report.confused import confused_faces
from i2cnn.report.make_report import make_report
from i2cnn.report.page import write_files
from i2cnn.report.pictures import draw_pictures
from i2cnn.report.records import FinishedJob
from i2cnn.report.results import read_results
from i2cnn.report.run_report import REPORT_FOLDER, RunReport
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_folder, atomic_path


def publish(run: Path, out: Path) -> RunReport:
    """Write a run's report and copy what people read of it into a new folder.

    The folder can be read by `i2cnn report` as the run itself can; `i2cnn evaluate` cannot
    continue it. Paths of folders on somebody's disk are left out, and pictures of faces that do not
    ship with the package: data sets and photographs are not everybody's to show.

    Parameters
    ----------
    run : Path
        A run directory with at least one finished job.
    out : Path
        The folder to make.

    Raises
    ------
    InputError
        `out` exists, or the run cannot be read or is published already.
    """
    if out.exists():
        raise InputError(f"{out}: exists; choose a new folder")
    if (run / PUBLISHED_JOBS_FILE).exists():
        raise InputError(f"{run}: is published already; copy the folder")
    results = read_results(run)  # once, since the run may go on meanwhile
    report = make_report(results)
    pictures, confused = draw_pictures(report), confused_faces(results, report)
    write_files(report.page.parent, report, pictures, confused)
    embedded = results.settings.dataset == "synthetic" and results.settings.path is None
    with atomic_folder(out) as folder:
        for name in (DATASET_FILE, FACES_FILE, FOLDS_FILE, EXTRAS_FILE):
            if name != EXTRAS_FILE or results.settings.train_also:
                shutil.copy(run / name, folder)
        public = results.settings.public()
        if public.scheme not in SCHEMES:
            shutil.copy(results.settings.scheme, folder / public.scheme)
        write_settings(folder / SETTINGS_FILE, public)
        write_files(folder / REPORT_FOLDER, report, pictures, confused if embedded else ())
        _collect_windows(run, folder, results.jobs)
        write_collection(run, folder, results.jobs)
        read_results(folder)  # raises an error here rather than at the reader's
    return report


def _collect_windows(run: Path, folder: Path, jobs: Sequence[FinishedJob]) -> None:
    windows = {}
    for done in jobs:
        path = run / done.job.folder / WINDOWS_FILE
        if path.exists():
            with np.load(path, allow_pickle=False) as arrays:
                windows[f"fold_{done.job.fold:02d}"] = arrays["windows"]
    if windows:
        with atomic_path(folder / WINDOWS_FILE) as partial:
            np.savez_compressed(partial, **windows)
