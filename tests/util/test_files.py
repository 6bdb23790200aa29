"""Files and folders that are whole or not there, locks, JSON and digests."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from i2cnn.datasets.suspicions import refuse_pixels
from i2cnn.patches.schemes import load_scheme
from i2cnn.util.errors import InputError
from i2cnn.util.files import (
    _local_locks,
    atomic_folder,
    atomic_path,
    check_writable,
    digest,
    file_digest,
    locked,
    read_json,
    write_json,
    write_text,
)


def test_a_file_takes_its_name_when_the_block_ends_well(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "new" / "file.txt") as partial:
        assert partial.suffix == ".txt"
        partial.write_text("whole")
        assert not (tmp_path / "new" / "file.txt").exists()
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["file.txt"]


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")
    with suppress(ZeroDivisionError), atomic_path(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    message = r"file/below\.json: cannot be written \(File exists\)"
    with pytest.raises(InputError, match=message):
        write_json(tmp_path / "file" / "below.json", {})


def test_a_folder_without_a_name_of_its_own_is_no_file() -> None:
    with pytest.raises(InputError, match=r"^\.: is a folder; give a file"):
        write_text(Path("."), "x")


def test_an_error_about_another_file_is_not_ours(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file.txt"):
        (tmp_path / "nowhere").read_text()


def test_a_folder_takes_its_name_when_the_block_ends_well(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "new" / "folder") as partial:
        (partial / "file").write_text("x")
        assert not (tmp_path / "new" / "folder").exists()
    assert [p.name for p in (tmp_path / "new" / "folder").iterdir()] == ["file"]


def test_an_error_leaves_no_folder(tmp_path: Path) -> None:
    with suppress(ZeroDivisionError), atomic_folder(tmp_path / "folder") as partial:
        (partial / "file").write_text("x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_in_a_folder_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".folder.partial").mkdir()
    (tmp_path / ".folder.partial" / "old").write_text("x")
    with atomic_folder(tmp_path / "folder") as partial:
        (partial / "new").write_text("x")
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["new"]


def test_a_link_in_the_temporary_folders_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("x")
    (tmp_path / ".folder.partial").symlink_to(tmp_path / "mine")
    with (
        pytest.raises(InputError, match="folder: cannot be written"),
        atomic_folder(tmp_path / "folder"),
    ):
        pass
    assert (tmp_path / "mine" / "file").exists()


def test_one_process_at_a_time_writes_a_folder(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "folder") as partial:
        with (
            pytest.raises(InputError, match="folder: another process is writing it"),
            atomic_folder(tmp_path / "folder"),
        ):
            pass
        assert partial.is_dir()


def test_a_folder_with_files_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match="already exists"), atomic_folder(tmp_path):
        pass


def test_a_folder_is_replaced_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files may be open, so that they cannot be removed on some network file systems."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "old").write_text("x")
    with monkeypatch.context() as patch, atomic_folder(folder, replace=True) as partial:
        (partial / "new").write_text("x")
        assert [p.name for p in folder.iterdir()] == ["old"]
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
    assert [p.name for p in folder.iterdir()] == ["new"]
    with atomic_folder(folder, replace=True) as partial:
        (partial / "newer").write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]
    assert [p.name for p in folder.iterdir()] == ["newer"]


def test_a_locked_folder_keeps_others_out(tmp_path: Path) -> None:
    with (
        locked(tmp_path, "busy"),
        pytest.raises(InputError, match=f"{tmp_path}: busy"),
        locked(tmp_path, "busy"),
    ):
        pass


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("/data/runs/a", None),
        ("/data/old runs/a", "nolock"),
        ("/data/mine/a", "local_lock=flock"),
        ("/data/lustre", "localflock"),
        ("/data/müller/a", "nolock"),
    ],
)
def test_locks_of_one_machine_only_are_seen_in_the_mount(path: str, option: str | None) -> None:
    mounts = r"""22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda rw
30 22 0:50 / /data rw,relatime shared:9 - nfs4 server:/data rw,vers=4.2,local_lock=none
31 30 0:51 / /data/old\040runs rw - nfs server:/old rw,nolock,vers=3
32 30 0:52 / /data/mine rw - nfs server:/mine rw,vers=3,local_lock=flock
33 30 0:53 / /data/lustre rw - lustre server:/l rw,localflock
34 30 0:54 / /data/müller rw - nfs server:/m rw,nolock
""".encode()
    latin1 = b"35 30 0:55 / /data/m\xfcller rw - ext4 /dev/sdb rw\n"
    assert _local_locks(Path(path), mounts + latin1) == option


def test_a_lock_ends_with_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path, "busy"):
            pass


def test_json_is_read_as_it_was_written(tmp_path: Path) -> None:
    value = {"b": [1, 2.5, None], "a": "ä"}
    write_json(tmp_path / "x.json", value)
    assert read_json(tmp_path / "x.json") == value


@pytest.mark.parametrize(
    "content",
    [b"{", b"\xff\xfe", b"", b"[" * 10**5, b'{"a":' * 10**5, b"9" * 10**4],
    ids=lambda content: repr(content[:5]),
)
def test_broken_json_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.json: not valid JSON"):
        read_json(tmp_path / "x.json")


def test_a_folder_is_no_json_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot be read \(Is a directory\)"):
        read_json(tmp_path)


@pytest.mark.parametrize("read", [read_json, file_digest, load_scheme, refuse_pixels])
def test_a_pipe_keeps_no_reader_waiting(read: Callable[[Path], object], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="pipe: is not a regular file; copy its content into one"):
        read(tmp_path / "pipe")


def test_a_name_that_is_no_text_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"t\.csv: cannot hold the name \.\.\.b,\\xff, which"):
        write_text(tmp_path / "t.csv", "a\nb,\udcff,c\n")
    assert list(tmp_path.iterdir()) == []


def test_where_a_file_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "file")
    with pytest.raises(InputError, match="is a folder; give a file"):
        check_writable(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match=r"below/it: cannot be written \(.*/file is a file\)"):
        check_writable(tmp_path / "file" / "below" / "it")


def test_a_read_only_disk_is_known_beforehand(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(InputError, match=r"new/x: cannot be written \(.*/disk is read-only\)"):
        check_writable(small_disk / "new" / "x")


def test_a_missing_json_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.json: no such file"):
        read_json(tmp_path / "x.json")


def test_a_files_digest_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_digest(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()


@pytest.mark.parametrize("name", ["x", "x" * 300])
def test_a_file_without_digest_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"/{name}: cannot be read"):
        file_digest(tmp_path / name)


def test_a_values_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest({"a": 1}) != digest({"a": 2})
