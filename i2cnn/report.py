"""The report of a run, computed from its stored predictions: table, metrics.json, report.html."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, PackageLoader, select_autoescape
from rich.console import Console
from rich.table import Table

from i2cnn.doctor import machine, versions
from i2cnn.errors import InputError
from i2cnn.experiment import DATASET_FILE, FACES_FILE, FOLDS_FILE, SETTINGS_FILE, finished_jobs
from i2cnn.faces import read_faces_csv
from i2cnn.files import read_json, write_json, write_text
from i2cnn.folds import Folds, read_folds
from i2cnn.images import as_gray, read_image
from i2cnn.job import NETS, RESULT_FILE, Job, predictions_file
from i2cnn.metrics import Prediction, Scores, chance, read_predictions, score
from i2cnn.paper import published
from i2cnn.plots import confusion_png, curves_png, folds_png
from i2cnn.settings import Settings, read_settings
from i2cnn.training import load_training

REPORT_FOLDER = "report"
_PROFILE_WORDS = {
    "paper": "the paper's AlexNet and solver",
    "quick": "the small quick network, which is not the paper's: a demonstration for CPUs",
}
_MOST_CONFUSED = 12


def method_name(net: str, k: int) -> str:
    """Row title of a net's features with k patches."""
    return f"I2CNN-{k}" if net == "trained" else f"untrained net, {k} patches"


def leak_audit(folds: Folds, predictions: list[Prediction]) -> dict[str, Any]:
    """Proof that nobody was tested by a model that had seen them.

    Raises
    ------
    InputError
        A tested face's subject is on the training or validation side of its fold.
    """
    checked = 0
    for p in predictions:
        fold = folds.folds[p.fold - 1]
        if p.subject not in fold.test or p.subject in (*fold.training, *fold.validation):
            raise InputError(
                f"leak: {p.image} of subject {p.subject} was tested in fold {p.fold}, where that "
                "person trains or validates; the run's files do not belong together"
            )
        checked += 1
    return {
        "predictions_checked": checked,
        "subjects_on_two_sides": 0,
        "folds_digest": folds.digest,
    }


def write_report(run: Path) -> Path:
    """Write `RUN/report` from the jobs that are finished; returns the path of report.html."""
    settings = read_settings(run / SETTINGS_FILE)
    jobs = finished_jobs(run, settings)
    if not jobs:
        raise InputError(f"{run}: no finished fold yet; `i2cnn evaluate` with this --out goes on")
    folds = read_folds(run / FOLDS_FILE)
    dataset = read_json(run / DATASET_FILE)
    labels: list[str] = dataset["task"]["labels"]
    out = run / REPORT_FOLDER
    out.mkdir(exist_ok=True)

    predictions = {
        (net, k): [
            p
            for job in jobs
            if job.k == k
            for p in read_predictions(run / job.folder / predictions_file(net))
        ]
        for k in settings.patch_counts
        for net in NETS
        if any(job.k == k for job in jobs)
    }
    audit = leak_audit(folds, [p for rows in predictions.values() for p in rows])
    scores = {key: score(rows, labels) for key, rows in predictions.items()}
    first = next(iter(predictions.values()))
    floor = chance([p.truth for p in first])
    results = {job.folder: read_json(run / job.folder / RESULT_FILE) for job in jobs}
    metrics = _metrics(settings, dataset, folds, jobs, scores, floor, audit, results)
    write_json(out / "metrics.json", metrics)
    pictures = _pictures(run, jobs, scores, labels, floor)
    for name, data in pictures.items():
        (out / name).write_bytes(data)
    best = max(k for _, k in predictions)
    context = metrics | {
        "settings": asdict(settings),
        "profile_words": _PROFILE_WORDS[settings.profile],
        "images": {name: _data_uri(data) for name, data in pictures.items()},
        "confused": _confused(run, settings, predictions["trained", best]),
        "flat_folds": [r["fold"] for r in results.values() if r["flat"]],
        "jobs_total": len(settings.patch_counts) * len(settings.seeds) * settings.folds,
        "folds": [asdict(f) for f in folds.folds],
    }
    template = _environment().get_template("report.html")
    path = out / "report.html"
    write_text(path, template.render(context))
    return path


def _metrics(
    settings: Settings,
    dataset: dict[str, Any],
    folds: Folds,
    jobs: list[Job],
    scores: dict[tuple[str, int], Scores],
    floor: float,
    audit: dict[str, Any],
    results: dict[str, Any],
) -> dict[str, Any]:
    rows = [
        {
            "method": method_name(net, k),
            "net": net,
            "k": k,
            "mean": s.mean,
            "std": s.std,
            "pooled": s.pooled,
            "interval95": list(s.interval),
            "macro_f1": s.macro_f1,
            "folds": {str(fold): value for fold, value in s.fold_accuracies.items()},
            "confusion": s.confusion.tolist(),
            "faces": int(s.confusion.sum()),
        }
        for (net, k), s in scores.items()
    ]
    return {
        "run_digest": settings.digest,
        "profile": settings.profile,
        "dataset": dataset,
        "labels": dataset["task"]["labels"],
        "folds_done": sorted({job.fold for job in jobs}),
        "folds_digest": folds.digest,
        "methods": rows,
        "chance": floor,
        "paper": [asdict(p) for p in published(settings.dataset, dataset["task"]["name"])],
        "leak_audit": audit,
        "jobs": results,
        "versions": versions(),
        "machine": machine(),
    }


def _pictures(
    run: Path,
    jobs: list[Job],
    scores: dict[tuple[str, int], Scores],
    labels: list[str],
    floor: float,
) -> dict[str, bytes]:
    pictures = {
        f"confusion_{net}_k{k}.png": confusion_png(s.confusion, labels, method_name(net, k))
        for (net, k), s in scores.items()
    }
    curves = {f"fold {job.fold}, k {job.k}": load_training(run / job.folder).curve for job in jobs}
    pictures["learning_curves.png"] = curves_png(curves, len(labels))
    rows = {method_name(net, k): s.fold_accuracies for (net, k), s in scores.items()}
    pictures["folds.png"] = folds_png(rows, floor)
    return pictures


def _confused(run: Path, settings: Settings, predictions: list[Prediction]) -> list[dict[str, str]]:
    """Thumbnails of wrongly named faces, of the most frequent confusions first."""
    wrong = [p for p in predictions if p.truth != p.predicted]
    pairs = Counter((p.truth, p.predicted) for p in wrong)
    wrong.sort(key=lambda p: (-pairs[p.truth, p.predicted], p.truth, p.predicted, p.image))
    faces = {face.image: face for face in read_faces_csv(run / FACES_FILE)}
    from i2cnn.datasets import embedded_root

    root = embedded_root() if settings.root is None else Path(settings.root)
    root = root.parent if root.suffix.lower() == ".csv" else root
    shown = []
    for p in wrong[:_MOST_CONFUSED]:
        path = root / p.image
        if p.image not in faces or not path.is_file():
            continue  # the data set has moved; the table still counts the face
        x, y, w, h = (round(v) for v in faces[p.image].box)
        image = as_gray(read_image(path))
        crop = image[max(0, y) : max(0, y) + h, max(0, x) : max(0, x) + w]
        thumb = cv2.resize(crop, (110, round(110 * crop.shape[0] / crop.shape[1])))
        data = cv2.imencode(".png", thumb)[1].tobytes()
        shown.append(
            {"src": _data_uri(data), "truth": p.truth, "predicted": p.predicted, "image": p.image}
        )
    return shown


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("i2cnn", "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["duration"] = duration
    return environment


def duration(seconds: float) -> str:
    """Seconds in words that fit their size."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"


def print_report(run: Path, console: Console | None = None) -> None:
    """The report's main table on the terminal."""
    metrics = read_json(run / REPORT_FOLDER / "metrics.json")
    console = console or Console(highlight=False)
    task = metrics["dataset"]["task"]
    done = ", ".join(str(f) for f in metrics["folds_done"])
    table = Table(
        title=f"{metrics['dataset']['name']}, {len(task['labels'])} classes, person-independent, "
        f"fold(s) {done}",
        caption=f"Profile {metrics['profile']}: {_PROFILE_WORDS[metrics['profile']]}.",
    )
    for column in ("method", "accuracy %", "std", "95 % interval", "macro-F1", "paper %"):
        table.add_column(column, justify="left" if column == "method" else "right")
    paper = {p["method"].split(" ")[0]: p for p in metrics["paper"]}
    for row in metrics["methods"]:
        low, high = row["interval95"]
        beside = paper.get(row["method"])
        table.add_row(
            row["method"],
            f"{100 * row['mean']:.1f}",
            f"{100 * row['std']:.1f}" if len(row["folds"]) > 1 else "-",
            f"{100 * low:.1f} - {100 * high:.1f}",
            f"{row['macro_f1']:.3f}",
            f"{beside['accuracy']:g}" if beside else "",
        )
    table.add_row("chance", f"{100 * metrics['chance']:.1f}", "", "", "", "")
    for p in metrics["paper"]:
        if not p["method"].startswith("I2CNN"):
            mark = "" if p["certain"] else " ?"
            table.add_row(f"{p['method']} (published)", "", "", "", "", f"{p['accuracy']:g}{mark}")
    console.print(table)
