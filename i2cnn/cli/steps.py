"""The steps of an evaluation, one by one, as verbs of the command line."""

from __future__ import annotations

import argparse
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from i2cnn.cli.commands import chosen_schedule
from i2cnn.datasets import load_dataset
from i2cnn.datasets.labels import TASKS, Task, get_task
from i2cnn.evaluation.folds import make_folds
from i2cnn.evaluation.jobs import Execution
from i2cnn.evaluation.network_job import NET_FILE, keep_best, train_network
from i2cnn.evaluation.predictions import Prediction, write_predictions
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.finder import shared_finder
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import Face, read_faces_csv, write_faces_csv
from i2cnn.network.engine import choose_device, get_engine, set_device
from i2cnn.network.features import FeatureExtractor, extract_features, load_features
from i2cnn.network.profiles import MEAN_FILE
from i2cnn.network.transform import Transform
from i2cnn.patches.lmdb_facts import database_contents, database_size
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.preview import draw_preview
from i2cnn.patches.schemes import PatchSet, Scheme, get_scheme
from i2cnn.report.scores import score
from i2cnn.svm.gram_svc import GramSVC, linear_gram
from i2cnn.torchcaffe.proto import TEST
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_path, digest, file_digest, locked
from i2cnn.util.images import SUFFIXES, read_image, write_image
from i2cnn.util.progress import progress, say


def faces(options: argparse.Namespace) -> None:
    """Find faces and landmarks of a data set."""
    dataset = load_dataset(options.dataset, options.path, options.task)
    print("\n".join(dataset.summary()))
    with progress("faces") as show:
        found, notes = locate_faces(
            dataset, use_given_points=options.points == "given", update=show
        )
    write_faces_csv(options.out, found)
    for note in notes:
        say(f"  {note}")
    kinds = Counter(face.found for face in found)
    print(
        f"{options.out}: {len(found)} faces ("
        + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        + f"); --root {dataset.root}"
    )
    if options.sheet:
        for path in contact_sheets(found, dataset.root, options.sheet):
            print(path)


def _load_faces(options: argparse.Namespace) -> tuple[list[Face], Path]:
    return read_faces_csv(options.faces), options.root or options.faces.parent


def _task(options: argparse.Namespace, labels: Sequence[str]) -> Task:
    if options.task:
        return get_task(options.task)
    known = [x for x in TASKS["seven"].labels if x in labels]
    return Task("folder", tuple(known + sorted(set(labels) - set(known))))


def patches(options: argparse.Namespace) -> int:
    """Write an LMDB of patches, draw a face's, or both; status 3 if faces were left out."""
    if options.out is None and options.preview is None:
        raise InputError("nothing to do: give --out LMDB, --preview PNG or both")
    scheme = get_scheme(options.scheme)
    chosen_patches = PatchSet.of(scheme, options.k)
    if options.mean is not None and options.mean.exists():
        raise InputError(
            f"{options.mean}: exists already, and a net may have been trained with it; delete it, "
            "or choose another name (only the training patches' mean is needed)"
        )
    if options.faces.suffix.lower() in SUFFIXES:
        if options.out is not None:
            raise InputError(
                f"{options.faces}: --out wants a faces.csv, which `i2cnn faces` writes; "
                "a photograph can only be drawn"
            )
        _preview_photograph(options.faces, scheme, options.preview)
        return 0
    chosen, root = _load_faces(options)
    labels = [f.label for f in chosen]
    if options.subjects:
        wanted = {name.strip() for name in options.subjects.split(",")}
        absent = sorted(wanted - {f.subject for f in chosen})
        if absent:
            raise InputError(f"{options.faces}: no face of subject {', '.join(absent)}")
        chosen = [f for f in chosen if f.subject in wanted]
    if options.preview is not None:
        image = read_image(root / chosen[0].image)
        write_image(options.preview, draw_preview(image, chosen[0].points, scheme))
        print(options.preview)
    if options.out is None:
        return 0
    task = _task(options, labels)
    with progress("patches") as show:
        info = write_database(
            chosen,
            [task.index(f.label) for f in chosen],
            root,
            options.out,
            DatabaseOptions(
                chosen_patches,
                options.encoding,
                seed=options.seed,
                classes=task.labels,
                skip_bad=options.skip_bad,
            ),
            mean_file=options.mean,
            update=show,
        )
    print(
        f"{options.out}: {info.records} patches of {info.faces} faces, {info.bytes / 1e6:.1f} MB; "
        f"classes {', '.join(f'{i} {label}' for i, label in enumerate(task.labels))}"
    )
    for reason in info.skipped:
        say(f"left out: {reason}")
    if info.skipped:
        say(f"{len(info.skipped)} of {len(chosen)} faces were left out")
    return 3 if info.skipped else 0


def _preview_photograph(path: Path, scheme: Scheme, out: Path) -> None:
    image = read_image(path)
    face, number = shared_finder().find_one(image)
    if number == 0:
        raise InputError(
            f"{path}: no face was found; take a picture of a face seen from the front, or a "
            "faces.csv with its landmarks"
        )
    if number > 1:
        say(f"{path}: {number} faces, the largest is drawn")
    write_image(out, draw_preview(image, face.points, scheme))
    print(out)


def train(options: argparse.Namespace) -> None:
    """Train the network on two LMDBs."""
    schedule = chosen_schedule(options)
    if not options.mean.is_file():
        raise InputError(f"{options.mean}: no such file; `i2cnn patches --mean` writes it")
    for database in (options.train, options.validation):
        database_size(database)
    options.out.mkdir(parents=True, exist_ok=True)
    with locked(options.out, "another command is training there; wait for it or stop it"):
        _keep_mean(options.mean, options.out)
        training = train_network(
            options.out,
            options.profile,
            classes=options.classes,
            schedule=schedule,
            seed=options.seed,
            execution=Execution(options.engine, choose_device(options.device)),
            databases=(str(options.train.resolve()), str(options.validation.resolve())),
        )
    net = keep_best(options.out, training)
    print(
        f"{net}: validation accuracy {training.best.accuracy:.1%} at iteration "
        f"{training.best.iteration} of {training.curve[-1].iteration} ({training.reason})"
    )


def _keep_mean(mean: Path, folder: Path) -> None:
    """A net's own copy of its mean image, which nobody overwrites."""
    own = folder / MEAN_FILE
    if not own.exists():
        with atomic_path(own) as partial:
            shutil.copyfile(mean, partial)
    elif file_digest(own) != file_digest(mean):
        raise InputError(
            f"{folder}: holds a training with another mean image; choose another folder, or delete "
            "this one to train anew"
        )


def features(options: argparse.Namespace) -> None:
    """fc7 of every patch."""
    chosen, root = _load_faces(options)
    engine = get_engine(options.engine)
    set_device(engine, choose_device(options.device))
    weights = options.net / NET_FILE
    if not weights.is_file():
        raise InputError(f"{weights}: no such file; `i2cnn train` writes it")
    scheme = get_scheme(options.scheme)
    trained = database_contents(options.net)
    if trained is not None and trained.scheme != scheme.digest:
        raise InputError(
            f"{options.net}: was trained on patches of another scheme than {options.scheme}; give "
            "the --scheme that its databases were written with"
        )
    net = engine.Net(str(options.net / "deploy.prototxt"), TEST, weights=str(weights))
    extractor = FeatureExtractor(
        net,
        Transform.from_training_folder(options.net),
        fingerprint=digest([str(weights.resolve()), weights.stat().st_mtime_ns]),
    )
    patches = PatchSet.of(scheme, options.k)
    with progress("features") as show:
        result = extract_features(extractor, chosen, root, options.out, patches, show)
    print(f"{options.out}: {result.shape[0]} faces x {result.shape[1]} patches x {result.shape[2]}")


def svm(options: argparse.Namespace) -> None:
    """Person-independent SVM on features."""
    chosen = read_faces_csv(options.faces)
    stored = load_features(options.features, chosen)
    task = _task(options, [f.label for f in chosen])
    labels = np.array([task.index(f.label) for f in chosen])
    subjects = np.array([f.subject for f in chosen])
    folds = make_folds(list(subjects), [f.label for f in chosen], options.folds, options.seed)
    gram = linear_gram(stored)
    rows = []
    for number, fold in enumerate(folds.folds, 1):
        tested = np.flatnonzero(np.isin(subjects, fold.test))
        fitted = np.flatnonzero(~np.isin(subjects, fold.test))
        model = GramSVC().fit(gram[np.ix_(fitted, fitted)], labels[fitted], subjects[fitted])
        named = model.predict(gram[np.ix_(tested, fitted)], np.diag(gram)[tested])
        rows += [
            Prediction(number, chosen[i].image, chosen[i].subject, chosen[i].label, task.labels[p])
            for i, p in zip(tested, named, strict=True)
        ]
        say(f"fold {number}: SVM {model.choice_.kernel}, C {model.choice_.C:g}")
    write_predictions(options.out, rows)
    result = score([rows], task.labels)
    print(
        f"{options.out}: accuracy {result.mean:.1%} (mean of {len(folds)} folds, standard "
        f"deviation {result.std:.1%}), macro-F1 {result.macro_f1:.3f}"
    )
    print("If the network saw these people in training, this is not a test of it.")
