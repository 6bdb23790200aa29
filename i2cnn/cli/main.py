"""The `i2cnn` command: one verb a step, and `evaluate` for the whole run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from i2cnn import __version__
from i2cnn.datasets import DATASETS
from i2cnn.evaluation import PATCH_COUNTS
from i2cnn.faces import POINTS
from i2cnn.network import PROFILES
from i2cnn.network.engine import ENGINES
from i2cnn.patches import ENCODINGS
from i2cnn.rivals import RIVALS
from i2cnn.util.errors import InputError

DESCRIPTION = """\
Facial expressions by 60 patches, one Caffe network and an SVM: the I2CNN paper, to be run again.

  i2cnn demo                                   the main job on the embedded faces, in minutes
  i2cnn evaluate --dataset jaffe PATH --out RUN   the paper's evaluation on your copy of JAFFE
  i2cnn predict photo.jpg --model RUN/recogniser  expressions of the faces in a photograph
  i2cnn doctor                                 what is installed and what will be used
"""

EVALUATE = """\
The paper's evaluation: person-independent folds, a network for each number of patches, fc7, SVM,
rivals, report. Every step is resumable: kill it, repeat the command.

  i2cnn evaluate --dataset jaffe PATH --out runs/jaffe --dry-run
  i2cnn evaluate --dataset ckplus PATH --task six --out runs/ck6 --jobs 4
  i2cnn evaluate --profile quick --out runs/synthetic
"""
PATCHES = """\
Cut each face into patches and write them into a Caffe LMDB, or draw them, or both.

  i2cnn patches faces.csv --root IMAGES --out train_lmdb --mean mean.binaryproto
  i2cnn patches photo.jpg --preview patches.png --scheme tight
"""
PATCHES_END = """\
Schemes: deepid, the paper's; tight, without hair and shoulders; or your own table in a .toml
file (i2cnn/patches/schemes.py describes it). The database appears under its name only when it is
complete; a call that fails or is stopped leaves nothing.

Exit status: 0 all is written; 1 an error, nothing is written; 3 written, but without the
faces that --skip-bad lists; 130 stopped by Ctrl-C.
"""


def integers(text: str) -> tuple[int, ...]:
    """Comma-separated integers of an option; "none" is an empty list."""
    try:
        return () if text == "none" else tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers like 1,5") from None


def number(text: str) -> int:
    """A number above 0."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Comma-separated names of an option; "none" is an empty list."""
    return () if text == "none" else tuple(part.strip() for part in text.split(","))


def seed(text: str) -> int:
    """A seed of NumPy's and Caffe's generators."""
    if not text.isdigit() or int(text) > 2**31 - 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed: a number from 0 to 2147483647")
    return int(text)


def share(text: str) -> float:
    """A share above 0, at most 1; "full" is 1."""
    try:
        value = 1.0 if text == "full" else float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither full nor a share above 0 and at most 1, such as 0.1"
        )
    return value


def pairs(text: str) -> dict[str, str]:
    """Comma-separated key=value pairs of an option."""
    parts = [part.partition("=") for part in text.split(",")]
    if not all(key and value for key, _, value in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list like partition=gpu,time=600")
    return {key.strip(): value.strip() for key, _, value in parts}


def _engine_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--engine", choices=ENGINES, default="torch", help="default: torch")
    parser.add_argument(
        "--device", default="auto", help="auto (default), cpu, cuda or cuda:N; auto takes a GPU"
    )


def _dataset_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "path", nargs="?", type=Path, help="folder of the data set (synthetic: the embedded one)"
    )
    parser.add_argument("--dataset", choices=DATASETS, default="synthetic")
    parser.add_argument(
        "--task", choices=("six", "seven"), help="default: seven; a folder has its own labels"
    )
    parser.add_argument(
        "--points",
        choices=POINTS,
        default="given",
        help="given (default): the data set's own landmarks where it has them; detected: dlib's",
    )


def _faces_options(parser: argparse.ArgumentParser, more: str = "") -> None:
    parser.add_argument("faces", type=Path, help="faces.csv, as written by `i2cnn faces`" + more)
    parser.add_argument(
        "--root", type=Path, help="folder the CSV's image paths start from (default: the CSV's own)"
    )


def _scheme_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scheme",
        default="deepid",
        metavar="NAME",
        help="patch scheme: deepid (default), tight, or a .toml file",
    )


def _patch_options(parser: argparse.ArgumentParser) -> None:
    _scheme_option(parser)
    parser.add_argument("--encoding", choices=ENCODINGS, default="png", help="default: png")


def build_parser() -> argparse.ArgumentParser:
    """Parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="i2cnn",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"i2cnn {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    demo = verbs.add_parser("demo", help="the main job on the embedded synthetic faces")
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="default: runs/demo")
    _engine_options(demo)

    evaluate = verbs.add_parser(
        "evaluate",
        help="the whole run: images to report, resumable",
        description=EVALUATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _dataset_options(evaluate)
    _evaluate_options(evaluate)
    _engine_options(evaluate)

    report = verbs.add_parser("report", help="write a run's report again, or compare runs")
    report.add_argument("runs", nargs="+", type=Path, help="run directories of `evaluate`")
    report.add_argument(
        "--out",
        type=Path,
        help="page that compares several runs in the paper's tables (default: comparison.html)",
    )

    predict = verbs.add_parser("predict", help="expressions of the faces in photographs")
    predict.add_argument("images", nargs="+", type=Path, help="photographs")
    predict.add_argument("--model", type=Path, required=True, help="RUN/recogniser")
    predict.add_argument("--save", type=Path, help="write annotated pictures into this folder")
    predict.add_argument("--explain", action="store_true", help="also name the deciding patches")
    predict.add_argument("--json", action="store_true", help="print JSON instead of a table")
    _engine_options(predict)

    doctor = verbs.add_parser("doctor", help="what is installed, which engine and device are used")
    _engine_options(doctor)

    faces = verbs.add_parser("faces", help="step 1: find faces and landmarks -> faces.csv")
    _dataset_options(faces)
    faces.add_argument("--out", type=Path, default=Path("faces.csv"), help="default: faces.csv")
    faces.add_argument("--sheet", type=Path, help="also draw a contact sheet PNG for checking")

    patches = verbs.add_parser(
        "patches",
        help="step 2: 60 patches a face -> Caffe LMDB",
        description=PATCHES,
        epilog=PATCHES_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _patches_options(patches)

    train = verbs.add_parser("train", help="step 3: train the network on two LMDBs")
    train.add_argument("--train", type=Path, required=True, help="LMDB of training patches")
    train.add_argument("--validation", type=Path, required=True, help="LMDB to validate on")
    train.add_argument("--mean", type=Path, required=True, help="mean image (.binaryproto)")
    train.add_argument("--classes", type=int, required=True, help="number of classes")
    train.add_argument("--out", type=Path, required=True, help="folder for nets and snapshots")
    _schedule_options(train)
    train.add_argument("--seed", type=seed, default=0)
    _engine_options(train)

    features = verbs.add_parser("features", help="step 4: fc7 features of every patch -> .npy")
    _faces_options(features)
    features.add_argument("--net", type=Path, required=True, help="folder that `train` wrote")
    features.add_argument("--out", type=Path, required=True, help="the .npy file to write")
    features.add_argument("--k", type=int, help="patches a face: 1, 5 or all (default)")
    _scheme_option(features)
    _engine_options(features)

    svm = verbs.add_parser("svm", help="step 5: SVM on features, person-independent folds")
    svm.add_argument("features", type=Path, help=".npy of `i2cnn features`")
    svm.add_argument("--faces", type=Path, required=True, help="the faces.csv of those features")
    svm.add_argument("--folds", type=int, default=10, help="default: 10")
    svm.add_argument("--seed", type=seed, default=0, help="of the folds (default: 0)")
    svm.add_argument("--task", choices=("six", "seven"), help="default: the CSV's own labels")
    svm.add_argument("--out", type=Path, required=True, help="predictions (.csv)")

    verbs.add_parser("caffe", help="Caffe's own command line: train, test, time, device_query")
    return parser


def _patches_options(parser: argparse.ArgumentParser) -> None:
    _faces_options(parser, "; with --preview a photograph, too")
    parser.add_argument("--out", type=Path, metavar="LMDB", help="the folder to write; must be new")
    parser.add_argument(
        "--preview",
        type=Path,
        metavar="PNG",
        help="draw the scheme on the first face, or on a photograph's largest, and its patches",
    )
    _patch_options(parser)
    parser.add_argument("--k", type=int, help="patches a face: 1, 5 or all (default)")
    parser.add_argument("--task", choices=("six", "seven"), help="default: the CSV's own labels")
    parser.add_argument("--subjects", help="only these subjects, comma-separated")
    parser.add_argument("--seed", type=seed, default=0, help="of the shuffled order (default: 0)")
    parser.add_argument("--mean", type=Path, help="also write the mean image (.binaryproto)")
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out faces that cannot be used and list them; default: stop at the first",
    )


def _schedule_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="paper",
        help="paper (default): the exact AlexNet and solver; quick: a small net for CPUs",
    )
    parser.add_argument(
        "--schedule",
        type=share,
        default=1.0,
        metavar="full|SHARE",
        help="full (default), or a share such as 0.1: iterations, steps of the rate, validations "
        "and patience shrink alike",
    )
    parser.add_argument("--max-iter", type=int, help="cap; default: the profile's solver")
    parser.add_argument("--validate-every", type=int, help="iterations; default: the profile's")
    parser.add_argument(
        "--patience", type=int, help="iterations without a rise before stopping; 0: never"
    )
    parser.add_argument("--batch-size", type=int, help="default: the profile's net")


def _evaluate_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="run directory, made or resumed")
    _schedule_options(parser)
    parser.add_argument("--folds", type=int, default=10, help="person-independent (default: 10)")
    parser.add_argument(
        "--only-folds", type=integers, metavar="1,2,...", help="do only these folds in this call"
    )
    parser.add_argument(
        "--k",
        type=integers,
        default=PATCH_COUNTS,
        metavar="1,5,60",
        help="patches a face, one training each (default: 1,5,60 as in the paper's Table 4)",
    )
    parser.add_argument("--seeds", type=number, default=1, help="repetitions (default: 1)")
    parser.add_argument(
        "--rivals",
        type=names,
        default=tuple(RIVALS),
        metavar="NAME,...",
        help=f"other methods on the same faces and folds: {', '.join(RIVALS)} (default: all), "
        "or none",
    )
    parser.add_argument("--keep", action="store_true", help="keep LMDBs, features and snapshots")
    parser.add_argument(
        "--dry-run", action="store_true", help="show the plan with its time, disk and memory"
    )
    parser.add_argument(
        "--jobs", type=number, metavar="N", help="jobs at a time, each in a process (default: 1)"
    )
    parser.add_argument(
        "--slurm",
        type=pairs,
        default={},
        metavar="partition=P,...",
        help="run the jobs on a Slurm cluster, with these of its parameters",
    )
    _patch_options(parser)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    if arguments[:1] == ["caffe"]:  # Caffe's flags are not argparse's
        from i2cnn.torchcaffe.cli import main as caffe_main

        return caffe_main(arguments[1:])
    parser = build_parser()
    options = parser.parse_args(arguments)
    if options.verb is None:
        parser.print_help()
        return 2
    from i2cnn.cli import commands, steps

    run = getattr(steps, options.verb, None) or getattr(commands, options.verb)
    try:
        return run(options) or 0
    except InputError as error:
        print(f"i2cnn: error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        print(f"i2cnn: error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        resumes = options.verb in ("evaluate", "demo", "train", "features")
        words = "the same command goes on from here" if resumes else "nothing is left half-written"
        print(f"i2cnn: interrupted; {words}", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
