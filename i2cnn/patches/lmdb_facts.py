"""What a Caffe LMDB of patches holds: size, encoding, contents, and what tells it from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np
from google.protobuf.message import DecodeError

from i2cnn.patches.jitter import Jitter
from i2cnn.torchcaffe.formats.lmdb_pages import check_pages
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.errors import InputError
from i2cnn.util.files import read_json

#: Beside data.mdb: what the records are.
CONTENTS_FILE = "patches.json"
#: Number of records whose values :func:`database_fingerprint` reads.
_SAMPLED = 64


@dataclass(frozen=True)
class DatabaseContents:
    """What the records of a database are, so that what does not belong together is not combined.

    Parameters
    ----------
    scheme : str
        Digest of the patch scheme.
    patches : tuple of int
        Patch indices of each face.
    classes : tuple of str
        Labels in class order; empty if unknown.
    jitter : Jitter, optional
        How the copies were drawn that the database holds besides the exact patches, if any.
    """

    scheme: str
    patches: tuple[int, ...]
    classes: tuple[str, ...]
    jitter: Jitter | None = None

    def to_json(self) -> dict[str, Any]:
        """The content of `patches.json`; without jitter it has no such entry."""
        return {k: v for k, v in asdict(self).items() if k != "jitter" or v is not None}


def database_contents(folder: Path) -> DatabaseContents | None:
    """Read `patches.json` of a folder.

    Returns
    -------
    DatabaseContents or None
        None if the file is missing or empty, since another program wrote the database.

    Raises
    ------
    InputError
        The file is damaged.
    """
    path = folder / CONTENTS_FILE
    if not path.exists():
        return None
    content = read_json(path)
    if content == {}:
        return None
    try:
        scheme, patches, classes = (content[name] for name in ("scheme", "patches", "classes"))
        jitter = Jitter.from_json(content["jitter"]) if "jitter" in content else None
        if isinstance(scheme, str) and _all(patches, int) and _all(classes, str):
            return DatabaseContents(scheme, tuple(patches), tuple(classes), jitter)
    except (KeyError, TypeError, InputError):
        pass
    raise InputError(
        f"{path}: damaged, or written by another version of i2cnn; write the database again"
    )


def _all(values: Any, kind: type) -> bool:
    return isinstance(values, list) and all(type(value) is kind for value in values)


def is_encoded(path: Path) -> bool:
    """True if an LMDB's records are image files (png, jpeg), False if they are raw pixels."""
    return bool(_first_record(path).encoded)


def record_size(path: Path) -> tuple[int, int]:
    """Height and width in pixels of an LMDB's first record."""
    datum = _first_record(path)
    if not datum.encoded:
        return datum.height, datum.width
    try:
        picture = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # there are no bytes, or they declare a size beyond OpenCV's
        picture = None
    if picture is None:
        raise InputError(f"{path}: its first record is not a picture; write it again")
    height, width = picture.shape
    return height, width


def _first_record(path: Path) -> Datum:
    with _open(path) as env, env.begin() as transaction:
        value = next(iter(transaction.cursor().iternext(keys=False, values=True)), b"")
    try:
        return Datum.FromString(value)
    except DecodeError:
        raise InputError(f"{path}: its first record is no Datum; write it again") from None


def database_size(path: Path) -> int:
    """Number of records of an LMDB; InputError if there is no LMDB."""
    with _open(path) as env:
        return int(env.stat()["entries"])


def database_fingerprint(path: Path) -> str:
    """SHA-256 of all keys and some values: tells databases apart without reading all of them."""
    total = hashlib.sha256()
    with _open(path) as env, env.begin() as transaction:
        every = max(1, env.stat()["entries"] // _SAMPLED)
        cursor = transaction.cursor()
        for number, key in enumerate(cursor.iternext(keys=True, values=False)):
            total.update(key)
            if number % every == 0:
                total.update(cursor.value())
    return total.hexdigest()


@contextmanager
def _open(path: Path) -> Iterator[lmdb.Environment]:
    """Open an LMDB to read it; InputError if it is missing or damaged."""
    if not (path / "data.mdb").is_file():
        raise InputError(f"{path}: no LMDB (it has no data.mdb)")
    try:
        check_pages(path)
        with lmdb.open(str(path), readonly=True, lock=False) as env:
            yield env
    except (lmdb.Error, OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be opened, or is damaged ({error})") from None
