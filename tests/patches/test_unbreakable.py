"""Whatever happens to a writer: no half database under its name, and nothing left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.table import write_faces_csv
from i2cnn.patches.lmdb_facts import database_digest, database_size
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces
from tests.helpers.faces import some_faces

ROOT = Path(__file__).parents[2]
#: `make sanitize` runs these tests many times slower.
SANITIZED = "I2CNN_SANITIZED" in os.environ
#: Kills at random moments, not counting those that come too late.
KILLS = 4 if SANITIZED else 12
#: Extractions and databases that must leave nothing behind.
REPEATS = (200, 40) if SANITIZED else (1000, 200)


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def run(code: str, *arguments: object) -> str:
    """What a Python process prints that must end well."""
    process = start(code, *arguments)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


# Forks the writers, since starting Python takes longer than they run.
_FORK = """
import os, random, shutil, signal, sys, time
from pathlib import Path
from i2cnn.patches.lmdb_facts import database_digest
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

folder = Path(sys.argv[1])

def fork(out):
    child = os.fork()
    if child:
        return child
    try:
        write_faces(out, number=6, encoding="raw", threads=2)
    except InputError:
        os._exit(3)
    except BaseException as error:
        print(repr(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)

def status(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

assert status(fork(folder / "reference")) == 0
# The first one is slower.
shutil.rmtree(folder / "reference")
began = time.monotonic()
assert status(fork(folder / "reference")) == 0
took = time.monotonic() - began
reference = database_digest(folder / "reference")
"""

_KILLS = (
    _FORK
    + """
killed = halves = tries = 0
while killed < int(sys.argv[2]):
    tries += 1
    assert tries < 20 * int(sys.argv[2]), "it is always done before it is killed"
    out = folder / f"db{tries}"
    partial = out.with_name(f".{out.name}.partial")
    child = fork(out)
    time.sleep(random.uniform(0, took))
    os.kill(child, signal.SIGKILL)
    status(child)
    halves += (partial / "data.mdb").exists()
    if not out.exists():
        killed += 1
        assert status(fork(out)) == 0
    assert database_digest(out) == reference
    assert sorted(p.name for p in folder.iterdir()) == sorted([out.name, "reference"])
    shutil.rmtree(out)
print(halves)
"""
)


def test_killed_at_random_moments_then_again(tmp_path: Path) -> None:
    halves = int(run(_KILLS, tmp_path, KILLS))
    assert halves >= 1


_RACE = (
    _FORK
    + """
for i in range(3):
    out = folder / f"db{i}"
    results = [status(child) for child in [fork(out) for _ in range(4)]]
    assert sorted(results) == [0, 3, 3, 3], results
    assert database_digest(out) == reference
"""
)


def test_of_writers_in_a_race_one_wins(tmp_path: Path) -> None:
    run(_RACE, tmp_path)
    names = ["db0", "db1", "db2", "reference"]
    assert sorted(p.name for p in tmp_path.iterdir()) == names


def test_two_writers_on_one_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "db")
    seen = []

    def second(done: int, total: int) -> None:
        for name in ("db", "link"):
            with pytest.raises(InputError, match="another process is writing it"):
                write_faces(tmp_path / name, number=1)
        seen.append(done)

    write_faces(tmp_path / "db", number=2, update=second)
    assert seen == [1, 2]
    assert database_size(tmp_path / "db") == 120
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db", "link"]


# Ctrl-C comes in the middle of the work, however busy the machine is.
_CTRL_C = """
import os, signal, sys
from contextlib import contextmanager
from pathlib import Path
from i2cnn.cli import main as cli
from i2cnn.cli import steps

partial = Path(sys.argv[1]) / ".db.partial" / "data.mdb"

def report(done, total):
    if done == 100:
        assert partial.exists()
        os.kill(os.getpid(), signal.SIGINT)

@contextmanager
def progress(title):
    yield report

steps.progress = progress
sys.exit(cli.main(sys.argv[2:]))
"""


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    write_faces_csv(tmp_path / "faces.csv", some_faces(420))
    target = tmp_path / "target"
    options = [f"--root={embedded_root()}", f"--out={target / 'db'}", f"--mean={target / 'mean'}"]
    process = start(_CTRL_C, target, "patches", tmp_path / "faces.csv", *options)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    assert list(target.iterdir()) == []


def test_a_target_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    def appear(done: int, total: int) -> None:
        (tmp_path / "db").mkdir(exist_ok=True)
        (tmp_path / "db" / "mine").write_text("x")

    with pytest.raises(InputError, match="appeared while"):
        write_faces(tmp_path / "db", number=1, update=appear)
    assert [p.name for p in (tmp_path / "db").iterdir()] == ["mine"]
    assert [p.name for p in tmp_path.iterdir()] == ["db"]


def test_the_target_must_be_new_or_empty(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    write_faces(tmp_path / "db", number=1)
    with pytest.raises(InputError, match="exists already"):
        write_faces(tmp_path / "db", number=1)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file: exists already"):
        write_faces(tmp_path / "file", number=1)
    with pytest.raises(InputError, match="cannot be written"):
        write_faces(tmp_path / "file" / "db", number=1)
    with pytest.raises(InputError, match=r"mean: cannot be written"):
        write_faces(tmp_path / "other", number=1, mean_file=tmp_path / "file" / "mean")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["db", "file"]


def test_unusual_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_faces(tmp_path / "with space äöü 顔" / "db", number=1, mean_file=tmp_path / "ß" / "mean")
    assert database_size(tmp_path / "with space äöü 顔" / "db") == 60
    assert (tmp_path / "ß" / "mean").is_file()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_faces(Path(), number=1)
    assert database_size(tmp_path / "here") == 60


@pytest.mark.parametrize("there", [False, True])
def test_a_link_is_followed(there: bool, tmp_path: Path) -> None:
    # People keep large files on another disk: what is written is written there.
    target = tmp_path / "disk" / "db"
    if there:
        target.mkdir(parents=True)
    (tmp_path / "link").symlink_to(target)
    write_faces(tmp_path / "link", number=1)
    assert (tmp_path / "link").is_symlink()
    assert database_size(tmp_path / "link") == database_size(target) == 60
    with pytest.raises(InputError, match="exists already"):
        write_faces(tmp_path / "link", number=1)


_LIMITED = """
import resource, signal, sys
from pathlib import Path
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))
try:
    write_faces(Path(sys.argv[1]), number=10, encoding="raw")
except InputError as error:
    print(error)
"""


def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    output = run(_LIMITED, tmp_path / "db")
    assert str(tmp_path / "db") in output
    assert "limit of the file size" in output
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_file_system(small_disk: Path) -> None:
    with pytest.raises(InputError, match=r"disk.db.*[Nn]o space left"):
        write_faces(small_disk / "db", number=2, encoding="raw")
    assert list(small_disk.iterdir()) == []
    write_faces(small_disk / "db", number=1, encoding="jpeg")
    assert database_size(small_disk / "db") == 60


def test_another_file_system(small_disk: Path, tmp_path: Path) -> None:
    # Behind a link the database is written where it will be: it need not be moved there.
    (tmp_path / "link").symlink_to(small_disk / "db")
    write_faces(tmp_path / "link", number=1, encoding="jpeg")
    assert [p.name for p in small_disk.iterdir()] == ["db"]
    shutil.rmtree(small_disk / "db")
    with pytest.raises(InputError, match="mount point; choose a name inside it"):
        write_faces(small_disk, number=1)


def test_a_read_only_file_system(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"disk.db: cannot be written \(Read-only"):
        write_faces(small_disk / "db", number=1)


def test_a_read_only_folder(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; test_a_read_only_file_system is for root")
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(InputError, match=r"db: cannot be written \(Permission denied"):
            write_faces(tmp_path / "db", number=1)
    finally:
        tmp_path.chmod(0o755)


_LEAKS = """
import os, shutil, sys, threading
from pathlib import Path
import numpy as np
from i2cnn.util.errors import InputError
from i2cnn.patches.extract import extract_patches
from i2cnn.datasets import embedded_root
from i2cnn.patches.lmdb_writer import write_database
from i2cnn.util.images import read_image
from tests.helpers.databases import write_faces
from tests.helpers.faces import some_faces

def state():
    status = dict(l.split(":", 1) for l in open("/proc/self/status") if ":" in l)
    maps = sum("data.mdb" in l for l in open("/proc/self/maps"))
    files = len(os.listdir("/proc/self/fd"))
    return int(status["VmRSS"].split()[0]), int(status["Threads"]), files, maps

face = some_faces(1)[0]
image = read_image(embedded_root() / face.image)
out = Path(sys.argv[1]) / "db"

def work(extractions, databases):
    for _ in range(extractions):
        extract_patches(image, face.points, size=64)
    for i in range(databases):
        encoding = ("png", "jpeg", "raw")[i % 3]
        write_faces(out, number=1, threads=2, patches=range(6), encoding=encoding)
        shutil.rmtree(out)
        try:
            write_database([face], [0], Path("nowhere"), out)
        except InputError:
            continue
        raise SystemExit("an image that is not there was read")

work(200, 30)
memory, *others = state()
work(int(sys.argv[2]), int(sys.argv[3]))
after, *now = state()
print(after - memory, others, now)
assert now == others, (others, now)
# AddressSanitizer keeps up to 256 MB of freed memory.
allowed = 300_000 if "I2CNN_SANITIZED" in os.environ else 8000
assert after - memory < allowed, (memory, after)
"""


def test_memory_threads_maps_and_files_return(tmp_path: Path) -> None:
    # A leaked thread, map or file shows by its number; memory from 8 kB an extraction or 40 kB a
    # database on, which is less than one patch.
    run(_LEAKS, tmp_path, *REPEATS)


def test_no_thread_outlives_a_writer_that_failed(tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    before = threading.active_count(), len(os.listdir("/proc/self/task"))
    with pytest.raises(KeyboardInterrupt):
        write_faces(tmp_path / "db", number=2, update=stop)
    assert (threading.active_count(), len(os.listdir("/proc/self/task"))) == before
    assert list(tmp_path.iterdir()) == []


def test_the_map_grows(tmp_path: Path) -> None:
    # 30 faces x 60 raw patches of 196 608 bytes are more than the first map of 256 MB.
    write_faces(tmp_path / "db", number=30, encoding="raw")
    assert database_size(tmp_path / "db") == 1800
    assert database_digest(tmp_path / "db")
