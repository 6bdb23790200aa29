"""Records of a Caffe LMDB in key order."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from pathlib import Path

import lmdb

from i2cnn.torchcaffe.errors import CaffeError
from i2cnn.torchcaffe.formats.lmdb_pages import check_pages


class _Environments:
    """Open LMDBs by path: a process must not open the same LMDB twice."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[lmdb.Environment, int]] = {}
        self._lock = threading.Lock()

    def open(self, source: str) -> lmdb.Environment:
        path = os.path.realpath(source)
        with self._lock:
            # Nobody writes while we read: no lock file is needed, so read-only folders work too.
            env, users = self._open.get(path) or (
                lmdb.open(path, readonly=True, lock=False, max_dbs=0),
                0,
            )
            self._open[path] = (env, users + 1)
            return env

    def release(self, env: lmdb.Environment) -> None:
        with self._lock:
            path = next(p for p, (e, _) in self._open.items() if e is env)
            users = self._open[path][1] - 1
            if users:
                self._open[path] = (env, users)
            else:
                del self._open[path]
                env.close()


_environments = _Environments()


class LmdbRecords:
    """Records of an LMDB as an endless stream in key order."""

    def __init__(self, source: str, layer: str) -> None:
        if not Path(source, "data.mdb").is_file():
            raise CaffeError(
                f"layer {layer!r}: no LMDB at {source} (working folder {Path.cwd()}); "
                "check data_param.source"
            )
        self._closed = False
        self.source = source
        self.layer = layer
        try:
            check_pages(Path(source))
            self.env = _environments.open(source)
        except ValueError as error:
            raise self._damaged(str(error)) from None
        except (lmdb.Error, OSError) as error:
            raise CaffeError(f"layer {layer!r}: {source} cannot be opened ({error})") from None
        self.count = self.env.stat()["entries"]
        if self.count == 0:
            self.close()
            raise CaffeError(f"layer {layer!r}: the LMDB {source} is empty")

    def _damaged(self, reason: str) -> CaffeError:
        return CaffeError(
            f"layer {self.layer!r}: the LMDB {self.source} is damaged ({reason}); copy it again "
            "(mdb_copy -c) or write it again"
        )

    def stream(self, index: int, step: int = 1) -> Generator[tuple[bytes, bytes], None, None]:
        """(key, value) of records `index`, `index + step`, ..., starting over after the last."""
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
        """Release the database, which closes with its last reader; repeated calls do nothing."""
        if not self._closed:
            self._closed = True
            _environments.release(self.env)
