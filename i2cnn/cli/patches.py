"""`i2cnn patches`: step 2, from faces to an LMDB of patches, or a picture of them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from i2cnn.cli.inputs import chosen_task, class_numbers, load_faces
from i2cnn.datasets.labels import Task
from i2cnn.faces.finder import shared_finder
from i2cnn.faces.locate import Located
from i2cnn.faces.table import Face
from i2cnn.patches.lmdb_writer import DatabaseOptions, write_database
from i2cnn.patches.preview import draw_preview
from i2cnn.patches.schemes import PatchSet, Scheme, get_scheme
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.images import check_picture_name, read_image, write_image
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.progress import progress, say
from i2cnn.util.text import show


def patches(options: argparse.Namespace) -> int:
    """Write an LMDB of patches, draw a face's, or both; status 3 if faces were left out."""
    if options.out is None and options.preview is None:
        raise InputError("nothing to do: give --out LMDB, --preview PNG or both")
    scheme = get_scheme(options.scheme)
    chosen_patches = PatchSet.of(scheme, options.k)
    if options.preview is not None:
        check_picture_name(options.preview)
        check_writable(options.preview)
    if options.mean is not None and options.mean.exists():
        raise InputError(
            f"{options.mean}: already exists, and a net may have been trained with it; delete it "
            "or choose another name (only the mean of the training patches is needed)"
        )
    if options.faces.suffix.lower() in SUFFIXES:
        if options.out is not None:
            raise InputError(
                f"{options.faces}: --out needs a faces.csv, which `i2cnn faces` writes; "
                "a photograph can only be drawn"
            )
        _preview_photograph(options.faces, scheme, options.preview)
        return 0
    faces, root = load_faces(options)
    labels = [face.label for face in faces]
    if options.subjects:
        faces = _of_subjects(faces, options)
    if options.preview is not None:
        image = read_image(root / faces[0].image)
        write_image(options.preview, draw_preview(image, faces[0].points, scheme))
        show(options.preview)
    if options.out is None:
        return 0
    return _write(faces, root, chosen_task(options, labels), chosen_patches, options)


def _of_subjects(faces: Sequence[Face], options: argparse.Namespace) -> list[Face]:
    """The faces of `--subjects`; InputError names subjects that have none."""
    wanted = {name.strip() for name in options.subjects.split(",")} - {""}
    absent = sorted(wanted - {face.subject for face in faces})
    if absent or not wanted:
        names = ", ".join(absent) or options.subjects
        raise InputError(f"{options.faces}: no face of subject {names}")
    return [face for face in faces if face.subject in wanted]


def _write(
    faces: Sequence[Face], root: Path, task: Task, chosen: PatchSet, options: argparse.Namespace
) -> int:
    """Write the LMDB and say what is in it; the exit status."""
    for line in Located(list(faces)).account("`i2cnn faces --drop-guessed` leaves them out"):
        say(line)
    with progress("patches") as update:
        info = write_database(
            faces,
            class_numbers(faces, task, options.faces),
            root,
            options.out,
            DatabaseOptions(
                chosen,
                options.encoding,
                size=options.size,
                seed=options.seed,
                jitter=options.jitter,
                classes=task.labels,
                skip_bad=options.skip_bad,
            ),
            mean_file=options.mean,
            update=update,
        )
    show(
        f"{options.out}: {info.records} patches of {info.faces} faces, {info.bytes / 1e6:.1f} MB; "
        f"classes {', '.join(f'{i} {label}' for i, label in enumerate(task.labels))}"
    )
    for reason in info.skipped:
        say(f"left out: {reason}")
    if info.skipped:
        say(f"{len(info.skipped)} of {len(faces)} faces were left out")
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
    show(out)
