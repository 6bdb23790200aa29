"""Databases of Datum messages for the programs that read and write them: LMDB or LevelDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import lmdb

from i2cnn.torchcaffe.data.records import Records, open_records, plyvel
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import DataParameter
from i2cnn.util.files import atomic_folder

#: Records of a transaction, as in Caffe's own programs.
BATCH = 1000
_FIRST_SIZE = 2**26


class Writer(Protocol):
    """A new database; `put` takes keys in any order."""

    def put(self, key: str, value: bytes) -> None:
        """Store a record."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def new_database(path: str, backend: str) -> Iterator[Writer]:
    """A new database at `path`, which appears there when the block ends well.

    Raises
    ------
    InputError
        There is something at the path, the backend is unknown, or its package is not installed.
    """
    name = _name(backend)
    if Path(path).exists():
        raise CaffeError(f"{path}: exists already; remove it, or give another name")
    with atomic_folder(Path(path)) as folder:
        writer = _LmdbWriter(folder) if name == "LMDB" else _LevelDbWriter(folder)
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def opened(path: str, backend: str, program: str) -> Iterator[Records]:
    """The records of a database; `program` is for errors."""
    records = open_records(DataParameter(source=path, backend=_name(backend)), program)
    try:
        yield records
    finally:
        records.close()


def _name(backend: str) -> str:
    """A backend's name in a prototxt."""
    known = DataParameter.DB.keys()
    if backend.upper() not in known:
        names = ", ".join(known).lower()
        raise CaffeError(f"Unknown database backend: {backend} (known: {names})")
    return backend.upper()


class _LmdbWriter:
    def __init__(self, folder: Path) -> None:
        # A mapped lock file would end the process where the disk is full.
        self._env = lmdb.open(str(folder), map_size=_FIRST_SIZE, lock=False)
        self._waiting: list[tuple[bytes, bytes]] = []

    def put(self, key: str, value: bytes) -> None:
        encoded = key.encode(errors="surrogateescape")
        if len(encoded) > self._env.max_key_size():
            raise CaffeError(
                f"the key {key!r} has {len(encoded)} bytes, more than an LMDB's "
                f"{self._env.max_key_size()}; give the file a shorter name"
            )
        self._waiting.append((encoded, value))
        if len(self._waiting) == BATCH:
            self._commit()

    def _commit(self) -> None:
        while self._waiting:
            try:
                with self._env.begin(write=True) as txn:
                    for key, value in self._waiting:
                        txn.put(key, value)
                self._waiting = []
            except lmdb.MapFullError:
                self._env.set_mapsize(2 * self._env.info()["map_size"])

    def close(self) -> None:
        self._commit()
        self._env.close()


class _LevelDbWriter:
    def __init__(self, folder: Path) -> None:
        self._db: Any = plyvel().DB(str(folder), create_if_missing=True)

    def put(self, key: str, value: bytes) -> None:
        self._db.put(key.encode(errors="surrogateescape"), value)

    def close(self) -> None:
        self._db.close()
