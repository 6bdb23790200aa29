"""Writes patches into a Caffe LMDB: whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import lmdb
import numpy as np

from i2cnn import _native
from i2cnn.errors import InputError
from i2cnn.faces import Face
from i2cnn.files import sync_folder
from i2cnn.images import as_bgr, as_gray, read_image
from i2cnn.patches import PATCH_SIZE, get_scheme
from i2cnn.torchcaffe.storage import write_mean

JPEG_QUALITY = 95
#: Keys must fit into LMDB's 511 bytes.
_LONGEST_STEM = 150


@dataclass(frozen=True)
class DatabaseInfo:
    """What was written: records, faces, and bytes on the disk."""

    records: int
    faces: int
    bytes: int


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
    progress: Callable[[int, int], None] | None = None,
) -> DatabaseInfo:
    """Cut faces into patches and write them into a Caffe LMDB.

    Records are shuffled by `seed` through their keys, since Caffe's Data layer never shuffles;
    they are written face by face, so memory stays bounded. The folder appears under its name only
    when it is complete.

    Parameters
    ----------
    faces : sequence of Face
    labels : sequence of int
        Class number of each face.
    root : Path
        Folder that the faces' image paths start from.
    out : Path
        The LMDB's folder; must not exist or be empty.
    patches : sequence of int
        Patch indices to write of each face.
    encoding : {"png", "jpeg", "raw"}
        `raw` holds 3 planes always; the others hold one plane for gray images and want
        `force_color: true` in the net.
    seed : int
        Of the shuffle.
    mean_file : Path, optional
        Where to write the mean image (3, 256, 256) of the patches, taken before encoding.
    scheme : str
        Name of the patch scheme.
    threads : int
        0 uses all cores. The records are the same for any number.
    color : bool
        Keep colour; otherwise images are turned gray as the paper's data sets are.
    progress : callable, optional
        Called with (faces done, faces).

    Raises
    ------
    InputError
        An image or a landmark cannot be used (named), the target exists, the disk is full.
    """
    if len(faces) != len(labels):
        raise InputError(f"{out}: {len(faces)} faces but {len(labels)} labels")
    if not faces:
        raise InputError(f"{out}: there are no faces to write")
    for face, label in zip(faces, labels, strict=True):
        if not 0 <= label <= np.iinfo(np.int32).max:
            raise InputError(f"{face.image}: label {label} does not fit Caffe's int32 label")
    table = get_scheme(scheme)
    names = [table.names[p] for p in patches]
    positions = np.random.RandomState(seed).permutation(len(faces) * len(patches))
    positions = positions.reshape(len(faces), len(patches))
    with _new_folder(out) as folder, _native_errors(out):
        writer = _native.PatchWriter(
            str(folder), table.boxes, table.mouth, PATCH_SIZE, encoding, JPEG_QUALITY, threads
        )
        for i, face in enumerate(faces):
            path = root / face.image
            image = read_image(path)
            image = as_bgr(image) if color else as_gray(image)
            stem = Path(face.image).stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
            keys = [f"{positions[i, j]:08d}_{stem}_{name}" for j, name in enumerate(names)]
            try:
                writer.add(image, face.points, list(patches), keys, labels[i])
            except (ValueError, TypeError) as error:
                raise InputError(f"{path}: {error}; correct its landmarks") from None
            if progress is not None:
                progress(i + 1, len(faces))
        mean = writer.finish(PATCH_SIZE)
        del writer
        if mean_file is not None:
            write_mean(mean_file, np.repeat(mean, 3, axis=0) if len(mean) == 1 else mean)
        size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    return DatabaseInfo(len(faces) * len(patches), len(faces), size)


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
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already; delete it or choose another name")
    out.parent.mkdir(parents=True, exist_ok=True)
    _remove_stale(out)
    folder = out.with_name(f".{out.name}.{os.getpid()}.partial")
    folder.mkdir()
    try:
        yield folder
        try:
            os.replace(folder, out)
        except OSError:
            raise InputError(
                f"{out}: appeared while it was being written (a second writer?); "
                "this one was discarded"
            ) from None
        sync_folder(out.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(out: Path) -> None:
    """Remove what a killed process left."""
    for folder in out.parent.glob(f".{out.name}.*.partial"):
        pid = int(folder.suffixes[-2][1:]) if folder.suffixes[-2][1:].isdigit() else 0
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue


def database_size(path: Path) -> int:
    """Number of records of an LMDB."""
    if not (path / "data.mdb").is_file():
        raise InputError(f"{path}: no LMDB (it has no data.mdb)")
    try:
        with lmdb.open(str(path), readonly=True, lock=False) as env:
            return int(env.stat()["entries"])
    except lmdb.Error as error:
        raise InputError(f"{path}: cannot be opened ({error})") from None
