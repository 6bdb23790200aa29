"""Recomputes a report's numbers from the stored predictions, without the package.

    python tests/check_report.py RUN

Reads RUN/report/metrics.json, RUN/folds.json and the predictions with the standard library alone:
RUN/predictions.csv of a published run, RUN/fold_*/*/predictions_*.csv of a run directory. Ends with
status 1 and the differences if a number does not follow from the predictions.
"""

from __future__ import annotations

import csv
import json
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

FACE_COLUMNS = ("fold", "image", "subject", "truth")


def method_and_seed(job: str, method: str) -> tuple[str, int]:
    """`k60_trained` and 0 for `trained` of `k60_seed0`; `rival_lbp_rbf` and 0 likewise."""
    network = re.fullmatch(r"(k\d+)_seed(\d+)", job)
    return (f"{network[1]}_{method}", int(network[2])) if network else (f"{job}_{method}", 0)


def read_csv(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def stored_predictions(run: Path) -> Iterator[tuple[str, int, list[dict[str, str]]]]:
    """Method, seed and rows of every stored list of predictions."""
    if (run / "predictions.csv").exists():
        table = read_csv(run / "predictions.csv")
        for column in table[0].keys() - FACE_COLUMNS:
            rows = [
                {**{name: row[name] for name in FACE_COLUMNS}, "predicted": row[column]}
                for row in table
                if row[column]
            ]
            yield *method_and_seed(*column.split("/")), rows
        return
    for path in sorted(run.glob("fold_*/*/predictions_*.csv")):
        if (path.parent / "job.json").exists():
            method = path.stem.removeprefix("predictions_")
            yield *method_and_seed(path.parent.name, method), read_csv(path)


def recompute(rows_by_seed: dict[int, list[dict[str, str]]], labels: list[str]) -> dict:
    """The numbers of one method."""
    spreads = []
    by_fold: dict[str, list[float]] = defaultdict(list)
    confusion = [[0] * len(labels) for _ in labels]
    for rows in rows_by_seed.values():
        hits: dict[str, list[bool]] = defaultdict(list)
        for row in rows:
            hits[row["fold"]].append(row["truth"] == row["predicted"])
            confusion[labels.index(row["truth"])][labels.index(row["predicted"])] += 1
        accuracies = {fold: sum(h) / len(h) for fold, h in hits.items()}
        for fold, value in accuracies.items():
            by_fold[fold].append(value)
        if len(accuracies) > 1:
            spreads.append(statistics.stdev(accuracies.values()))
    total = sum(map(sum, confusion))
    f1 = []
    for c in range(len(labels)):
        named = sum(row[c] for row in confusion)
        there = sum(confusion[c])
        if named + there:
            f1.append(2 * confusion[c][c] / (named + there))
    return {
        "mean": statistics.fmean(map(statistics.fmean, by_fold.values())),
        "std": statistics.fmean(spreads) if spreads else 0.0,
        "pooled": sum(confusion[i][i] for i in range(len(labels))) / total,
        "macro_f1": statistics.fmean(f1),
        "folds": {fold: statistics.fmean(v) for fold, v in by_fold.items()},
        "confusion": confusion,
    }


def close(a: object, b: object) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    if isinstance(a, float) and isinstance(b, int | float):
        return abs(a - b) < 1e-9
    return a == b


def leaks(rows: list[dict[str, str]], folds: list[dict[str, list[str]]]) -> list[str]:
    """Rows whose person trains or validates in the fold that tests them."""
    found = []
    for row in rows:
        fold = folds[int(row["fold"]) - 1]
        if row["subject"] not in fold["test"] or row["subject"] in (
            fold["training"] + fold["validation"]
        ):
            found.append(f"leak: {row['image']} in fold {row['fold']}")
    return found


def rights(rows_by_seed: dict[int, list[dict[str, str]]]) -> dict[str, dict[str, Fraction]]:
    """Share of seeds in which each face was named rightly, by person and picture."""
    hits: dict[str, dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    for table in rows_by_seed.values():
        for row in table:
            hits[row["subject"]][row["image"]].append(row["truth"] == row["predicted"])
    return {p: {i: Fraction(sum(h), len(h)) for i, h in own.items()} for p, own in hits.items()}


def mean_ranks(
    named: dict[str, dict[str, dict[str, Fraction]]], people: list[str]
) -> dict[str, float]:
    """Mean over people of each method's rank by how many faces it names; equal ones share it."""
    ranks: dict[str, list[float]] = defaultdict(list)
    for person in people:
        totals = {name: sum(faces[person].values()) for name, faces in named.items()}
        order = sorted(totals.values(), reverse=True)
        for name, own in totals.items():
            ranks[name].append(1 + order.index(own) + (order.count(own) - 1) / 2)
    return {name: statistics.fmean(found) for name, found in ranks.items()}


def holm(p_values: list[float]) -> list[float]:
    """Holm's correction, in the same order."""
    found = [0.0] * len(p_values)
    highest = 0.0
    for place, i in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, p_values[i] * (len(p_values) - place))
        found[i] = min(1.0, highest)
    return found


def check_comparison(compared: dict, rows: dict[str, dict[int, list[dict[str, str]]]]) -> list[str]:
    """What does not agree of methods compared over people."""
    named = {name: rights(rows[name]) for name in compared["ranks"]}
    first = next(iter(named.values()))
    people = [
        p for p in first if all(r.get(p, {}).keys() == first[p].keys() for r in named.values())
    ]
    faces = sum(len(first[p]) for p in people)
    faults = []
    units = "people" if "people" in compared else "pictures"
    if (compared[units], compared["faces"]) != (len(people), faces):
        faults.append(f"compared: {len(people)} {units} and {faces} faces, not as reported")
    if not close(mean_ranks(named, people), compared["ranks"]):
        faults.append("compared: the mean ranks do not follow")
    right = {name: sum(sum(r[p].values()) for p in people) for name, r in named.items()}
    for pairs in (compared["network"], compared["pairs"]):
        for pair in pairs:
            one, other = pair["first"], pair["second"]
            if other != "chance" and not close(
                float((right[one] - right[other]) / faces), pair["difference"]
            ):
                faults.append(f"{one} against {other}: the difference does not follow")
        if not all(map(close, holm([p["p"] for p in pairs]), [p["p_holm"] for p in pairs])):
            faults.append("compared: the corrected p values do not follow")
    return faults


def check(run: Path) -> list[str]:
    """What does not agree; empty if all does."""
    metrics = json.loads((run / "report" / "metrics.json").read_text())
    folds = json.loads((run / "folds.json").read_text())["folds"]
    rows: dict[str, dict[int, list[dict[str, str]]]] = defaultdict(dict)
    faults = []
    truth: dict[str, str] = {}
    for name, seed, table in stored_predictions(run):
        faults += leaks(table, folds)
        rows[name].setdefault(seed, []).extend(table)
        truth |= {row["image"]: row["truth"] for row in table}
    reported = {m["id"]: m for m in metrics["methods"]}
    if reported.keys() != rows.keys():
        faults.append(f"methods differ: {sorted(reported.keys() ^ rows.keys())}")
    for name in sorted(reported.keys() & rows.keys()):
        for key, value in recompute(rows[name], metrics["labels"]).items():
            if not close(value, reported[name][key]):
                faults.append(f"{name}: {key} is {reported[name][key]}, but follows as {value}")
    if not close(max(Counter(truth.values()).values()) / len(truth), metrics["chance"]):
        faults.append(f"chance is {metrics['chance']}, which does not follow")
    for compared in metrics.get("comparisons", []):
        faults += check_comparison(compared, rows)
    return faults


if __name__ == "__main__":
    found = check(Path(sys.argv[1]))
    print("\n".join(found) or "every number follows from the stored predictions")
    sys.exit(bool(found))
