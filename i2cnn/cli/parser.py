"""The parser of the whole command line.

Each verb names the function that runs it as "module:function"; it is imported only when it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TypeAlias

from i2cnn import __version__
from i2cnn.cli import options
from i2cnn.cli.arguments import Parser
from i2cnn.evaluation import PATCH_COUNTS
from i2cnn.rivals import RIVALS
from i2cnn.svm import REFERENCES

Verbs: TypeAlias = "argparse._SubParsersAction[Parser]"

DESCRIPTION = """\
Facial expressions from 60 patches per face, one Caffe network and an SVM: the I2CNN paper,
replicated.

  i2cnn demo                                      the whole pipeline on faces that ship with it
  i2cnn evaluate --dataset jaffe PATH --out RUN   the paper's evaluation on your copy of JAFFE
  i2cnn predict photo.jpg                         expressions of the faces in a photograph
  i2cnn predict ALBUM --people one                ... measured from a person's other pictures
  i2cnn doctor                                    what is installed, and what is missing
"""
EVALUATE = """\
The paper's evaluation: person-independent folds, one network for each number of patches, fc7
features, SVM, rivals, report. Stop it at any time; the same command continues where it stopped.

  i2cnn evaluate --dataset jaffe PATH --out runs/jaffe --dry-run
  i2cnn evaluate --dataset ckplus PATH --task six --out runs/ck6 --jobs 4
  i2cnn evaluate --profile quick --out runs/synthetic
"""
PREDICT = """\
Name the expressions of faces. A person's own pictures are the best reference there is: with several
of them, say whose they are.

  i2cnn predict photo.jpg
  i2cnn predict ALBUM --people one
  i2cnn predict photo.jpg --reference ALBUM
"""
PATCHES = """\
Cut each face into patches and write them into a Caffe LMDB, draw them, or both.

  i2cnn patches faces.csv --root IMAGES --out train_lmdb --mean mean.binaryproto
  i2cnn patches photo.jpg --preview patches.png --scheme tight
"""
PATCHES_END = """\
Schemes: deepid, the paper's; tight, without hair and shoulders; or a table of your own in a .toml
file (i2cnn/patches/schemes.py describes it). The database appears under its name only when it is
complete; a command that fails or is stopped leaves nothing behind.

Exit status: 0 everything was written; 1 an error, nothing was written; 3 written without the
faces that --skip-bad lists; 130 stopped by Ctrl-C.
"""


def build_parser() -> Parser:
    """Parser of the whole command line."""
    parser = Parser(
        prog="i2cnn",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"i2cnn {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for add in (_demo, _evaluate, _report, _predict, _enrol, _models, _doctor):
        add(verbs)
    for add in (_faces, _patches, _train, _features, _svm):
        add(verbs)
    verbs.add_parser("caffe", help="Caffe's own command line: train, test, time, device_query")
    return parser


def _demo(verbs: Verbs) -> None:
    demo = verbs.add_parser("demo", help="the whole pipeline on the embedded synthetic faces")
    demo.set_defaults(run="i2cnn.cli.demo:demo", resumes=True)
    demo.add_argument("--out", type=Path, default=Path("runs/demo"), help="default: runs/demo")
    options.add_engine(demo)


def _evaluate(verbs: Verbs) -> None:
    evaluate = verbs.add_parser(
        "evaluate",
        help="the paper's evaluation, from images to report; resumable",
        description=EVALUATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    evaluate.set_defaults(run="i2cnn.cli.evaluate:evaluate", resumes=True)
    options.add_dataset(evaluate)
    evaluate.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="run directory, created or resumed"
    )
    options.add_schedule(evaluate)
    _what_is_evaluated(evaluate)
    _what_helps(evaluate)
    _how_it_is_run(evaluate)
    options.add_scheme(evaluate)
    options.add_encoding(evaluate)
    options.add_engine(evaluate)


def _what_is_evaluated(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--folds", type=int, default=10, help="number of person-independent folds (default: 10)"
    )
    parser.add_argument(
        "--k",
        type=options.integers,
        default=PATCH_COUNTS,
        metavar="1,5,60",
        help="patches per face, one training each (default: 1,5,60 as in the paper's Table 4)",
    )
    parser.add_argument(
        "--seeds", type=options.number, default=1, help="number of repetitions (default: 1)"
    )
    parser.add_argument(
        "--rivals",
        type=options.names,
        default=tuple(RIVALS),
        metavar="NAME,...",
        help=f"other methods on the same faces and folds: {', '.join(RIVALS)} (default: all), "
        "or none",
    )


def _what_helps(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("beyond the paper's protocol (see docs/references.md)")
    group.add_argument(
        "--reference",
        choices=REFERENCES,
        default="none",
        help="also measure each face from pictures of the same person, without their labels: all "
        "of them (person), the neutral ones, which leave the test (neutral, task six), or each "
        "clip's first frame (first, task six)",
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


def _report(verbs: Verbs) -> None:
    report = verbs.add_parser("report", help="rewrite a run's report, compare runs, publish one")
    report.set_defaults(run="i2cnn.cli.report:report")
    report.add_argument("runs", nargs="+", type=Path, help="run directories of `i2cnn evaluate`")
    report.add_argument(
        "--out",
        type=Path,
        help="page that compares several runs in the paper's tables (default: comparison.html)",
    )
    report.add_argument(
        "--publish",
        type=Path,
        metavar="FOLDER",
        help="also copy what people read of a run (report, predictions, folds, settings) into a "
        "new folder of a few small files",
    )


def _predict(verbs: Verbs) -> None:
    predict = verbs.add_parser(
        "predict",
        help="expressions of the faces in photographs",
        description=PREDICT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.set_defaults(run="i2cnn.cli.predict:predict")
    predict.add_argument("images", nargs="+", type=Path, help="photographs, or folders of them")
    options.add_model(predict, "smile for one picture, faces-7 for more")
    whose = predict.add_mutually_exclusive_group()
    whose.add_argument(
        "--people",
        choices=("one", "auto", "subfolders"),
        help="who is on the photographs: one person, the largest face of each; whoever dlib's face "
        "descriptor tells apart; or a person per subfolder. Each face is then measured from that "
        "person's other pictures",
    )
    whose.add_argument(
        "--reference",
        type=Path,
        metavar="DIR|FILE.ref",
        help="other pictures of the person, or a file written by `i2cnn enrol`",
    )
    predict.add_argument(
        "--save", type=Path, metavar="DIR", help="write annotated pictures into this folder"
    )
    predict.add_argument(
        "--explain", action="store_true", help="also name the patches that decided"
    )
    predict.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_engine(predict)


def _enrol(verbs: Verbs) -> None:
    enrol = verbs.add_parser(
        "enrol",
        help="write a person's reference file from their pictures, for `predict --reference`",
        description="Make a person's reference file. It describes a face: biometric data.",
    )
    enrol.set_defaults(run="i2cnn.cli.album:enrol")
    enrol.add_argument(
        "images", nargs="+", type=Path, help="photographs of one person, or a folder of them"
    )
    enrol.add_argument("--out", type=Path, required=True, metavar="FILE.ref", help="file to write")
    options.add_model(enrol, "faces-7")
    options.add_engine(enrol)


def _models(verbs: Verbs) -> None:
    models = verbs.add_parser("models", help="the recognisers that ship")
    models.set_defaults(run="i2cnn.cli.models:list_models")
    card = verbs.add_parser("card", help="what a recogniser was made of, and what it can't do")
    card.set_defaults(run="i2cnn.cli.models:print_card")
    card.add_argument("model", metavar="NAME|FOLDER", help="a name of `i2cnn models`, or a folder")


def _doctor(verbs: Verbs) -> None:
    doctor = verbs.add_parser("doctor", help="what is installed, and what is missing")
    doctor.set_defaults(run="i2cnn.cli.doctor:doctor")
    options.add_engine(doctor)


def _faces(verbs: Verbs) -> None:
    faces = verbs.add_parser("faces", help="step 1: find faces and landmarks -> faces.csv")
    faces.set_defaults(run="i2cnn.cli.faces:faces")
    options.add_dataset(faces)
    faces.add_argument("--out", type=Path, default=Path("faces.csv"), help="default: faces.csv")
    faces.add_argument(
        "--sheet", type=Path, metavar="PNG", help="also draw a contact sheet, to check landmarks"
    )


def _patches(verbs: Verbs) -> None:
    patches = verbs.add_parser(
        "patches",
        help="step 2: 60 patches per face -> Caffe LMDB",
        description=PATCHES,
        epilog=PATCHES_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    patches.set_defaults(run="i2cnn.cli.patches:patches")
    options.add_faces(patches, "; with --preview also a photograph")
    patches.add_argument(
        "--out", type=Path, metavar="LMDB", help="folder to write; must not exist yet"
    )
    patches.add_argument(
        "--preview",
        type=Path,
        metavar="PNG",
        help="draw the scheme and its patches on the first face of the CSV, or the largest of a "
        "photograph",
    )
    options.add_scheme(patches)
    options.add_encoding(patches)
    options.add_patch_count(patches)
    options.add_task(patches, "the CSV's own labels")
    _how_patches_are_written(patches)


def _how_patches_are_written(patches: argparse.ArgumentParser) -> None:
    patches.add_argument("--subjects", help="only these subjects, comma-separated")
    patches.add_argument(
        "--seed",
        type=options.seed,
        default=0,
        help="seed of the shuffle and of the jitter (default: 0)",
    )
    patches.add_argument(
        "--jitter",
        type=options.copies,
        default=0,
        metavar="N",
        help="also write N jittered copies of each patch, for training: rotated, scaled, shifted, "
        "brighter or darker (default: 0)",
    )
    patches.add_argument(
        "--mean", type=Path, help="also write the mean image to this file (.binaryproto)"
    )
    patches.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out and list faces that cannot be used (default: stop at the first)",
    )


def _train(verbs: Verbs) -> None:
    train = verbs.add_parser("train", help="step 3: train the network on two LMDBs")
    train.set_defaults(run="i2cnn.cli.train:train", resumes=True)
    train.add_argument(
        "--train", type=Path, required=True, metavar="LMDB", help="patches to train on"
    )
    train.add_argument(
        "--validation", type=Path, required=True, metavar="LMDB", help="patches to validate on"
    )
    train.add_argument(
        "--mean", type=Path, required=True, help="mean image of the training patches (.binaryproto)"
    )
    train.add_argument("--classes", type=int, required=True, help="number of classes")
    train.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for nets and snapshots"
    )
    options.add_schedule(train)
    train.add_argument(
        "--seed", type=options.seed, default=0, help="seed of the training (default: 0)"
    )
    options.add_engine(train)


def _features(verbs: Verbs) -> None:
    features = verbs.add_parser("features", help="step 4: fc7 features of every patch -> .npy")
    features.set_defaults(run="i2cnn.cli.features:features", resumes=True)
    options.add_faces(features)
    features.add_argument(
        "--net", type=Path, required=True, metavar="DIR", help="folder that `i2cnn train` wrote"
    )
    features.add_argument(
        "--out", type=Path, required=True, metavar="NPY", help="file to write (.npy)"
    )
    options.add_patch_count(features)
    options.add_scheme(features)
    options.add_engine(features)


def _svm(verbs: Verbs) -> None:
    svm = verbs.add_parser("svm", help="step 5: SVM on features, person-independent folds")
    svm.set_defaults(run="i2cnn.cli.svm:svm")
    svm.add_argument("features", type=Path, help=".npy written by `i2cnn features`")
    svm.add_argument(
        "--faces", type=Path, required=True, help="the faces.csv that the features are of"
    )
    svm.add_argument("--folds", type=int, default=10, help="number of folds (default: 10)")
    svm.add_argument("--seed", type=options.seed, default=0, help="seed of the folds (default: 0)")
    options.add_task(svm, "the CSV's own labels")
    svm.add_argument(
        "--out", type=Path, required=True, metavar="CSV", help="predictions to write (.csv)"
    )
