"""`i2cnn faces`: step 1, from a data set to faces with five landmarks each."""

from __future__ import annotations

import argparse
import shlex
from collections import Counter
from pathlib import Path

from i2cnn.cli.review import review
from i2cnn.datasets import load_dataset
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.finder import FaceFinder
from i2cnn.faces.locate import LeaveOut, locate_faces
from i2cnn.faces.table import LEFT_OUT, read_all_rows, write_faces_csv
from i2cnn.util.errors import InputError
from i2cnn.util.files import check_writable
from i2cnn.util.images import check_picture_name
from i2cnn.util.progress import progress, say
from i2cnn.util.text import show


def faces(options: argparse.Namespace) -> int:
    """Find faces and landmarks of a data set; status 3 if pictures were left out."""
    if options.review:
        return review(options)
    check_writable(options.out)
    _check_nothing_is_lost(options.out)
    if options.sheet:
        check_picture_name(options.sheet)
        check_writable(options.sheet)
    dataset = load_dataset(options.dataset, options.path, options.task)
    show(*dataset.summary())
    with progress("faces") as update:
        located = locate_faces(
            dataset,
            FaceFinder(whole=True) if options.whole else None,
            use_given_points=options.points == "given",
            update=update,
            leave_out=LeaveOut(options.skip_bad, options.drop_guessed),
            table=options.out,
        )
    write_faces_csv(options.out, located.faces)
    for note in located.notes:
        say(f"  {note}")
    kinds = Counter(face.found for face in located.faces)
    root = f"--root {shlex.quote(str(dataset.root))}"
    show(
        f"{options.out}: {len(located.faces)} faces ("
        + ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
        + f"); {root}"
    )
    if options.sheet:
        for path in contact_sheets(located.faces, dataset.root, options.sheet):
            show(path)
    review_it = f"i2cnn faces --review {shlex.quote(str(options.out))} {root}"
    remedy = f"correct them ({review_it}), or repeat with --drop-guessed"
    for line in located.account(remedy):
        say(line)
    return 3 if located.left_out else 0


def _check_nothing_is_lost(out: Path) -> None:
    """InputError if a person's corrections would be overwritten."""
    if not out.is_file():
        return
    by_hand = sum(face.found in ("manual", *LEFT_OUT) for face in read_all_rows(out))
    if by_hand:
        raise InputError(
            f"{out}: {by_hand} of its rows were corrected by a person; choose another --out, or "
            "delete it"
        )
