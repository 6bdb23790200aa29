"""Forks writers of one database: `fork_writers.py kills FOLDER N` or `fork_writers.py race FOLDER`.

They are forked, since starting Python takes longer than they run.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

from i2cnn.util.errors import InputError
from tests.helpers.databases import database_digest, write_faces

DONE, BUSY = 0, 3


def fork(out: Path) -> int:
    """Process that writes a database."""
    child = os.fork()
    if child:
        return child
    try:
        write_faces(out, number=6, encoding="raw", threads=2)
    except InputError:
        os._exit(BUSY)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(DONE)


def status(child: int) -> int:
    """Exit status of a process, once it has ended."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def write_reference(folder: Path) -> tuple[str, float]:
    """Digest of an undisturbed database, which stays in the folder, and the seconds it took."""
    assert status(fork(folder / "reference")) == DONE
    # The first one is slower.
    shutil.rmtree(folder / "reference")
    began = time.monotonic()
    assert status(fork(folder / "reference")) == DONE
    return database_digest(folder / "reference"), time.monotonic() - began


def kill_writers(folder: Path, kills: int) -> None:
    """Kill writers at random moments, each time followed by an undisturbed one.

    Prints how many were killed while they had a partial database.
    """
    reference, seconds = write_reference(folder)
    killed = halves = tries = 0
    while killed < kills:
        tries += 1
        assert tries < 20 * kills, "it is always done before it is killed"
        out = folder / f"db{tries}"
        partial = out.with_name(f".{out.name}.partial")
        child = fork(out)
        time.sleep(random.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
        status(child)
        halves += (partial / "data.mdb").exists()
        if not out.exists():
            killed += 1
            assert status(fork(out)) == DONE
        assert database_digest(out) == reference
        assert sorted(p.name for p in folder.iterdir()) == sorted([out.name, "reference"])
        shutil.rmtree(out)
    print(halves)


def race(folder: Path) -> None:
    """Start four writers of the same database at once, three times: one wins."""
    reference, _ = write_reference(folder)
    for number in range(3):
        out = folder / f"db{number}"
        results = [status(child) for child in [fork(out) for _ in range(4)]]
        assert sorted(results) == [DONE, BUSY, BUSY, BUSY], results
        assert database_digest(out) == reference


if __name__ == "__main__":
    if sys.argv[1] == "kills":
        kill_writers(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        race(Path(sys.argv[2]))
