"""What the verbs of the command line do; each only calls the package."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from i2cnn.contact_sheet import contact_sheets
from i2cnn.database import database_contents, database_size, write_database
from i2cnn.datasets import load_dataset
from i2cnn.doctor import checks
from i2cnn.engine import choose_device, get_engine, set_device
from i2cnn.errors import InputError
from i2cnn.experiment import check_out, jobs_of
from i2cnn.experiment import evaluate as run_evaluation
from i2cnn.faces import Face, locate_faces, read_faces_csv, shared_finder, write_faces_csv
from i2cnn.features import Transform, extract_features, load_features
from i2cnn.files import atomic_path, digest, file_digest, locked
from i2cnn.folds import make_folds
from i2cnn.images import SUFFIXES, read_image, write_image
from i2cnn.job import RESULT_FILE, Execution
from i2cnn.labels import TASKS, Task, get_task
from i2cnn.metrics import Prediction, score, write_predictions
from i2cnn.network_job import NET_FILE, keep_best, train_network
from i2cnn.patches import SCHEMES, Scheme, get_scheme
from i2cnn.plan import make_plan, print_plan
from i2cnn.preview import draw_preview
from i2cnn.progress import progress, say
from i2cnn.prototxt import MEAN_FILE, template_schedule
from i2cnn.recogniser import FacePrediction, Recogniser, annotate
from i2cnn.report import compare, print_comparison, print_report, write_report
from i2cnn.settings import Settings
from i2cnn.svm import GramSVC, linear_gram
from i2cnn.torchcaffe.proto import TEST
from i2cnn.workers import Workers, slurm_parameters


def chosen_schedule(options: argparse.Namespace) -> dict[str, int]:
    """The profile's schedule, or a share of it, with what the options change of it."""
    schedule = template_schedule(options.profile)
    for name in ("max_iter", "validate_every", "patience"):
        if schedule[name]:
            schedule[name] = max(1, round(schedule[name] * options.schedule))
    given = {name: getattr(options, name) for name in schedule}
    return schedule | {name: value for name, value in given.items() if value is not None}


def make_settings(options: argparse.Namespace) -> Settings:
    """Settings of `evaluate`'s options; what is not given comes from the profile's prototxt."""
    schedule = chosen_schedule(options)
    schedule["validate_every"] = min(schedule["validate_every"], schedule["max_iter"])
    scheme = get_scheme(options.scheme)
    for k in options.k:
        scheme.select(k)
    task = options.task or ("folder" if options.dataset == "folder" else "seven")
    return Settings(
        dataset=options.dataset,
        root=None if options.path is None else str(options.path.resolve()),
        task=task,
        profile=options.profile,
        folds=options.folds,
        patch_counts=tuple(options.k),
        seeds=tuple(range(options.seeds)),
        rivals=options.rivals,
        encoding=options.encoding,
        points=options.points,
        # A table of one's own is found again from any folder.
        scheme=scheme.name if scheme.name in SCHEMES else str(Path(scheme.name).resolve()),
        scheme_digest=scheme.digest,
        **schedule,
    )


def evaluate(options: argparse.Namespace) -> int:
    """The whole run, then its report; status 1 if a job failed."""
    settings = make_settings(options)
    workers = Workers(options.jobs, options.slurm)
    if not options.slurm:  # a cluster's login node need not have the workers' devices
        choose_device(options.device)
    execution = Execution(options.engine, options.device, options.keep)
    check_out(options.out, settings)
    if options.slurm:
        slurm_parameters(workers, execution)
    if options.dry_run:
        jobs = jobs_of(settings, options.only_folds)
        left = [job for job in jobs if not (options.out / job.folder / RESULT_FILE).exists()]
        print_plan(make_plan(settings, execution, left), options.out, workers)
        return 0
    failures = run_evaluation(options.out, settings, execution, workers, options.only_folds)
    if len(failures) == len(jobs_of(settings, options.only_folds)):
        raise InputError(
            f"no job succeeded; the first, {failures[0].job.title}: {failures[0].reason}"
        )
    path = write_report(options.out)
    print_report(options.out)
    print(f"report: {path}")
    for failure in failures:
        print(f"i2cnn: error: {failure.job.title}: {failure.reason}", file=sys.stderr)
    if failures:
        print("The same command tries these again.", file=sys.stderr)
    return int(bool(failures))


def report(options: argparse.Namespace) -> None:
    """Write a run's report again, or compare several runs."""
    if len(options.runs) > 1:
        if len({run.resolve() for run in options.runs}) < len(options.runs):
            raise InputError("a run is given twice; give each once")
        out = options.out or Path("comparison.html")
        print_comparison(compare(options.runs, out))
        print(f"comparison: {out}")
        return
    (run,) = options.runs
    if options.out is not None:
        raise InputError(f"--out is for several runs; the report of one is in {run / 'report'}")
    path = write_report(run)
    print_report(run)
    print(f"report: {path}")


def demo(options: argparse.Namespace) -> None:
    """The main job on the embedded faces."""
    from i2cnn.demo import run_demo

    run_demo(options.out, options.engine, choose_device(options.device))


def predict(options: argparse.Namespace) -> int:
    """Expressions of the faces in photographs.

    Status 1 if a picture cannot be read or has no face; the others are done all the same.
    """
    if options.save:
        _check_names(options.images)
    recogniser = Recogniser(options.model, options.engine, options.device)
    answers: list[dict[str, Any]] = []
    status = 0
    for path in options.images:
        try:
            image, found = _recognise(recogniser, path)
        except InputError as error:
            print(f"i2cnn: error: {error}", file=sys.stderr)
            status = 1
            continue
        if not found:
            status = 1
        if options.save:
            write_image(options.save / _annotated(path), annotate(image, found))
        if options.json:
            answers += _answers(path, found, options.explain)
        else:
            _print_faces(path, found, recogniser.labels, options.explain)
    if options.json:
        print(json.dumps(answers, indent=1))
    return status


def _recognise(recogniser: Recogniser, path: Path) -> tuple[np.ndarray, list[FacePrediction]]:
    """A picture and its faces; InputError names the picture."""
    image = read_image(path)
    try:
        return image, recogniser.predict(image)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def _answers(path: Path, found: Sequence[FacePrediction], explain: bool) -> list[dict[str, Any]]:
    """An entry of `predict --json` for each face, or one that says there is none."""
    if not found:
        none: dict[str, Any] = {"box": None, "found": None, "label": None, "scores": {}}
        return [{"image": str(path), **none, **({"patches": {}} if explain else {})}]
    return [
        {
            "image": str(path),
            "box": list(p.detection.box),
            "found": p.detection.found,
            "label": p.label,
            "scores": p.scores,
            **({"patches": p.patches} if explain else {}),
        }
        for p in found
    ]


def _print_faces(
    path: Path, found: Sequence[FacePrediction], labels: Sequence[str], explain: bool
) -> None:
    if not found:
        print(f"{path}: no face found")
        return
    console = Console(highlight=False)
    table = Table(title=str(path), caption="Scores are shares of the SVM's votes.")
    table.add_column("face")
    for label in labels:
        table.add_column(label, justify="right")
    for number, p in enumerate(found, 1):
        cells = [
            f"[bold]{v:.2f}[/]" if name == p.label else f"{v:.2f}" for name, v in p.scores.items()
        ]
        table.add_row(f"{number}: {p.label}", *cells)
    console.print(table)
    if explain:
        for number, p in enumerate(found, 1):
            ranked = sorted(p.patches.items(), key=lambda item: -item[1])
            best = ", ".join(f"{name} {value:+.2f}" for name, value in ranked[:5])
            console.print(f"  face {number}, for {p.label}: {best}", markup=False)


def _annotated(path: Path) -> str:
    return f"{path.stem}_expressions.png"


def _check_names(images: Sequence[Path]) -> None:
    """Refuse photographs whose annotated pictures would have one name."""
    names: dict[str, Path] = {}
    for path in images:
        other = names.setdefault(_annotated(path), path)
        if other != path:
            raise InputError(
                f"{other} and {path} would both be saved as {_annotated(path)}; give them to two "
                "commands with a --save of their own"
            )


def doctor(options: argparse.Namespace) -> int:
    """What is installed; status 1 if something a run needs is missing."""
    table = Table(show_header=False)
    good = True
    for subject, well, found in checks(options.engine, options.device):
        good &= well
        table.add_row("[green]ok[/]" if well else "[red]missing[/]", subject, found)
    Console(highlight=False).print(table)
    return 0 if good else 1


def faces(options: argparse.Namespace) -> None:
    """Find faces and landmarks of a data set."""
    dataset = load_dataset(options.dataset, options.path, options.task)
    print("\n".join(dataset.summary()))
    with progress("faces") as show:
        found, notes = locate_faces(
            dataset, use_given_points=options.points == "given", progress=show
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
    chosen_patches = scheme.select(len(scheme) if options.k is None else options.k)
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
            patches=chosen_patches,
            encoding=options.encoding,
            seed=options.seed,
            mean_file=options.mean,
            scheme=options.scheme,
            skip_bad=options.skip_bad,
            classes=task.labels,
            progress=show,
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
    trained = database_contents(options.net).get("scheme", scheme.digest)
    if trained != scheme.digest:
        raise InputError(
            f"{options.net}: was trained on patches of another scheme than {options.scheme}; give "
            "the --scheme that its databases were written with"
        )
    net = engine.Net(str(options.net / "deploy.prototxt"), TEST, weights=str(weights))
    with progress("features") as show:
        result = extract_features(
            net,
            Transform.from_job(options.net),
            chosen,
            root,
            options.out,
            patches=scheme.select(len(scheme) if options.k is None else options.k),
            scheme=options.scheme,
            fingerprint=digest([str(weights.resolve()), weights.stat().st_mtime_ns]),
            progress=show,
        )
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
