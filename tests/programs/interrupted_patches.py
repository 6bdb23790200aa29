"""`i2cnn patches`, interrupted by Ctrl-C after 100 faces: `interrupted_patches.py FOLDER WORDS...`.

The signal comes in the middle of the work, however busy the machine is.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from i2cnn.cli import patches
from i2cnn.cli.main import main
from i2cnn.util.progress import Callback

partial = Path(sys.argv[1]) / ".db.partial" / "data.mdb"


def interrupt(done: int, total: int) -> None:
    if done == 100:
        assert partial.exists()
        os.kill(os.getpid(), signal.SIGINT)


@contextmanager
def interrupting_progress(title: str) -> Iterator[Callback]:
    yield interrupt


patches.progress = interrupting_progress
sys.exit(main(sys.argv[2:]))
