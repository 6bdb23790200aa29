"""`i2cnn faces`: step 1, from a data set to faces with five landmarks each."""

from __future__ import annotations

import argparse
from collections import Counter

from i2cnn.datasets import load_dataset
from i2cnn.faces.contact_sheet import contact_sheets
from i2cnn.faces.locate import locate_faces
from i2cnn.faces.table import write_faces_csv
from i2cnn.util.progress import progress, say


def faces(options: argparse.Namespace) -> None:
    """Find faces and landmarks of a data set."""
    dataset = load_dataset(options.dataset, options.path, options.task)
    print("\n".join(dataset.summary()))
    with progress("faces") as update:
        found, notes = locate_faces(
            dataset, use_given_points=options.points == "given", update=update
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
