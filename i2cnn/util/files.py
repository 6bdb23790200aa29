"""Files and folders that are written whole or not at all, locks, JSON and digests."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from i2cnn.util.errors import InputError
from i2cnn.util.text import printable

#: Folders on the way to a file that may be links.
_MOST_LINKS = 2


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends well.

    A reader never sees half a file, and a killed process leaves the old one untouched. Missing
    folders are created. The temporary file keeps the suffix, since some writers choose the format
    by it.
    """
    if not path.name:  # "." and "/" have none
        raise InputError(f"{path}: is a folder; give a file")
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        ours = {str(temporary), str(path.parent), *map(str, path.parent.parents)}
        named = {str(name) for name in (error.filename, error.filename2) if name is not None}
        if named and not named & ours:
            raise  # about a file that was to be read
        raise InputError(f"{path}: cannot be written ({_reason(error)})") from None
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _reason(error: OSError) -> str:
    """What the operating system says, without what a library wraps around it."""
    return os.strerror(error.errno) if error.errno else str(error).partition("\n")[0]


@contextmanager
def file_in_memory(content: bytes) -> Iterator[Path]:
    """Yield the path of a regular file with that content, which is on no disk."""
    descriptor = os.memfd_create("i2cnn")
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield Path(f"/proc/self/fd/{descriptor}")


def files_below(folder: Path) -> Iterator[Path]:
    """Files in a folder and in its folders, by name; hidden ones are not.

    Links that lead nowhere are among them. At most two folders on the way may be links, and none
    leads back to a folder that it is in.

    Raises
    ------
    InputError
        One of the folders may not be read.
    """
    yield from _files_below(folder, (), _MOST_LINKS)


def _files_below(folder: Path, above: tuple[Path, ...], links: int) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:
        return
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from None
    for path in inside:
        if not path.is_dir():
            yield path
        elif links or not path.is_symlink():
            yield from _files_below(path, (*above, here), links - path.is_symlink())


def check_writable(path: Path) -> None:
    """InputError if a file cannot be written there, as far as that is known beforehand."""
    if path.is_dir():
        raise InputError(f"{path}: is a folder; give a file")
    folder = next(parent for parent in path.absolute().parents if parent.exists())
    if not folder.is_dir():
        raise InputError(f"{path}: cannot be written ({folder} is a file)")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{path}: cannot be written ({folder} is read-only)")


def check_regular(path: Path) -> None:
    """InputError for a pipe or a device, which would keep a reader waiting; not for no file."""
    # os.path's functions say no to names that the system does not allow, Path's raise an error.
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(f"{path}: is not a regular file; copy its content into one")


def begins_with(path: Path, signature: bytes) -> bool:
    """Whether there is a regular file that begins so."""
    if not path.is_file():  # a pipe or a device would keep a reader waiting
        return False
    try:
        with open(path, "rb") as file:
            return file.read(len(signature)) == signature
    except OSError:
        return False


def _try_lock(file: int) -> bool:
    """Lock an open file or folder without waiting; False if another process has it locked.

    The lock ends with the process, however it ends. Some network file systems cannot lock: there
    this is always True, and two processes are not kept apart.
    """
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def missing_locks(folder: Path) -> str | None:
    """What the file system of a folder lacks to keep all processes apart by locks, or None."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return f"cannot lock ({os.strerror(error.errno or 0)})"
    finally:
        os.close(descriptor)
    with suppress(OSError):
        option = _local_locks(folder.resolve(), Path("/proc/self/mountinfo").read_bytes())
        return f"locks within one machine only (mounted with {option})" if option else None
    return None


def _local_locks(path: Path, mounts: bytes) -> str | None:
    """The option, if any, by which locks on a path are not seen by other machines.

    `mounts` is the content of /proc/self/mountinfo.
    """
    found: list[str] = []
    deepest = -1
    for line in mounts.split(b"\n")[:-1]:
        fields = line.split(b" ")
        # A blank in a path is written as an octal escape; its other bytes may be in any encoding.
        name = re.sub(rb"\\([0-7]{3})", lambda code: bytes([int(code[1], 8)]), fields[4])
        point = Path(os.fsdecode(name))
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest = len(point.parts)
            found = os.fsdecode(fields[5] + b"," + fields[-1]).split(",")
    local = ("nolock", "local_lock=all", "local_lock=flock", "localflock")
    return next((option for option in found if option in local), None)


@contextmanager
def locked(folder: Path, busy: str) -> Iterator[None]:
    """Lock a folder; InputError with the text `busy` if another process has it locked."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if not _try_lock(descriptor):
            raise InputError(f"{folder}: {busy}")
        yield
    finally:
        os.close(descriptor)


@contextmanager
def only_writer(path: Path, busy: str) -> Iterator[TextIO]:
    """Open a file to append to it, and keep other processes from doing so meanwhile.

    It is made where there is none, and its folder.

    Raises
    ------
    InputError
        It cannot be written; with the text `busy` if another process has it locked.
    """
    make_parent(path)
    try:
        file = open(path, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    with file:
        if not _try_lock(file.fileno()):
            raise InputError(busy)
        yield file


@contextmanager
def atomic_folder(path: Path, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its name when the block ends well.

    One process at a time writes it. What a killed process left is removed.

    Parameters
    ----------
    path : Path
        Must not exist, or be an empty folder. A symbolic link is followed, so that the folder is
        written on the file system where it will be.
    replace : bool
        The path may be a folder, which the new one takes the place of.

    Raises
    ------
    InputError
        The target exists, appears meanwhile, cannot be written, or another process writes it.
    """
    path = path.resolve()
    if path.exists() and not (path.is_dir() and (replace or not any(path.iterdir()))):
        raise InputError(f"{path}: already exists; delete it or choose another name")
    if path.is_mount():
        raise InputError(f"{path}: is a mount point; choose a name inside it")
    make_parent(path)
    try:
        folder = path.with_name(f".{path.name}.partial")
        descriptor = _make_and_lock(folder, path)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None
    try:
        with _named_errors(folder, path):
            for old in folder.iterdir():
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            yield folder
        replaced = path.with_name(f".{path.name}.replaced")
        try:
            if replace and path.exists():  # renamed first, since removing it takes a while
                shutil.rmtree(replaced, ignore_errors=True)
                os.replace(path, replaced)
            os.replace(folder, path)
        except OSError:
            raise InputError(
                f"{path}: appeared while it was being written; this one was discarded"
            ) from None
        sync_folder(path.parent)
        if replace:
            shutil.rmtree(replaced, ignore_errors=True)
    finally:
        # Removed while it is locked, unless it has its final name.
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def free_space(path: Path) -> int:
    """Bytes that are free on the disk of a file or folder, which need not exist."""
    there = next(p for p in (path, *path.absolute().parents) if p.exists())
    return shutil.disk_usage(there).free


@contextmanager
def _named_errors(folder: Path, path: Path) -> Iterator[None]:
    """Errors of what is written into a folder, such as a full disk's, name its final path."""
    try:
        yield
    except InputError as error:
        raise InputError(str(error).replace(str(folder), str(path))) from None
    except OSError as error:
        named = [str(name) for name in (error.filename, error.filename2) if name is not None]
        if named and not any(name.startswith(str(folder)) for name in named):
            raise  # about a file that was to be read
        raise InputError(f"{path}: cannot be written ({_reason(error)})") from None


def make_parent(path: Path) -> None:
    """Create the folder that `path` will be in; InputError if that fails."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _make_and_lock(folder: Path, target: Path) -> int:
    """Make and lock a folder; returns its descriptor. The lock ends with the process."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            # What is in it will be deleted, so it must not be somebody's link to another folder.
            descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        if not _try_lock(descriptor):
            os.close(descriptor)
            raise InputError(f"{target}: another process is writing it")
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                return descriptor
        # The process that had it locked has just renamed or removed it.
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make a rename inside the folder survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically.

    Raises
    ------
    InputError
        It cannot be written, or the text has bytes of a file's name that are no text.
    """
    try:
        content = text.encode()
    except UnicodeEncodeError as error:
        word = text[: error.end].split("\n")[-1][-40:]
        raise InputError(
            f"{path}: cannot hold the name ...{printable(word)}, which is no text; rename that file"
        ) from None
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file atomically, indented for readers."""
    write_text(path, json.dumps(value, indent=1, sort_keys=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file; InputError names the file when it is missing or broken."""
    check_regular(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:  # ValueError also for numbers of absurd length
        raise InputError(f"{path}: not valid JSON ({error})") from None


def file_digest(path: Path) -> str:
    """SHA-256 of a file; InputError names the file when it cannot be read."""
    check_regular(path)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None


def digest(value: Any) -> str:
    """SHA-256 of a value in canonical JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
