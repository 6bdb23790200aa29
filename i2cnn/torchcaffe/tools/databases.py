"""Databases of Datum messages for the programs that read and write them: LMDB or LevelDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import lmdb

from i2cnn.torchcaffe.data.records import (
    NEEDS_PLYVEL,
    Records,
    is_leveldb,
    is_lmdb,
    open_records,
)
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.proto import DataParameter
from i2cnn.util.files import atomic_folder

_BACKENDS = {"lmdb": DataParameter.LMDB, "leveldb": DataParameter.LEVELDB}
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
    _check(backend)
    if Path(path).exists():
        raise CaffeError(f"{path}: exists already; remove it, or give another name")
    with atomic_folder(Path(path)) as folder:
        writer = _LmdbWriter(folder) if backend == "lmdb" else _LevelDbWriter(folder)
        try:
            yield writer
        finally:
            writer.close()


@contextmanager
def opened(path: str, backend: str, program: str) -> Iterator[Records]:
    """The records of a database; `program` is for errors."""
    _check(backend)
    _check_there(path, backend, program)
    records = open_records(DataParameter(source=path, backend=_BACKENDS[backend]), program)
    try:
        yield records
    finally:
        records.close()


def _check(backend: str) -> None:
    if backend not in _BACKENDS:
        raise CaffeError(f"Unknown database backend: {backend} (known: {', '.join(_BACKENDS)})")


def _check_there(path: str, backend: str, program: str) -> None:
    """InputError if there is no database of that backend at a path; tells what to give instead."""
    there = {"lmdb": is_lmdb(path), "leveldb": is_leveldb(path)}
    if there[backend]:
        return
    remedy = "give the folder of one, as convert_imageset writes it"
    for other, found in there.items():
        if found:
            remedy = f"it is of another backend: add -backend {other}"
    name = DataParameter.DB.Name(_BACKENDS[backend])
    raise CaffeError(f"{program}: no {name} at {path} (working folder {Path.cwd()}); {remedy}")


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
        try:
            import plyvel
        except ImportError:
            raise CaffeError(f"backend leveldb {NEEDS_PLYVEL}; or use lmdb") from None
        self._db: Any = plyvel.DB(str(folder), create_if_missing=True)

    def put(self, key: str, value: bytes) -> None:
        self._db.put(key.encode(errors="surrogateescape"), value)

    def close(self) -> None:
        self._db.close()
