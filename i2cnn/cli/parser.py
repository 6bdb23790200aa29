"""The parser of the whole command line.

Each verb names the function that runs it as "module:function"; it is imported only when it runs.
"""

from __future__ import annotations

import argparse

from i2cnn import __version__
from i2cnn.cli.arguments import Parser
from i2cnn.cli.verbs_run import add_demo, add_evaluate, add_report
from i2cnn.cli.verbs_steps import (
    add_convert,
    add_faces,
    add_features,
    add_patches,
    add_svm,
    add_train,
)
from i2cnn.cli.verbs_use import add_doctor, add_enrol, add_models, add_predict, add_serve

DESCRIPTION = """\
Facial expressions from 60 patches per face, one Caffe network and an SVM: the I2CNN paper,
replicated.

  i2cnn demo                                      the whole pipeline on faces that ship with it
  i2cnn evaluate --dataset jaffe PATH --out RUN   the paper's evaluation on your copy of JAFFE
  i2cnn predict photo.jpg                         expressions of the faces in a photograph
  i2cnn predict ALBUM --people one                ... measured from a person's own pictures
  i2cnn serve                                     ... on a page, with a camera
  i2cnn doctor                                    what is installed, and what is missing
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
    for add in (add_demo, add_evaluate, add_report, add_predict, add_enrol, add_serve):
        add(verbs)
    for add in (add_models, add_doctor):
        add(verbs)
    for add in (add_convert, add_faces, add_patches, add_train, add_features, add_svm):
        add(verbs)
    verbs.add_parser(
        "caffe", help="Caffe's command line: train, test, time, run, check, export, ..."
    )
    return parser
