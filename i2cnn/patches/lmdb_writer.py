"""Writes patches into a Caffe LMDB: whole or not at all."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from i2cnn import _native
from i2cnn.faces.table import Face
from i2cnn.patches import ENCODINGS, LARGEST_SIZE, PATCH_SIZE, SMALLEST_SIZE
from i2cnn.patches.extract import check_landmarks
from i2cnn.patches.jitter import Jitter, JitteredCopy
from i2cnn.patches.lmdb_facts import CONTENTS_FILE, DatabaseContents
from i2cnn.patches.schemes import DEEPID, PatchSet
from i2cnn.torchcaffe.formats.storage import write_mean
from i2cnn.util.arrays import Float32Array, IntArray
from i2cnn.util.cores import available_cores
from i2cnn.util.errors import InputError
from i2cnn.util.files import atomic_folder, make_parent, write_json
from i2cnn.util.images import as_bgr, as_gray, read_image
from i2cnn.util.progress import Callback

JPEG_QUALITY = 95
_MOST_THREADS = 256
#: Keys must fit into LMDB's 511 bytes.
_LONGEST_STEM = 150
#: Keys count records in eight digits.
_MOST_RECORDS = 10**8
_EVERY_PATCH = PatchSet.of(DEEPID)


@dataclass(frozen=True)
class DatabaseOptions:
    """What is written of each face, and how.

    Parameters
    ----------
    patches : PatchSet
        All patches of scheme `deepid` by default.
    encoding : {"png", "jpeg", "raw"}
        `raw` always holds 3 planes; the others hold one plane for gray images and need
        `force_color: true` in the net.
    color : bool
        Keep colour; otherwise images are converted to gray, as the paper's data sets are.
    size : int
        Side of a patch in pixels.
    seed : int
        Seed of the shuffle and of the jitter.
    jitter : int
        Jittered copies of each patch besides the exact one; see :mod:`i2cnn.patches.jitter`.
    classes : tuple of str
        Labels in class order, for `patches.json` beside data.mdb.
    skip_bad : bool
        Leave out faces whose image or landmarks cannot be used, and list them in the result,
        instead of stopping at the first. The other records keep their keys.
    threads : int
        0: as many as there are cores for this process. The records are the same for any number.

    Raises
    ------
    InputError
        The encoding is unknown, or the size, the number of threads or copies is out of range.
    """

    patches: PatchSet = _EVERY_PATCH
    encoding: str = "png"
    color: bool = False
    size: int = PATCH_SIZE
    seed: int = 0
    jitter: int = 0
    classes: tuple[str, ...] = ()
    skip_bad: bool = False
    threads: int = 0

    def __post_init__(self) -> None:
        if self.encoding not in ENCODINGS:
            raise InputError(
                f"unknown encoding {self.encoding!r}; choose one of {', '.join(ENCODINGS)}"
            )
        if not 0 <= self.threads <= _MOST_THREADS:
            raise InputError(
                f"threads must be 0 (all cores) to {_MOST_THREADS}, not {self.threads}"
            )
        if not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise InputError(
                f"patches must be {SMALLEST_SIZE} to {LARGEST_SIZE} pixels wide, not {self.size}"
            )
        self.drawn_jitter()

    def drawn_jitter(self) -> Jitter:
        """How the jittered copies are drawn; InputError if their number is out of range."""
        return Jitter(self.jitter, self.seed)

    @property
    def patches_per_face(self) -> int:
        """Records of one face."""
        return len(self.patches) * (1 + self.jitter)


@dataclass(frozen=True)
class DatabaseInfo:
    """What was written.

    Parameters
    ----------
    records, faces, bytes : int
        Number of patches, number of faces, and size on the disk.
    skipped : tuple of str
        With `skip_bad`: one message per face that was left out.
    """

    records: int
    faces: int
    bytes: int
    skipped: tuple[str, ...] = ()


_DEFAULTS = DatabaseOptions()


def write_database(
    faces: Sequence[Face],
    labels: Sequence[int],
    root: Path,
    out: Path,
    options: DatabaseOptions = _DEFAULTS,
    *,
    mean_file: Path | None = None,
    update: Callback | None = None,
) -> DatabaseInfo:
    """Cut faces into patches and write them into a Caffe LMDB.

    Records are shuffled through their keys, since Caffe's Data layer never shuffles. They are
    written face by face: memory stays bounded whatever the number of faces, a mirror pair is
    sampled once, and an image is read once; a reader in key order then jumps about in the file,
    which costs nothing in memory or on a solid-state disk. The folder appears under its name only
    when it is complete. `patches.json` beside data.mdb says what the records are.

    Parameters
    ----------
    faces : sequence of Face
    labels : sequence of int
        Class number of each face.
    root : Path
        Folder that the faces' image paths start from.
    out : Path
        The LMDB's folder; must not exist or be empty. A symbolic link is followed.
    options : DatabaseOptions
    mean_file : Path, optional
        Where to write the mean image (3, size, size) of the patches, taken before encoding, so
        without JPEG's losses.
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
    _check_labels(faces, labels, out)
    if len(faces) * options.patches_per_face > _MOST_RECORDS:
        raise InputError(f"{out}: more than {_MOST_RECORDS} records; write fewer jittered copies")
    if mean_file is not None:
        make_parent(mean_file)
    chosen = options.patches
    with atomic_folder(out) as folder, _native_errors(out), _open_writer(folder, options) as writer:
        skipped = _add_faces(writer, faces, labels, root, options, update)
        written = len(faces) - len(skipped)
        if written == 0:
            raise InputError(f"{out}: no face could be used; the first: {skipped[0]}")
        mean: Float32Array = writer.finish()
        if mean_file is not None:
            write_mean(mean_file, np.repeat(mean, 3, axis=0) if len(mean) == 1 else mean)
        jitter = options.drawn_jitter() if options.jitter else None
        contents = DatabaseContents(chosen.scheme.digest, chosen.patches, options.classes, jitter)
        write_json(folder / CONTENTS_FILE, contents.to_json())
        size = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    return DatabaseInfo(written * options.patches_per_face, written, size, tuple(skipped))


def _check_labels(faces: Sequence[Face], labels: Sequence[int], out: Path) -> None:
    if len(faces) != len(labels):
        raise InputError(f"{out}: {len(faces)} faces but {len(labels)} labels")
    if not faces:
        raise InputError(f"{out}: there are no faces to write")
    for face, label in zip(faces, labels, strict=True):
        if not 0 <= label <= np.iinfo(np.int32).max:
            raise InputError(f"{face.image}: label {label} does not fit Caffe's int32 label")


@contextlib.contextmanager
def _native_errors(out: Path) -> Iterator[None]:
    """The extension's errors (disk full, read-only, ...) as ours."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(f"{out}: not written: {error}") from None


@dataclass(frozen=True)
class _Entry:
    """A face, its number in the database, its class and its picture."""

    number: int
    face: Face
    label: int
    path: Path


@contextlib.contextmanager
def _open_writer(folder: Path, options: DatabaseOptions) -> Iterator[_native.PatchWriter]:
    scheme = options.patches.scheme
    writer = _native.PatchWriter(
        str(folder),
        scheme.boxes,
        scheme.mouth,
        options.size,
        options.encoding,
        JPEG_QUALITY,
        options.threads or available_cores(),
    )
    with contextlib.closing(writer):
        yield writer


def _add_faces(
    writer: _native.PatchWriter,
    faces: Sequence[Face],
    labels: Sequence[int],
    root: Path,
    options: DatabaseOptions,
    update: Callback | None,
) -> list[str]:
    """Add all faces; returns the reasons why some were left out."""
    shape = (len(faces), 1 + options.jitter, len(options.patches))
    positions = np.random.RandomState(options.seed).permutation(math.prod(shape)).reshape(shape)
    skipped: list[str] = []
    for i, (face, label) in enumerate(zip(faces, labels, strict=True)):
        entry = _Entry(i, face, label, root / face.image)
        keys = _keys(face, positions[i], options.patches.names)
        try:
            _add_face(writer, entry, keys, options)
        except InputError as error:
            if not options.skip_bad:
                raise
            skipped.append(str(error))
        if update is not None:
            update(i + 1, len(faces))
    return skipped


def _keys(face: Face, positions: IntArray, names: Sequence[str]) -> list[list[str]]:
    """Keys of a face's exact patches, then those of each jittered copy."""
    stem = Path(face.image).stem.encode()[:_LONGEST_STEM].decode(errors="ignore")
    endings = ["", *(f"_jitter{copy}" for copy in range(1, len(positions)))]
    return [
        [f"{p:08d}_{stem}_{name}{ending}" for p, name in zip(row, names, strict=True)]
        for row, ending in zip(positions.tolist(), endings, strict=True)
    ]


def _add_face(
    writer: _native.PatchWriter, entry: _Entry, keys: list[list[str]], options: DatabaseOptions
) -> None:
    """Add a face's exact patches and its jittered copies, all or none."""
    image = read_image(entry.path)
    image = as_bgr(image) if options.color else as_gray(image)
    points, patches = entry.face.points, list(options.patches.patches)
    try:
        check_landmarks(image, points)
    except InputError as error:
        raise InputError(f"{entry.path}: {error}") from None
    try:
        copies = _jittered_copies(entry, options)
        writer.add(image, points, patches, keys[0], entry.label)
        for copy, own in zip(copies, keys[1:], strict=True):
            writer.add(image, copy.points, patches, own, entry.label, copy.boxes)
    except (ValueError, TypeError) as error:
        raise InputError(f"{entry.path}: {error}; correct its landmarks") from None


def _jittered_copies(entry: _Entry, options: DatabaseOptions) -> list[JitteredCopy]:
    """Draw a face's copies; ValueError if the landmarks of one are not those of a face."""
    if not options.jitter:
        return []
    scheme, jitter, points = options.patches.scheme, options.drawn_jitter(), entry.face.points
    _native.similarity(points, scheme.mouth)
    numbers = range(1, options.jitter + 1)
    copies = [jitter.draw(entry.number, i, points, len(scheme.boxes)) for i in numbers]
    for copy in copies:
        _native.similarity(copy.points, scheme.mouth)
    return copies
