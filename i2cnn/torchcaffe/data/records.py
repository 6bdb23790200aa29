"""Records of a Caffe database, an LMDB or a LevelDB, in key order."""

from __future__ import annotations

import collections
import os
import threading
from collections.abc import Callable, Generator, Hashable
from pathlib import Path
from typing import Any, Protocol

import lmdb

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.lmdb_pages import check_pages
from i2cnn.torchcaffe.proto import DataParameter

#: What a LevelDB needs. There are no wheels for Python 3.13 and later, where pip compiles it.
NEEDS_PLYVEL = (
    "needs the package plyvel: pip install 'i2cnn[leveldb]', from Python 3.13 on after apt-get "
    "install g++ libleveldb-dev"
)


class Records(Protocol):
    """Records of a database as an endless stream in key order.

    Attributes
    ----------
    count : int
        Number of records, at least 1.
    """

    count: int

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        """(key, value) of records `index`, `index + step`, ..., starting over after the last."""

    def close(self) -> None:
        """Release the database, which closes with its last reader; repeated calls do nothing."""


def is_lmdb(source: str) -> bool:
    """True if there is an LMDB in that folder."""
    return Path(source, "data.mdb").is_file()


def is_leveldb(source: str) -> bool:
    """True if there is a LevelDB in that folder."""
    return Path(source, "CURRENT").is_file()


def open_records(param: DataParameter, layer: str) -> Records:
    """The database of a Data layer."""
    if param.backend == DataParameter.LEVELDB:
        return LevelDbRecords(param.source, layer)
    return LmdbRecords(param.source, layer)


class _Handles:
    """Open databases: a process must not open the same database twice.

    Parameters
    ----------
    open_ : callable
        Opens the database at a path.
    identify : callable
        What tells the database at a path from others, so that one which was written again there is
        not taken for the one before.
    """

    def __init__(
        self, open_: Callable[[str], Any], identify: Callable[[str], Hashable] = os.path.realpath
    ) -> None:
        self._open_new = open_
        self._identify = identify
        self._open: dict[Hashable, tuple[Any, int]] = {}
        self._released: collections.deque[Any] = collections.deque()
        self._lock = threading.Lock()

    def open(self, source: str) -> Any:
        with self._lock:
            key = self._identify(source)
            handle, users = self._open.get(key) or (self._open_new(source), 0)
            self._open[key] = (handle, users + 1)
        self._close_released()
        return handle

    def release(self, handle: Any) -> None:
        # Of a net that is garbage this may be called in the middle of `open`, which has the lock.
        self._released.append(handle)
        self._close_released()

    def _close_released(self) -> None:
        while self._released and self._lock.acquire(blocking=False):
            try:
                if self._released:  # another thread may have been faster
                    self._close(self._released.popleft())
            finally:
                self._lock.release()

    def _close(self, handle: Any) -> None:
        key = next(k for k, (h, _) in self._open.items() if h is handle)
        users = self._open[key][1] - 1
        if users:
            self._open[key] = (handle, users)
        else:
            del self._open[key]
            handle.close()


def _open_lmdb(path: str) -> Any:
    # Nobody writes while we read: no lock file is needed, so read-only folders work too.
    return lmdb.open(path, readonly=True, lock=False, max_dbs=0)


def _lmdb_file(path: str) -> Hashable:
    file = os.stat(Path(path, "data.mdb"))
    return file.st_dev, file.st_ino


_lmdbs = _Handles(_open_lmdb, _lmdb_file)


class LmdbRecords:
    """Records of an LMDB."""

    def __init__(self, source: str, layer: str) -> None:
        if not is_lmdb(source):
            if is_leveldb(source):
                raise CaffeError(f"layer {layer!r}: {source} is a LevelDB; give backend: LEVELDB")
            raise CaffeError(
                f"layer {layer!r}: no LMDB at {source} (working folder {Path.cwd()}); "
                "check data_param.source"
            )
        self._closed = False
        self.source = source
        self.layer = layer
        try:
            check_pages(Path(source))
            self.env = _lmdbs.open(source)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        except (lmdb.Error, OSError) as error:
            raise CaffeError(f"layer {layer!r}: {source} cannot be opened ({error})") from None
        self.count = self.env.stat()["entries"]
        if self.count == 0:
            self.close()
            raise CaffeError(f"layer {layer!r}: the LMDB {source} is empty")
        log.info("db_lmdb.cpp:35", f"Opened lmdb {source}")

    def _damaged(self, reason: str) -> CaffeError:
        return CaffeError(
            f"layer {self.layer!r}: the LMDB {self.source} is damaged ({reason}); copy it again "
            "(mdb_copy -c) or write it again"
        )

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        wanted = index % self.count
        while True:
            found = 0
            try:
                with self.env.begin(buffers=False) as txn, txn.cursor() as cursor:
                    for key in cursor.iternext(keys=True, values=False):
                        if found == wanted:
                            yield key, cursor.value()
                            wanted += step
                        found += 1
            except lmdb.Error as error:
                raise self._damaged(str(error)) from None
            if found != self.count:
                raise self._damaged(f"{found} of {self.count} records can be read")
            wanted -= self.count

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            _lmdbs.release(self.env)


def _open_leveldb(path: str) -> Any:
    import plyvel

    return plyvel.DB(path, create_if_missing=False, paranoid_checks=True, max_open_files=100)


_leveldbs = _Handles(_open_leveldb)


class LevelDbRecords:
    """Records of a LevelDB, which the optional package plyvel reads."""

    def __init__(self, source: str, layer: str) -> None:
        if not is_leveldb(source):
            if is_lmdb(source):
                raise CaffeError(f"layer {layer!r}: {source} is an LMDB; give backend: LMDB")
            raise CaffeError(
                f"layer {layer!r}: no LevelDB at {source} (working folder {Path.cwd()}); "
                "check data_param.source"
            )
        try:
            import plyvel
        except ImportError:
            raise CaffeError(
                f"layer {layer!r}: {source} is a LevelDB, which {NEEDS_PLYVEL}; or use an LMDB and "
                "backend: LMDB"
            ) from None
        self._error: type[Exception] = plyvel.Error
        self._closed = False
        self.source = source
        self.layer = layer
        try:
            self.db = _leveldbs.open(source)
        except (plyvel.Error, OSError) as error:
            raise CaffeError(f"layer {layer!r}: {source} cannot be opened ({error})") from None
        try:
            self.count = sum(1 for _ in self.db.iterator(include_value=False))
        except plyvel.Error as error:
            self.close()
            raise self._damaged(str(error)) from None
        if self.count == 0:
            self.close()
            raise CaffeError(f"layer {layer!r}: the LevelDB {source} is empty")
        log.info("db_leveldb.cpp:18", f"Opened leveldb {source}")

    def _damaged(self, reason: str) -> CaffeError:
        return CaffeError(
            f"layer {self.layer!r}: the LevelDB {self.source} is damaged ({reason}); copy it "
            "again or write it again"
        )

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        wanted = index % self.count
        while True:
            try:
                with self.db.iterator(verify_checksums=True) as records:
                    for found, (key, value) in enumerate(records):
                        if found == wanted:
                            yield key, value
                            wanted += step
            except self._error as error:
                raise self._damaged(str(error)) from None
            wanted -= self.count

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            _leveldbs.release(self.db)
