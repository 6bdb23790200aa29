"""`i2cnn faces --review`: a person corrects the landmarks of a table or of a run on a page."""

from __future__ import annotations

import argparse
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from i2cnn.cli.inputs import root_of
from i2cnn.evaluation.run import reviewed_run
from i2cnn.faces.table import read_all_rows
from i2cnn.pages import check_installed
from i2cnn.util.errors import InputError
from i2cnn.util.text import show


def review(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C; every decision is saved at once."""
    check_installed()
    if options.path:
        raise InputError(f"{options.path}: --review takes the folder of the pictures with --root")
    from i2cnn.pages.listen import bound_socket, serve_until_stopped
    from i2cnn.pages.review import Review, review_app

    with _table_of(options) as (table, root):
        page = Review(table, root)
        with bound_socket(options.host, options.port) as listener:
            serve_until_stopped(listener, lambda: review_app(page))
    show(f"{table}: saved")
    return 0


def _table_of(options: argparse.Namespace) -> AbstractContextManager[tuple[Path, Path]]:
    """The table that is reviewed, and the folder of its pictures."""
    given: Path = options.review
    if given.is_dir():
        return reviewed_run(given)
    return nullcontext((given, root_of(given, read_all_rows(given), options.root)))
