"""The report of a run, computed from its stored predictions: table, metrics.json, report.html."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
from jinja2 import Environment, PackageLoader, select_autoescape
from rich.console import Console
from rich.table import Table

from i2cnn.evaluation.jobs import NetworkJob
from i2cnn.evaluation.predictions import Prediction
from i2cnn.report.plots import Bar, Curve, bars_png, confusion_png, curves_png, folds_png
from i2cnn.report.results import Results, metrics, read_results
from i2cnn.report.tables import PaperTable, column_title, paper_tables
from i2cnn.util.files import read_json, write_json, write_text
from i2cnn.util.images import as_gray, read_image
from i2cnn.util.progress import duration

REPORT_FOLDER = "report"
METRICS_FILE = "metrics.json"
_PROFILE_WORDS = {
    "paper": "the paper's AlexNet and solver",
    "quick": "the small quick network, which is not the paper's: a demonstration for CPUs",
}
_MOST_CONFUSED = 12
_MAIN = ("trained", "rival", "untrained", "floor")
_PATCH_GROUPS = ("selected", "region", "scale", "mirror")
#: Methods whose confusion is drawn: the paper's Figure 8 has this one beside its own.
_FIGURE_8 = "rival_lbp_rbf"


def write_report(run: Path) -> Path:
    """Write `RUN/report` from the jobs that are finished; returns the path of report.html."""
    results = read_results(run)
    out = run / REPORT_FOLDER
    out.mkdir(exist_ok=True)
    content = metrics(results)
    write_json(out / METRICS_FILE, content)
    pictures = _pictures(results, content)
    for old in out.glob("*.png"):
        old.unlink()
    for name, data in pictures.items():
        (out / name).write_bytes(data)
    context = content | {
        "title": column_title(content),
        "profile_words": _profile_words(content),
        "flat_words": _flat_words(content),
        "main_methods": [m for m in content["methods"] if m["group"] in _MAIN],
        "patch_methods": [m for m in content["methods"] if m["group"] in _PATCH_GROUPS],
        "tables": paper_tables({run: content}),
        "images": {name: _data_uri(data) for name, data in pictures.items()},
        "confused": _confused(results),
        "costs": _costs(results),
        "networks": {folder: job for folder, job in content["jobs"].items() if "training" in job},
    }
    path = out / "report.html"
    write_text(path, environment().get_template("report.html").render(context))
    return path


def _profile_words(content: dict[str, Any]) -> str:
    """The profile, and what of the run is not as it has it."""
    return "; ".join([_PROFILE_WORDS[content["profile"]], *content["departures"]])


def _pictures(results: Results, content: dict[str, Any]) -> dict[str, bytes]:
    pictures = {}
    shown = [results.find(f"k{results.best_k}_trained"), results.find(_FIGURE_8)]
    for method in filter(None, shown):
        confusion = results.scores[method].confusion
        name = f"confusion_{method.id}.png"
        pictures[name] = confusion_png(confusion, results.labels, method.title)
    chance = content["chance"]
    published = {p["ours"]: p["accuracy"] for p in content["paper"]}
    for name, groups, title in (
        ("methods.png", _MAIN, "methods" + (" (diamond: published)" if published else "")),
        ("patches.png", _PATCH_GROUPS, f"parts of the {results.best_k} patches, one network"),
    ):
        bars = [_bar(m, published) for m in content["methods"] if m["group"] in groups]
        if bars:
            pictures[name] = bars_png(bars, chance, title)
    curves: dict[str, list[Curve]] = {}
    for job in results.jobs:
        if isinstance(job, NetworkJob):
            group = curves.setdefault(f"k = {job.k}", [])
            group.append(_curve(results.details[job.folder]["training"]["curve"]))
    if curves:
        pictures["learning_curves.png"] = curves_png(curves, len(results.labels))
    rows = {
        method.title: s.fold_accuracies
        for method, s in results.scores.items()
        if method.group == "trained" or method.id == f"k{results.best_k}_untrained"
    }
    if rows:
        pictures["folds.png"] = folds_png(rows, chance)
    return pictures


def _bar(row: dict[str, Any], published: dict[str, float]) -> Bar:
    low, high = row["interval95"]
    return Bar(
        row["method"],
        row["group"],
        100 * row["mean"],
        100 * low,
        100 * high,
        published.get(row["id"]),
    )


def _curve(points: Sequence[dict[str, float]]) -> Curve:
    return Curve(
        [int(p["iteration"]) for p in points],
        [p["train_loss"] for p in points],
        [p["loss"] for p in points],
        [p["accuracy"] for p in points],
    )


def _costs(results: Results) -> list[dict[str, Any]]:
    """Seconds and memory of every step: mean and sum over the jobs of a kind."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for job in results.jobs:
        kind = f"{job.k} patches" if isinstance(job, NetworkJob) else job.folder.split("/")[1]
        for step, cost in results.details[job.folder]["steps"].items():
            row = rows.setdefault(
                (kind, step), {"kind": kind, "step": step, "jobs": 0, "seconds": 0.0, "peak": 0}
            )
            row["jobs"] += 1
            row["seconds"] += cost["seconds"]
            row["peak"] = max(row["peak"], cost["peak_bytes"])
            row["device"] = max(row.get("device", 0), cost.get("peak_device_bytes", 0))
    return list(rows.values())


def _confused(results: Results) -> list[dict[str, str]]:
    """Thumbnails of wrongly named faces, of the most frequent confusions first."""
    method = results.find(f"k{results.best_k}_trained") or next(iter(results.scores))
    wrong: list[Prediction] = [p for p in results.predictions[method][0] if p.truth != p.predicted]
    pairs = Counter((p.truth, p.predicted) for p in wrong)
    wrong.sort(key=lambda p: (-pairs[p.truth, p.predicted], p.truth, p.predicted, p.image))
    faces = {face.image: face for face in results.inputs.faces}
    shown = []
    for p in wrong[:_MOST_CONFUSED]:
        path = results.inputs.root / p.image
        if p.image not in faces or not path.is_file():
            continue  # the data set has moved; the table still counts the face
        x, y, w, h = (round(v) for v in faces[p.image].box)
        image = as_gray(read_image(path))
        crop = image[max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)]
        if not crop.size:
            continue  # somebody's own box lies outside the image
        thumb = cv2.resize(crop, (110, round(110 * crop.shape[0] / crop.shape[1])))
        data = cv2.imencode(".png", thumb)[1].tobytes()
        shown.append(
            {"src": _data_uri(data), "truth": p.truth, "predicted": p.predicted, "image": p.image}
        )
    return shown


def compare(runs: Sequence[Path], out: Path) -> list[PaperTable]:
    """Write a page that compares runs in the paper's tables; each run's report is renewed.

    Parameters
    ----------
    runs : sequence of Path
        Run directories, for instance of JAFFE, CK+ with six and CK+ with seven classes.
    out : Path
        The .html file.
    """
    contents = {}
    for run in runs:
        write_report(run)
        contents[run] = read_json(run / REPORT_FOLDER / METRICS_FILE)
    tables = paper_tables(contents)
    columns = [
        {"run": str(run), "title": title, "metrics": m, "words": _profile_words(m)}
        for title, (run, m) in zip(tables[0].columns, contents.items(), strict=True)
    ]
    write_text(
        out,
        environment().get_template("comparison.html").render(tables=tables, columns=columns),
    )
    return tables


def print_comparison(tables: Sequence[PaperTable], console: Console | None = None) -> None:
    """The compared runs' tables on the terminal."""
    console = console or Console(highlight=False)
    for table in tables:
        shown = Table(title=table.title, caption="ours (published; ? where its column is a guess)")
        shown.add_column("method")
        for column in table.columns:
            shown.add_column(column, justify="right")
        for row in table.rows:
            shown.add_row(row.method, *(_cell_text(cell) for cell in row.cells))
        console.print(shown)


def _cell_text(cell: Any) -> str:
    ours = "-" if cell.ours is None else f"{cell.ours:.1f}" + ("*" if cell.flat else "")
    if cell.published is None:
        return ours
    return f"{ours} ({cell.published:g}{'' if cell.certain else ' ?'})"


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def environment() -> Environment:
    """Templates with the filters they use."""
    environment = Environment(
        loader=PackageLoader("i2cnn.report", "templates"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["duration"] = duration
    environment.filters["megabytes"] = lambda value: f"{value / 1e6:,.0f} MB"
    return environment


def _flat_words(content: dict[str, Any]) -> str:
    """The trainings that learned nothing, by k and fold."""
    flat, several = content["flat"], len(content["settings"]["seeds"]) > 1
    words = []
    for k in dict.fromkeys(f["k"] for f in flat):
        folds = []
        for fold in sorted({f["fold"] for f in flat if f["k"] == k}):
            seeds = [str(f["seed"]) for f in flat if (f["k"], f["fold"]) == (k, fold)]
            folds.append(f"{fold} (seed {', '.join(seeds)})" if several else str(fold))
        words.append(f"k = {k}: fold {', '.join(folds)}")
    return "; ".join(words)


def print_report(run: Path, console: Console | None = None) -> None:
    """The report's main table on the terminal."""
    content = read_json(run / REPORT_FOLDER / METRICS_FILE)
    console = console or Console(highlight=False)
    done = ", ".join(str(f) for f in content["folds_done"])
    profile = content["profile"]
    seeds = len(content["settings"]["seeds"])
    table = Table(
        title=f"{column_title(content)}, person-independent, fold(s) {done}"
        + (f", means over {seeds} seeds" if seeds > 1 else ""),
        caption=f"Profile {profile}: {_profile_words(content)}.\n"
        "* interval of the pooled accuracy, over people",
    )
    for column in ("method", "folds", "accuracy %", "std", "95 % *", "macro-F1", "paper %"):
        table.add_column(column, justify="left" if column == "method" else "right")
    published = {p["ours"]: p["accuracy"] for p in content["paper"]}
    for row in content["methods"]:
        if row["group"] not in _MAIN:
            continue  # the parts of the patches are in report.html
        low, high = row["interval95"]
        table.add_row(
            row["method"],
            str(len(row["folds"])),
            f"{100 * row['mean']:.1f}",
            f"{100 * row['std']:.1f}" if len(row["folds"]) > 1 else "-",
            f"{100 * low:.1f} - {100 * high:.1f}",
            f"{row['macro_f1']:.3f}",
            f"{published[row['id']]:g}" if row["id"] in published else "",
        )
    table.add_row("chance", "", f"{100 * content['chance']:.1f}", "", "", "", "")
    for p in content["paper"]:
        if not p["ours"]:
            mark = "" if p["certain"] else " ?"
            table.add_row(
                f"{p['method']} (published)", "", "", "", "", "", f"{p['accuracy']:g}{mark}"
            )
    console.print(table)
    if content["flat"]:
        console.print(
            f"The loss never left ln({len(content['labels'])}) in {_flat_words(content)}: the "
            "network learned nothing there. Train longer.",
            markup=False,
        )
