"""The jobs of a published run: two files instead of a folder per job.

jobs.json
    Content of every job.json, one job per line.
predictions.csv
    One row per tested face and one column per method and seed, such as `k60_seed0/trained` or
    `rival_lbp/rbf`: the folder and the method of the job that made it.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from i2cnn.evaluation.inputs import Inputs
from i2cnn.evaluation.jobs import Job
from i2cnn.evaluation.methods import Method
from i2cnn.evaluation.predictions import Prediction, predictions_csv
from i2cnn.evaluation.run import PUBLISHED_JOBS_FILE, jobs_of
from i2cnn.report.records import FinishedJob, finished_job, parse_job
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, write_text
from i2cnn.util.tables import csv_text

PREDICTIONS_FILE = "predictions.csv"
_FACE_COLUMNS = ("fold", "image", "subject", "truth")
#: What job.json of earlier versions held and no reader needs: sub-windows of boosted LBP.
_BULK = "windows"


def column_of(job: Job, method: str) -> str:
    """Name of a method's column; a job's folder without its fold is the same in every fold."""
    return f"{job.folder.split('/')[1]}/{method}"


def write_collection(run: Path, folder: Path, jobs: Sequence[FinishedJob]) -> None:
    """Write jobs.json and predictions.csv of a run's finished jobs.

    Parameters
    ----------
    run : Path
        The run directory, which has a job.json per job.
    folder : Path
        Where the two files go.
    jobs : sequence of FinishedJob
        All of the run's.
    """
    write_text(folder / PREDICTIONS_FILE, _predictions_table(jobs))
    lines = []
    for done in jobs:
        content = done.job.result(run)
        for method in content["methods"].values():
            method.pop(_BULK, None)
        lines.append(f" {json.dumps(done.job.folder)}: {json.dumps(content)}")
    write_text(folder / PUBLISHED_JOBS_FILE, "{\n" + ",\n".join(lines) + "\n}\n")


def _predictions_table(jobs: Sequence[FinishedJob]) -> str:
    faces: dict[int, list[tuple[str, str, str]]] = {}
    columns: dict[str, dict[int, list[str]]] = {}
    for done in jobs:
        fold = done.job.fold
        for method, rows in done.predictions.items():
            tested = [(p.image, p.subject, p.truth) for p in rows]
            if faces.setdefault(fold, tested) != tested:
                raise InputError(
                    f"{done.job.folder}: tested other faces than other jobs of its fold"
                )
            column = columns.setdefault(column_of(done.job, method.name), {})
            column[fold] = [p.predicted for p in rows]
    table: list[list[object]] = [[*_FACE_COLUMNS, *columns]]
    for fold in sorted(faces):
        for i, face in enumerate(faces[fold]):
            named = [column[fold][i] if fold in column else "" for column in columns.values()]
            table.append([fold, *face, *named])
    return csv_text(table)


def read_collection(run: Path, inputs: Inputs) -> list[FinishedJob]:
    """Read the jobs of a published run.

    Raises
    ------
    InputError
        A file is damaged, was edited, or was made from other faces, folds or settings.
    """
    table = _read_table(run / PREDICTIONS_FILE)
    path = run / PUBLISHED_JOBS_FILE
    contents = read_json(path)
    if not isinstance(contents, dict):
        raise InputError(f"{path}: damaged; restore the published file")
    jobs = [job for job in jobs_of(inputs.settings) if job.folder in contents]
    if not jobs:
        raise InputError(f"{path}: no finished job of this run; restore the published file")
    return [_read_job(run, job, contents[job.folder], table, inputs) for job in jobs]


def _read_job(
    run: Path, job: Job, content: Any, table: Sequence[dict[str, str]], inputs: Inputs
) -> FinishedJob:
    source = f"{run / PUBLISHED_JOBS_FILE}, {job.folder}"
    record = parse_job(content, source)
    if record.inputs != inputs.digest:
        raise InputError(
            f"{source}: made from other faces, folds or settings than those in {run}; undo the edit"
        )

    def read(method: Method) -> list[Prediction]:
        column = column_of(job, method.name)
        rows = [
            Prediction(job.fold, row["image"], row["subject"], row["truth"], row[column])
            for row in table
            if row["fold"] == str(job.fold) and row.get(column)
        ]
        if sha256(predictions_csv(rows).encode()).hexdigest() != record.digests.get(method.name):
            raise InputError(
                f"{run / PREDICTIONS_FILE}: column {column} was edited or removed in fold "
                f"{job.fold} (its digest does not match); undo that"
            )
        return rows

    return finished_job(job, record, inputs, source, read)


def _read_table(path: Path) -> list[dict[str, str]]:
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read ({error}); restore the published file") from None
    if any(row.get(name) is None for row in rows for name in _FACE_COLUMNS):
        raise InputError(f"{path}: lacks one of the columns {', '.join(_FACE_COLUMNS)}")
    return rows
