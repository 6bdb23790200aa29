"""Verbs that run the whole pipeline: demo, evaluate, report."""

from __future__ import annotations

import argparse
from pathlib import Path

from i2cnn.cli import options
from i2cnn.cli.arguments import Verbs
from i2cnn.evaluation import PATCH_COUNTS
from i2cnn.rivals import DEFAULT_RIVALS, RIVALS
from i2cnn.svm import REFERENCES

EVALUATE = """\
The paper's evaluation: person-independent folds, one network for each number of patches, its
features, SVM, rivals, report. Stop it at any time; the same command continues where it stopped.

  i2cnn evaluate --dataset jaffe PATH --out runs/jaffe --dry-run
  i2cnn evaluate --dataset ckplus PATH --task six --out runs/ck6 --jobs 4
  i2cnn evaluate --profile quick --out runs/synthetic
"""
EVALUATE_END = """\
Exit status: 0 everything is done; 1 an error, or a job failed; 3 done, but without pictures of the
data set that cannot be used or that a review left out; 130 stopped by Ctrl-C or SIGTERM.
"""


DEMO = """\
Train the small network `better` on the faces that ship with the package, for some minutes on a CPU,
and test it and other methods on people whom they have not seen. Then time the paper's AlexNet. The
report is in runs/demo/report/report.html. Stop it at any time; the same command continues.
"""


def add_demo(verbs: Verbs) -> None:
    """`i2cnn demo`."""
    demo = verbs.add_parser(
        "demo",
        help="the whole pipeline on the embedded synthetic faces",
        description=DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.set_defaults(run="i2cnn.cli.demo:demo", resumes=True)
    demo.add_argument(
        "--out",
        type=Path,
        default=Path("runs/demo"),
        metavar="RUN",
        help="run directory (default: runs/demo)",
    )
    options.add_engine(demo)


def add_evaluate(verbs: Verbs) -> None:
    """`i2cnn evaluate`."""
    evaluate = verbs.add_parser(
        "evaluate",
        help="the paper's evaluation, from images to report; resumable",
        description=EVALUATE,
        epilog=EVALUATE_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.set_defaults(run="i2cnn.cli.evaluate:evaluate", resumes=True)
    options.add_dataset(evaluate)
    options.add_leave_out(evaluate)
    evaluate.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="run directory, created or resumed"
    )
    options.add_schedule(evaluate)
    _what_is_evaluated(evaluate)
    _what_helps(evaluate)
    _how_it_is_run(evaluate)
    options.add_scheme(evaluate)
    options.add_encoding(evaluate)
    options.add_tensorboard(evaluate)
    options.add_engine(evaluate)
    options.add_precision(evaluate)


def _what_is_evaluated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folds",
        type=int,
        help="number of person-independent folds (default: 10; one, its own split, of a set that "
        "does not say who is shown)",
    )
    parser.add_argument(
        "--k",
        type=options.integers,
        default=PATCH_COUNTS,
        metavar="1,5,60",
        help="patches per face, one training each, or none (default: 1,5,60 as in the paper's "
        "Table 4)",
    )
    parser.add_argument(
        "--seeds", type=options.number, default=1, help="number of repetitions (default: 1)"
    )
    slow = [rival.name for rival in RIVALS.values() if rival.minutes]
    parser.add_argument(
        "--rivals",
        type=options.names,
        default=DEFAULT_RIVALS,
        metavar="NAME,...",
        help=f"other methods on the same faces and folds: {', '.join(RIVALS)}, or none (default: "
        f"{', '.join(DEFAULT_RIVALS)}); {', '.join(slow)} take minutes per fold",
    )


def _what_helps(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("beyond the paper's protocol (see docs/references.md)")
    group.add_argument(
        "--reference",
        choices=REFERENCES,
        default="none",
        help="also measure each face from pictures of the same person, without their labels: all "
        "of them (person), the neutral ones, which leave the test (neutral; needs --task six, or "
        "neutral among labels of your own), or each clip's first frame (first; needs --task six)",
    )
    group.add_argument(
        "--reference-pictures",
        type=options.counts,
        default=(),
        metavar="1,2,3,5,...",
        help="also score references of only so many pictures per person",
    )
    group.add_argument(
        "--reference-classes",
        type=options.counts,
        default=(),
        metavar="1,2,...",
        help="also score references that show only so many expressions per person",
    )
    group.add_argument(
        "--train-also",
        metavar="synthetic|DIR",
        help="people of another set, labelled as this one, join the training side of every fold: "
        "the faces that ship with the package, or a folder of your own",
    )
    group.add_argument(
        "--fuse",
        type=options.names,
        default=(),
        metavar="NAME,...",
        help="also score the network together with each of these rivals",
    )


def _how_it_is_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--only-folds",
        type=options.integers,
        metavar="1,2,...",
        help="run only these folds in this call",
    )
    parser.add_argument("--keep", action="store_true", help="keep LMDBs, features and snapshots")
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print what would run and the time, disk space and memory it needs",
    )
    parser.add_argument(
        "--jobs",
        type=options.number,
        metavar="N",
        help="run N jobs at a time, each in its own process (default: 1)",
    )
    parser.add_argument(
        "--slurm",
        type=options.pairs,
        default={},
        metavar="partition=P,...",
        help="run the jobs on a Slurm cluster, with these Slurm parameters",
    )


def add_report(verbs: Verbs) -> None:
    """`i2cnn report`."""
    report = verbs.add_parser(
        "report",
        help="rewrite a run's report, compare runs, publish one",
        description="Write the report of a run again, RUN/report/report.html; or, of several runs, "
        "one page with the paper's tables, a column per run.",
    )
    report.set_defaults(run="i2cnn.cli.report:report")
    report.add_argument("runs", nargs="+", type=Path, help="run directories of `i2cnn evaluate`")
    report.add_argument(
        "--out",
        type=Path,
        metavar="HTML",
        help="page that compares several runs in the paper's tables (default: comparison.html)",
    )
    report.add_argument(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="also copy what people read of a run (report, predictions, folds, settings; no faces "
        "but the embedded set's) into a new folder of a few small files",
    )
