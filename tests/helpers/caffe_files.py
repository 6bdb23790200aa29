"""Writes what tests of torchcaffe read: LMDBs of Datum messages, changed solver files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import lmdb

from i2cnn.torchcaffe.proto import Datum


def write_lmdb(path: str | Path, datums: Iterable[Datum | bytes]) -> None:
    """Write an LMDB with keys 00000000, 00000001, ...; bytes are stored as they are."""
    env = lmdb.open(str(path), map_size=1 << 24)
    with env.begin(write=True) as txn:
        for i, datum in enumerate(datums):
            value = datum if isinstance(datum, bytes) else datum.SerializeToString()
            txn.put(b"%08d" % i, value)
    env.close()


def change_solver(source: str, target: str, **changes: str | int | float) -> None:
    """Write a solver file with these fields set instead of what the source has for them."""
    text = Path(source).read_text()
    for name, value in changes.items():
        text = re.sub(rf"^{name}: .*\n", "", text, flags=re.M) + f"{name}: {value}\n"
    Path(target).write_text(text)
