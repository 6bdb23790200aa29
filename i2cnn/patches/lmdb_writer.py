"""Writes patches into a Caffe LMDB: whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb
import numpy as np

from i2cnn import _native
from i2cnn.faces.table import Face
from i2cnn.patches import ENCODINGS
from i2cnn.patches.extract import PATCH_SIZE, check_landmarks, get_scheme
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json, sync_folder, try_lock, write_json
from i2cnn.util.images import as_bgr, as_gray, read_image
from i2cnn.util.progress import Callback

JPEG_QUALITY = 95
#: Beside data.mdb: what the records are.
CONTENTS_FILE = "patches.json"
#: Records that a sketch of a database reads.
_SKETCHED = 64
#: Keys must fit into LMDB's 511 bytes.
_LONGEST_STEM = 150


@dataclass(frozen=True)
class DatabaseInfo:
    """What was written.

    Parameters
    ----------
    records, faces, bytes : int
        Patches, faces, and bytes on the disk.
    skipped : tuple of str
        With `skip_bad`: one message for each face that was left out.
    """

    records: int
    faces: int
    bytes: int
    skipped: tuple[str, ...] = ()


def write_database(
    faces: Sequence[Face],
    labels: Sequence[int],
    root: Path,
    out: Path,
    *,
    patches: Sequence[int],
    encoding: str = "png",
    seed: int = 0,
    mean_file: Path | None = None,
    scheme: str = "deepid",
    threads: int = 0,
    color: bool = False,
    skip_bad: bool = False,
    classes: Sequence[str] = (),
    update: Callback | None = None,
) -> DatabaseInfo:
    """Cut faces into patches and write them into a Caffe LMDB.

    Records are shuffled by `seed` through their keys, since Caffe's Data layer never shuffles.
    They are written face by face: memory stays bounded whatever the number of faces, a mirror pair
    needs one sampling, and an image is read once; a reader in key order then jumps about in the
    file, which costs nothing in memory or on a solid-state disk. The folder appears under its name
    only when it is complete.

    Parameters
    ----------
    faces : sequence of Face
    labels : sequence of int
        Class number of each face.
    root : Path
        Folder that the faces' image paths start from.
    out : Path
        The LMDB's folder; must not exist or be empty. A symbolic link is followed.
    patches : sequence of int
        Patch indices to write of each face.
    encoding : {"png", "jpeg", "raw"}
        `raw` holds 3 planes always; the others hold one plane for gray images and want
        `force_color: true` in the net.
    seed : int
        Of the shuffle.
    mean_file : Path, optional
        Where to write the mean image (3, 256, 256) of the patches, taken before encoding (so JPEG's
        losses are not in it).
    scheme : str
        Name of the patch scheme, or path of its TOML file.
    threads : int
        0 uses all cores. The records are the same for any number.
    color : bool
        Keep colour; otherwise images are turned gray as the paper's data sets are.
    skip_bad : bool
        Leave out faces whose image or landmarks cannot be used, and list them in the result,
        instead of stopping at the first. The other records keep their keys.
    classes : sequence of str
        Labels in class order, for `patches.json` beside data.mdb, which says what the records are
        (scheme, patches, classes), so that what does not belong together is not put together.
    update : callable, optional
        Called with (faces done, faces).

    Returns
    -------
    DatabaseInfo

    Raises
    ------
    InputError
        An image or a landmark cannot be used (named), the target exists or is being written by
        another process, the disk is full.
    """
    _check(faces, labels, out, encoding, threads)
    if mean_file is not None:
        _make_folder(mean_file)
    table = get_scheme(scheme)
    positions = np.random.RandomState(seed).permutation(len(faces) * len(patches))
    positions = positions.reshape(len(faces), len(patches))
    skipped: list[str] = []
    with _new_folder(out) as folder, _native_errors(out):
        writer = _native.PatchWriter(
            str(folder), table.boxes, table.mouth, PATCH_SIZE, encoding, JPEG_QUALITY, threads
        )
        with contextlib.closing(writer):
            for i, face in enumerate(faces):
                keys = _keys(face, positions[i], [table.names[p] for p in patches])
                try:
                    _add(writer, root / face.image, face, list(patches), keys, labels[i], color)
                except InputError as error:
                    if not skip_bad:
                        raise
                    skipped.append(str(error))
                if update is not None:
                    update(i + 1, len(faces))
            written = len(faces) - len(skipped)
            if written == 0:
                raise InputError(f"{out}: no face could be used; the first: {skipped[0]}")
            mean = writer.finish()
        if mean_file is not None:
            write_mean(mean_file, np.repeat(mean, 3, axis=0) if len(mean) == 1 else mean)
        contents = {"scheme": table.digest, "patches": list(patches), "classes": list(classes)}
        write_json(folder / CONTENTS_FILE, contents)
        size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    return DatabaseInfo(written * len(patches), written, size, tuple(skipped))


def _check(
    faces: Sequence[Face], labels: Sequence[int], out: Path, encoding: str, threads: int
) -> None:
    if len(faces) != len(labels):
        raise InputError(f"{out}: {len(faces)} faces but {len(labels)} labels")
    if not faces:
        raise InputError(f"{out}: there are no faces to write")
    if encoding not in ENCODINGS:
        raise InputError(f"unknown encoding {encoding!r}; choose one of {', '.join(ENCODINGS)}")
    if not 0 <= threads <= 256:
        raise InputError(f"threads must be 0 (all cores) to 256, not {threads}")
    for face, label in zip(faces, labels, strict=True):
        if not 0 <= label <= np.iinfo(np.int32).max:
            raise InputError(f"{face.image}: label {label} does not fit Caffe's int32 label")


def _keys(face: Face, positions: np.ndarray, names: Sequence[str]) -> list[str]:
    stem = Path(face.image).stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    return [f"{p:08d}_{stem}_{name}" for p, name in zip(positions, names, strict=True)]


def _add(
    writer: _native.PatchWriter,
    path: Path,
    face: Face,
    patches: list[int],
    keys: list[str],
    label: int,
    color: bool,
) -> None:
    image = read_image(path)
    image = as_bgr(image) if color else as_gray(image)
    try:
        check_landmarks(image, face.points)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    try:
        writer.add(image, face.points, patches, keys, label)
    except (ValueError, TypeError) as error:
        raise InputError(f"{path}: {error}; correct its landmarks") from None


@contextlib.contextmanager
def _native_errors(out: Path) -> Iterator[None]:
    """The extension's errors (disk full, read-only, ...) as ours."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(f"{out}: not written: {error}") from None


@contextlib.contextmanager
def _new_folder(out: Path) -> Iterator[Path]:
    """A temporary folder beside `out` that takes its name when the block ends well."""
    # Through a link, so that the folder is written on the file system where it will be.
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; delete it or choose another name")
    if out.is_mount():
        raise InputError(f"{out}: is a mount point; choose a name inside it")
    _make_folder(out)
    try:
        folder = out.with_name(f".{out.name}.partial")
        descriptor = _lock_folder(folder, out)
    except OSError as error:
        raise InputError(f"{out}: cannot be written ({error.strerror})") from None
    try:
        # What a killed process left.
        for file in folder.iterdir():
            file.unlink()
        yield folder
        try:
            os.replace(folder, out)
        except OSError:
            raise InputError(
                f"{out}: appeared while it was being written; this one was discarded"
            ) from None
        sync_folder(out.parent)
    finally:
        # Removed while the lock is held, unless it has its final name.
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _make_folder(path: Path) -> None:
    """Make the folder that `path` will be in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror})") from None


def _lock_folder(folder: Path, out: Path) -> int:
    """Make and lock the folder; the lock ends with the process, however it ends."""
    while True:
        folder.mkdir(exist_ok=True)
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        if not try_lock(descriptor):
            os.close(descriptor)
            raise InputError(f"{out}: another process is writing it")
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
                return descriptor
        # The one who held the lock has just renamed or removed it.
        os.close(descriptor)


def is_encoded(path: Path) -> bool:
    """True if an LMDB's records are image files (png, jpeg), False if they are raw pixels."""
    database_size(path)
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as txn:
        value = next(iter(txn.cursor().iternext(keys=False, values=True)), b"")
    return bool(Datum.FromString(value).encoded)


def database_size(path: Path) -> int:
    """Number of records of an LMDB."""
    with _open(path) as env:
        return int(env.stat()["entries"])


def database_contents(path: Path) -> dict[str, Any]:
    """Scheme, patches and classes of a database's records; empty if somebody else wrote it."""
    file = path / CONTENTS_FILE
    return dict(read_json(file)) if file.exists() else {}


def database_sketch(path: Path) -> str:
    """SHA-256 of all keys and of some values: tells databases apart without reading all of one."""
    total = hashlib.sha256()
    with _open(path) as env, env.begin() as transaction:
        every = max(1, env.stat()["entries"] // _SKETCHED)
        cursor = transaction.cursor()
        for number, key in enumerate(cursor.iternext(keys=True, values=False)):
            total.update(key)
            if number % every == 0:
                total.update(cursor.value())
    return total.hexdigest()


def database_digest(path: Path) -> str:
    """SHA-256 of all keys and values in key order: what a reader sees, not how pages lie."""
    total = hashlib.sha256()
    with _open(path) as env, env.begin(buffers=True) as transaction:
        for key, value in transaction.cursor():
            for part in (key, value):
                total.update(len(part).to_bytes(8, "little"))
                total.update(part)
    return total.hexdigest()


def _open(path: Path) -> lmdb.Environment:
    if not (path / "data.mdb").is_file():
        raise InputError(f"{path}: no LMDB (it has no data.mdb)")
    try:
        return lmdb.open(str(path), readonly=True, lock=False)
    except lmdb.Error as error:
        raise InputError(f"{path}: cannot be opened ({error})") from None
