"""metrics.json: a run's report for other programs. The only place that turns it into JSON."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from i2cnn.report.comparisons import Comparison, Pair
from i2cnn.report.run_report import MethodReport, ReferenceReport, RunReport
from i2cnn.util.files import write_json

METRICS_FILE = "metrics.json"


def write_metrics(path: Path, report: RunReport) -> None:
    """Write metrics.json."""
    write_json(path, to_json(report))


def to_json(report: RunReport) -> dict[str, object]:
    """Content of metrics.json; what each job chose and took is in its own job.json."""
    found = {
        "run_digest": report.settings.digest,
        "profile": report.settings.profile,
        "departures": list(report.departures),
        "settings": report.settings.public().to_json(),
        "dataset": {k: v for k, v in asdict(report.dataset).items() if k != "copies"},
        "labels": list(report.task.labels),
        "folds": [asdict(fold) for fold in report.folds.folds],
        "folds_digest": report.folds.digest,
        "folds_done": list(report.folds_done),
        "jobs_done": report.jobs_done,
        "jobs_total": report.jobs_total,
        "methods": [_method(m) for m in report.methods],
        "flat": [{"k": t.k, "fold": t.fold, "seed": t.seed} for t in report.flat],
        "chance": report.chance,
        "paper": [asdict(p) for p in report.published],
        "leak_audit": {
            "predictions_checked": report.predictions_checked,
            "subjects_on_two_sides": 0,  # one would have been an error
            "folds_digest": report.folds.digest,
        },
        "versions": dict(report.versions),
        "machine": dict(report.machine),
    }
    optional = {
        # Only in runs with a network, since 0.2.
        "calibration_error": {str(k): e for k, e in report.calibration.items()},
        # Only where the data set lacks something for a rival.
        "not_applicable": {m.id: reason for m, reason in report.not_applicable.items()},
        # Only where at least two people are tested, since 0.2.
        "comparisons": [_comparison(c, report.units) for c in report.comparisons],
        # Only in runs with references.
        "references": [_reference(r) for r in report.references],
    }
    found |= {name: value for name, value in optional.items() if value}
    if report.settings.has_own_split:
        found |= {
            "protocol": report.settings.protocol,
            "intervals_over": report.units,
            "copies_across_parts": dict(report.dataset.copies),
        }
    return found


def _reference(row: ReferenceReport) -> dict[str, object]:
    return {
        "id": row.referenced.method.id,
        "plain": row.plain.method.id,
        "gain": row.gain,
        "gain_interval95": None if row.interval is None else list(row.interval),
        "pictures": {str(n): list(values) for n, values in row.pictures.items()},
        "classes": {str(n): list(values) for n, values in row.classes.items()},
    }


def _comparison(compared: Comparison, units: str) -> dict[str, object]:
    return {
        "reference": compared.reference,
        units: compared.people,
        "faces": compared.faces,
        "ranks": dict(compared.ranks),
        "network": [_pair(pair) for pair in compared.network],
        "pairs": [_pair(pair) for pair in compared.pairs],
    }


def _pair(pair: Pair) -> dict[str, object]:
    return {
        "first": pair.first,
        "second": pair.second,
        "difference": pair.difference.value,
        "interval95": [pair.difference.low, pair.difference.high],
        "p": pair.difference.p,
        "p_holm": pair.p_holm,
    }


def _method(row: MethodReport) -> dict[str, object]:
    method, scores = row.method, row.scores
    return {
        "id": method.id,
        "method": method.title,
        "group": method.group,
        "protocol": method.protocol,
        **({"reference": method.reference} if method.reference else {}),
        "mean": scores.mean,
        "std": scores.std,
        "seed_means": list(scores.seed_means),
        "flat_folds": list(row.flat_folds),
        "mean_without_flat_folds": row.mean_without_flat_folds,
        "pooled": scores.pooled,
        "interval95": list(scores.interval),
        "interval95_wilson": list(scores.wilson),
        "macro_f1": scores.macro_f1,
        "folds": {str(fold): value for fold, value in scores.fold_accuracies.items()},
        "confusion": scores.confusion.tolist(),
        "faces": row.faces,
    }
