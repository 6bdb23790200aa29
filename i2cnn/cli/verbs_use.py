"""Verbs that use recognisers: predict, enrol, serve, models, doctor."""

from __future__ import annotations

import argparse
from pathlib import Path

from i2cnn.cli import options
from i2cnn.cli.arguments import Verbs

PREDICT = """\
Name the expressions of faces. A person's own pictures are the best reference there is: with several
of them, say whose they are.

  i2cnn predict photo.jpg
  i2cnn predict ALBUM --people one
  i2cnn predict photo.jpg --reference ALBUM
"""
PREDICT_END = """\
Exit status: 0 every picture or video shows a face; 1 an error, or one shows no face or cannot be
read (the others are still answered); 130 stopped by Ctrl-C (but for --camera) or SIGTERM.
"""


def add_predict(verbs: Verbs) -> None:
    """`i2cnn predict`."""
    predict = verbs.add_parser(
        "predict",
        help="expressions of the faces in photographs",
        description=PREDICT,
        epilog=PREDICT_END,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.set_defaults(run="i2cnn.cli.predict:predict")
    predict.add_argument(
        "images",
        nargs="*",
        type=Path,
        help="photographs, folders of them, .txt files that list them; or videos",
    )
    options.add_model(predict, "faces-7 for several pictures, --people and --reference; else smile")
    whose = predict.add_mutually_exclusive_group()
    whose.add_argument(
        "--people",
        choices=("one", "auto", "subfolders", "follow"),
        help="who is on the photographs: one person, the largest face of each; whoever dlib's face "
        "descriptor tells apart; or a person per subfolder. Each face is then measured from the "
        "mean of that person's pictures. In a video, follow: from its own latest frames",
    )
    whose.add_argument(
        "--reference",
        type=Path,
        metavar="DIR|FILE.ref",
        help="other pictures of the person, or a file written by `i2cnn enrol`",
    )
    options.add_whole(predict)
    predict.add_argument(
        "--save",
        type=Path,
        metavar="DIR",
        help="write annotated pictures into this folder, and a page of all faces by label",
    )
    predict.add_argument(
        "--explain",
        action="store_true",
        help="also name the patches that decided, and with --save draw where they are",
    )
    predict.add_argument(
        "--json", action="store_true", help="print a line of JSON per face instead of tables"
    )
    predict.add_argument(
        "--csv",
        metavar="FILE",
        help="write a CSV row per face, into a file or, with -, instead of the tables",
    )
    predict.add_argument(
        "--resume",
        action="store_true",
        help="go on with the table of --csv: what it has already is not done again",
    )
    predict.add_argument(
        "--every",
        type=options.number,
        default=1,
        metavar="N",
        help="read every Nth frame of a video (default: 1)",
    )
    predict.add_argument(
        "--camera",
        type=int,
        nargs="?",
        const=0,
        metavar="N",
        help="read the camera, the first one by default, until Ctrl-C",
    )
    options.add_engine(predict)


def add_enrol(verbs: Verbs) -> None:
    """`i2cnn enrol`."""
    enrol = verbs.add_parser(
        "enrol",
        help="write a person's reference file from their pictures, for `predict --reference`",
        description="Make a person's reference file. It describes a face: biometric data.",
        epilog="Exit status: 0 all pictures are in it; 1 an error, nothing was written; 3 written "
        "without the pictures that are listed as unusable or without a face; 130 stopped by Ctrl-C "
        "or SIGTERM.",
    )
    enrol.set_defaults(run="i2cnn.cli.album:enrol")
    enrol.add_argument(
        "images", nargs="+", type=Path, help="photographs of one person, or a folder of them"
    )
    enrol.add_argument("--out", type=Path, required=True, metavar="FILE.ref", help="file to write")
    options.add_whole(enrol)
    options.add_model(enrol, "faces-7")
    options.add_engine(enrol)


def add_serve(verbs: Verbs) -> None:
    """`i2cnn serve`."""
    serve = verbs.add_parser(
        "serve",
        help="a web page and a REST endpoint that name expressions",
        description="Serve a page for pictures and the camera, and a REST endpoint. Nothing that "
        "is sent is kept. Needs pip install 'i2cnn[serve]'.",
    )
    serve.set_defaults(run="i2cnn.cli.serve:serve")
    options.add_model(serve, "smile")
    options.add_address(serve)
    options.add_whole(serve)
    options.add_engine(serve)


def add_models(verbs: Verbs) -> None:
    """`i2cnn models`."""
    models = verbs.add_parser(
        "models",
        help="the recognisers that ship",
        description="List the recognisers that are installed, with a line of their cards.",
    )
    models.set_defaults(run="i2cnn.cli.models:list_models")
    card = verbs.add_parser(
        "card",
        help="what a recogniser was made of, and what it can't do",
        description="Print what a recogniser was made of, how accurate it is on people whom it has "
        "not seen, and what it can't do.",
    )
    card.set_defaults(run="i2cnn.cli.models:print_card")
    card.add_argument("model", metavar="NAME|FOLDER", help="a name of `i2cnn models`, or a folder")
    card.add_argument("--out", type=Path, metavar="FILE.md", help="write it instead of printing it")


def add_doctor(verbs: Verbs) -> None:
    """`i2cnn doctor`."""
    doctor = verbs.add_parser(
        "doctor",
        help="what is installed, and what is missing",
        description="Say what is installed, and which engine and device are used. Exit status: 0, "
        "or 1 if something that a run needs is missing.",
    )
    doctor.set_defaults(run="i2cnn.cli.doctor:doctor")
    options.add_engine(doctor)
