"""`i2cnn svm`: step 5, SVMs over person-independent folds of features."""

from __future__ import annotations

import argparse

import numpy as np

from i2cnn.cli.inputs import chosen_task, class_numbers
from i2cnn.evaluation.folds import make_folds
from i2cnn.evaluation.predictions import Prediction, write_predictions
from i2cnn.faces.table import read_faces_csv
from i2cnn.network.features import load_features
from i2cnn.report.scores import score
from i2cnn.svm.fitted_faces import FittedFaces
from i2cnn.svm.gram import FoldGram, linear_gram
from i2cnn.svm.gram_svc import fit_and_predict
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.progress import say
from i2cnn.util.text import show


def svm(options: argparse.Namespace) -> None:
    """Person-independent SVM on features."""
    check_writable(options.out)
    chosen = read_faces_csv(options.faces)
    if all(f.subject == f.image for f in chosen):
        raise InputError(
            f"{options.faces}: does not say who is shown, so that people cannot be kept apart; use "
            "i2cnn evaluate --dataset split, which keeps to the set's own split; if every picture "
            "shows another person, call the subjects something else than the pictures"
        )
    stored = load_features(options.features, chosen)
    task = chosen_task(options, [f.label for f in chosen])
    labels = np.array(class_numbers(chosen, task, options.faces))
    subjects = np.array([f.subject for f in chosen])
    folds = make_folds(list(subjects), [f.label for f in chosen], options.folds, options.seed)
    try:
        gram = linear_gram(stored)
    except InputError as error:
        raise InputError(f"{options.features}: {error}") from None
    rows = []
    for number, fold in enumerate(folds.folds, 1):
        tested = np.flatnonzero(np.isin(subjects, fold.test))
        fitted = np.flatnonzero(~np.isin(subjects, fold.test))
        faces = FittedFaces(labels[fitted], subjects[fitted])
        model, named = fit_and_predict(FoldGram.of(gram, fitted, tested), faces)
        rows += [
            Prediction(number, chosen[i].image, chosen[i].subject, chosen[i].label, task.labels[p])
            for i, p in zip(tested, named, strict=True)
        ]
        say(f"fold {number}: SVM {model.choice_.kernel}, C {model.choice_.C:g}")
    write_predictions(options.out, rows)
    result = score([rows], task.labels)
    show(
        f"{options.out}: accuracy {result.mean:.1%} (mean of {len(folds)} folds, standard "
        f"deviation {result.std:.1%}), macro-F1 {result.macro_f1:.3f}"
    )
    show("If the network saw these people in training, this does not test it.")
