"""Writes small LMDBs of embedded faces and reads records back."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import cv2
import lmdb
import numpy as np

from i2cnn.datasets import embedded_root
from i2cnn.patches.lmdb_writer import DatabaseInfo, DatabaseOptions, write_database
from i2cnn.patches.schemes import DEEPID, PatchSet, Scheme
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.progress import Callback
from tests.helpers.faces import some_faces


def options_of(
    patches: Iterable[int] | None = None, scheme: Scheme = DEEPID, **options: Any
) -> DatabaseOptions:
    """Options with these patches of a scheme; all if none are given."""
    chosen = range(len(scheme)) if patches is None else patches
    return DatabaseOptions(PatchSet(scheme, tuple(chosen)), **options)


def write_faces(
    out: Path,
    number: int = 3,
    *,
    mean_file: Path | None = None,
    update: Callback | None = None,
    **options: Any,
) -> DatabaseInfo:
    """Write a database of embedded faces, labelled 0, 1, 2, ...; `options` as for options_of."""
    return write_database(
        some_faces(number),
        list(range(number)),
        embedded_root(),
        out,
        options_of(**({"seed": 1} | options)),
        mean_file=mean_file,
        update=update,
    )


def records(path: Path) -> list[tuple[bytes, bytes]]:
    """Keys and values of an LMDB in key order."""
    with lmdb.open(str(path), readonly=True, lock=False) as env, env.begin() as txn:
        return list(txn.cursor())


def database_digest(path: Path) -> str:
    """SHA-256 of all keys and values in key order, independent of how pages lie in the file."""
    total = hashlib.sha256()
    for record in records(path):
        for part in record:
            total.update(len(part).to_bytes(8, "little"))
            total.update(part)
    return total.hexdigest()


def decode(value: bytes) -> tuple[np.ndarray, Datum]:
    """Picture and message of a record."""
    datum = Datum.FromString(value)
    if datum.encoded:
        image = cv2.imdecode(np.frombuffer(datum.data, np.uint8), cv2.IMREAD_UNCHANGED)
        return np.asarray(image, np.uint8), datum
    planes = np.frombuffer(datum.data, np.uint8)
    return planes.reshape(datum.channels, datum.height, datum.width).transpose(1, 2, 0), datum
