"""Records of a Caffe database, an LMDB or a LevelDB, in key order."""

from __future__ import annotations

import collections
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable
from pathlib import Path
from typing import Any, ClassVar

import lmdb

from i2cnn.torchcaffe import log
from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.lmdb_pages import check_pages
from i2cnn.torchcaffe.proto import DataParameter
from i2cnn.util.errors import InputError


def plyvel() -> Any:
    """The optional package that reads and writes LevelDBs; an InputError where it is missing."""
    try:
        import plyvel
    except ImportError:  # there are no wheels for Python 3.13 and later, where pip compiles it
        raise CaffeError(
            "a LevelDB needs the package plyvel: pip install 'i2cnn[leveldb]', from Python 3.13 on "
            "after apt-get install g++ libleveldb-dev; or use an LMDB"
        ) from None
    return plyvel


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


class Records(ABC):
    """Records of a database as an endless stream in key order.

    Parameters
    ----------
    source : str
        Its folder.
    owner : str
        The layer or program that reads it, for errors.

    Attributes
    ----------
    count : int
        Number of records, at least 1.

    Raises
    ------
    InputError
        There is no such database, or it is damaged or empty.
    """

    #: What it is called, the file by which its folder is known, and where Caffe logs it.
    name: ClassVar[str]
    file: ClassVar[str]
    location: ClassVar[str]
    _handles: ClassVar[_Handles]

    def __init__(self, source: str, owner: str) -> None:
        self.source = source
        self.owner = owner
        if not Path(source, self.file).is_file():
            raise self._missing()
        try:
            self._database = self._handles.open(source)
        except InputError as error:
            raise self._fail(f"{source}: {error}") from None
        except ValueError as error:
            raise self._damaged(error) from None
        except (self._error(), OSError) as error:
            raise self._fail(f"{source} cannot be opened ({error})") from None
        self._closed = False
        try:
            self.count = self._count()
            if self.count == 0:
                raise self._fail(f"the {self.name} {source} is empty")
        except Exception as error:
            self.close()
            raise self._damaged(error) if isinstance(error, self._error()) else error from None
        log.info(self.location, f"Opened {self.name.lower()} {source}")

    @abstractmethod
    def _error(self) -> type[Exception]:
        """What the package that reads it raises."""

    @abstractmethod
    def _count(self) -> int:
        """Number of records."""

    @abstractmethod
    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        """(key, value) of records `index`, `index + step`, ..., starting over after the last."""

    def close(self) -> None:
        """Release the database, which closes with its last reader; repeated calls do nothing."""
        if not self._closed:
            self._closed = True
            self._handles.release(self._database)

    def _fail(self, reason: str) -> CaffeError:
        return CaffeError(f"{self.owner}: {reason}")

    def _damaged(self, reason: object) -> CaffeError:
        return self._fail(f"the {self.name} {self.source} is damaged ({reason}); copy it again")

    def _missing(self) -> CaffeError:
        remedy = "correct the path"
        for backend, kind in _KINDS.items():
            if Path(self.source, kind.file).is_file():
                remedy = f"give its backend, {DataParameter.DB.Name(backend)}"
        place = f"{self.source} (working folder {Path.cwd()})"
        return self._fail(f"no {self.name} at {place}; {remedy}")


def _open_lmdb(path: str) -> Any:
    check_pages(Path(path))
    # Nobody writes while we read: no lock file is needed, so read-only folders work too.
    return lmdb.open(path, readonly=True, lock=False, max_dbs=0)


def _lmdb_file(path: str) -> Hashable:
    file = os.stat(Path(path, "data.mdb"))
    return file.st_dev, file.st_ino


class LmdbRecords(Records):
    """Records of an LMDB."""

    name, file, location = "LMDB", "data.mdb", "db_lmdb.cpp:35"
    _handles = _Handles(_open_lmdb, _lmdb_file)

    def _error(self) -> type[Exception]:
        return lmdb.Error

    def _count(self) -> int:
        return int(self._database.stat()["entries"])

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        wanted = index % self.count
        while True:
            found = 0
            try:
                with self._database.begin(buffers=False) as txn, txn.cursor() as cursor:
                    for key in cursor.iternext(keys=True, values=False):
                        if found == wanted:
                            yield key, cursor.value()
                            wanted += step
                        found += 1
            except lmdb.Error as error:
                raise self._damaged(error) from None
            if found != self.count:
                raise self._damaged(f"{found} of {self.count} records can be read")
            wanted -= self.count


def _open_leveldb(path: str) -> Any:
    options = {"create_if_missing": False, "paranoid_checks": True, "max_open_files": 100}
    return plyvel().DB(path, **options)


class LevelDbRecords(Records):
    """Records of a LevelDB, which the optional package plyvel reads."""

    name, file, location = "LevelDB", "CURRENT", "db_leveldb.cpp:18"
    _handles = _Handles(_open_leveldb)

    def _error(self) -> type[Exception]:
        error: type[Exception] = plyvel().Error
        return error

    def _count(self) -> int:
        return sum(1 for _ in self._database.iterator(include_value=False))

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        wanted = index % self.count
        while True:
            try:
                with self._database.iterator(verify_checksums=True) as records:
                    for found, (key, value) in enumerate(records):
                        if found == wanted:
                            yield key, value
                            wanted += step
            except self._error() as error:
                raise self._damaged(error) from None
            wanted -= self.count


_KINDS: dict[int, type[Records]] = {
    DataParameter.LEVELDB: LevelDbRecords,
    DataParameter.LMDB: LmdbRecords,
}


def open_records(param: DataParameter, owner: str) -> Records:
    """The database of a Data layer, or of a program."""
    return _KINDS[param.backend](param.source, owner)
