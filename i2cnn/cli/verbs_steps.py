"""Verbs of the single steps: faces, patches, train, features, svm."""

from __future__ import annotations

import argparse
from pathlib import Path

from i2cnn.cli import options
from i2cnn.cli.arguments import Verbs
from i2cnn.patches import PATCH_SIZE

FACES = """\
Find the face of each picture, and its five landmarks; or correct them on a page.

  i2cnn faces --dataset jaffe PATH --out faces.csv
  i2cnn faces --review faces.csv --root PATH
  i2cnn faces --review RUN
"""
FACES_END = """\
Stop it at any time; the same command continues where it stopped (what was found so far is kept in
faces.csv.partial until faces.csv is written).

Exit status: 0 every picture has its face; 1 an error; 3 written without the pictures that are
listed as left out; 130 stopped by Ctrl-C or SIGTERM.
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
faces that --skip-bad lists; 130 stopped by Ctrl-C or SIGTERM.
"""


def add_convert(verbs: Verbs) -> None:
    """`i2cnn convert`."""
    convert = verbs.add_parser(
        "convert",
        help="step 0: the pictures of FER2013's or CK+'s CSV file -> folders",
        description="Write the pictures of a CSV file with emotion, pixels and Usage, as FER2013's "
        "and CK+'s, into FOLDER/train|validation|test/LABEL, which --dataset split reads.",
    )
    convert.set_defaults(run="i2cnn.cli.convert:convert")
    convert.add_argument("table", type=Path, help="the CSV file")
    convert.add_argument("out", type=Path, metavar="FOLDER", help="must not exist yet")


def add_faces(verbs: Verbs) -> None:
    """`i2cnn faces`."""
    faces = verbs.add_parser(
        "faces",
        help="step 1: find faces and landmarks -> faces.csv",
        description=FACES,
        epilog=FACES_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    faces.set_defaults(run="i2cnn.cli.faces:faces", resumes=True)
    options.add_dataset(faces)
    options.add_leave_out(faces)
    options.add_whole(faces)
    faces.add_argument("--out", type=Path, default=Path("faces.csv"), help="default: faces.csv")
    faces.add_argument(
        "--sheet", type=Path, metavar="PNG", help="also draw a contact sheet, to check landmarks"
    )
    review = faces.add_argument_group("review (needs pip install 'i2cnn[serve]')")
    review.add_argument(
        "--review",
        type=Path,
        metavar="RUN|CSV",
        help="open a page to correct the faces of a table, or of a run without results: drag "
        "points, say what is no face or left out. Every decision is saved at once",
    )
    review.add_argument(
        "--root",
        type=Path,
        help="folder that image paths in the CSV are relative to (default: the CSV's folder)",
    )
    options.add_address(review)


def add_patches(verbs: Verbs) -> None:
    """`i2cnn patches`."""
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
        "--size",
        type=options.patch_size,
        default=PATCH_SIZE,
        metavar="PIXELS",
        help=f"side of a patch (default: {PATCH_SIZE}; the profiles quick and better take 64)",
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


def add_train(verbs: Verbs) -> None:
    """`i2cnn train`."""
    train = verbs.add_parser(
        "train",
        help="step 3: train the network on two LMDBs",
        description="Train a profile's network on patches, and stop once the accuracy on others no "
        "longer rises. DIR/net.caffemodel is the best one. Stop it at any time; the same command "
        "continues.",
    )
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
    options.add_tensorboard(train)
    options.add_engine(train)
    options.add_precision(train)


def add_features(verbs: Verbs) -> None:
    """`i2cnn features`."""
    features = verbs.add_parser(
        "features",
        help="step 4: features of every patch -> .npy",
        description="Write what the SVM takes of a trained network: an array of faces x patches x "
        "numbers. Stop it at any time; the same command continues.",
    )
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
    options.add_precision(features)


def add_svm(verbs: Verbs) -> None:
    """`i2cnn svm`."""
    svm = verbs.add_parser(
        "svm",
        help="step 5: SVM on features, person-independent folds",
        description="Tune, fit and test an SVM in folds that keep people apart. A network that "
        "these people have trained makes them look easy: `evaluate` trains one per fold.",
    )
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
