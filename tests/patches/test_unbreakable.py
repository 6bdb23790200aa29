"""Whatever happens to a writer: no half database under its name, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from i2cnn.datasets import embedded_root
from i2cnn.faces.table import write_faces_csv
from i2cnn.patches.lmdb_facts import database_size
from i2cnn.util.errors import InputError
from tests.helpers.databases import database_digest, write_faces
from tests.helpers.faces import some_faces
from tests.helpers.programs import run, start

#: `make sanitize` runs these tests many times slower.
SANITIZED = "I2CNN_SANITIZED" in os.environ
#: Kills at random moments, not counting those that come too late.
KILLS = 4 if SANITIZED else 12
#: Extractions and databases that must leave nothing behind.
REPEATS = (200, 40) if SANITIZED else (1000, 200)


def test_killed_at_random_moments_then_again(tmp_path: Path) -> None:
    halves = int(run("fork_writers", "kills", tmp_path, KILLS))
    assert halves >= 1


def test_of_writers_in_a_race_one_wins(tmp_path: Path) -> None:
    run("fork_writers", "race", tmp_path)
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


def test_ctrl_c_leaves_nothing(tmp_path: Path) -> None:
    write_faces_csv(tmp_path / "faces.csv", some_faces(420))
    target = tmp_path / "target"
    options = [f"--root={embedded_root()}", f"--out={target / 'db'}", f"--mean={target / 'mean'}"]
    process = start("interrupted_patches", target, "patches", tmp_path / "faces.csv", *options)
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


def test_an_empty_folder_may_be_the_target(tmp_path: Path) -> None:
    (tmp_path / "db").mkdir()
    write_faces(tmp_path / "db", number=1)
    assert database_size(tmp_path / "db") == 60


def test_a_database_is_not_overwritten(tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=1)
    with pytest.raises(InputError, match="db: already exists"):
        write_faces(tmp_path / "db", number=1)


def test_a_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="file: already exists"):
        write_faces(tmp_path / "file", number=1)
    assert (tmp_path / "file").read_text() == "x"


def test_a_database_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="db: cannot be written"):
        write_faces(tmp_path / "file" / "db", number=1)


def test_a_mean_that_cannot_be_written_leaves_no_database(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"mean: cannot be written"):
        write_faces(tmp_path / "db", number=1, mean_file=tmp_path / "file" / "mean")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_unusual_names(tmp_path: Path) -> None:
    write_faces(tmp_path / "with space äöü 顔" / "db", number=1, mean_file=tmp_path / "ß" / "mean")
    assert database_size(tmp_path / "with space äöü 顔" / "db") == 60
    assert (tmp_path / "ß" / "mean").is_file()


def test_the_working_folder_may_be_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    with pytest.raises(InputError, match="already exists"):
        write_faces(tmp_path / "link", number=1)


def test_a_limit_of_the_file_size(tmp_path: Path) -> None:
    output = run("limited_file_size", tmp_path / "db")
    assert str(tmp_path / "db") in output
    assert "limit of the file size" in output
    assert list(tmp_path.iterdir()) == []


def test_a_full_file_system_leaves_room_for_the_next(small_disk: Path) -> None:
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


def test_a_mount_point_is_refused(small_disk: Path) -> None:
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


def test_memory_threads_maps_and_files_return(tmp_path: Path) -> None:
    run("leaks", tmp_path, *REPEATS)


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


def test_an_ignored_ctrl_c_stays_ignored(tmp_path: Path) -> None:
    # As under nohup, or in the background of a script: the shell has it ignored.
    write_faces_csv(tmp_path / "faces.csv", some_faces(101))
    target = tmp_path / "target"
    options = [f"--root={embedded_root()}", f"--out={target / 'db'}", "--k=1"]
    words = ["patches", tmp_path / "faces.csv", *options]
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process = start("interrupted_patches", target, *words)
    finally:
        signal.signal(signal.SIGINT, before)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert database_size(target / "db") == 101
