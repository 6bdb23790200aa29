"""LevelDBs, with plyvel where it is installed and with a small stand-in everywhere."""

from __future__ import annotations

import contextlib
import pickle
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from i2cnn.torchcaffe import pycaffe as caffe
from i2cnn.torchcaffe.data.records import LevelDbRecords, open_records
from i2cnn.torchcaffe.proto import DataParameter, Datum
from i2cnn.util.errors import InputError

Write = Callable[[dict[bytes, bytes]], None]


class StandIn:
    """As much of plyvel's DB as is used: one process opens a folder once."""

    opened: Path | None = None

    def __init__(self, path: str, **options: object) -> None:
        if StandIn.opened:
            raise OSError("is open already")
        StandIn.opened = Path(path)
        self.records: dict[bytes, bytes] = pickle.loads(Path(path, "CURRENT").read_bytes())

    def iterator(self, include_value: bool = True, **options: object) -> Iterator:
        pairs = sorted(self.records.items())
        return contextlib.nullcontext(pairs) if include_value else iter(pairs)

    def close(self) -> None:
        StandIn.opened = None


@pytest.fixture(params=["stand-in", "plyvel"])
def write(request, tmp_path: Path, monkeypatch) -> Write:
    """Writes records into the database "db" of the working folder."""
    monkeypatch.chdir(tmp_path)
    if request.param == "plyvel":
        plyvel = pytest.importorskip("plyvel")

        def fill(records: dict[bytes, bytes]) -> None:
            db = plyvel.DB("db", create_if_missing=True)
            for key, value in records.items():
                db.put(key, value)
            db.close()

        return fill
    module = types.ModuleType("plyvel")
    module.DB, module.Error = StandIn, type("Error", (Exception,), {})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "plyvel", module)
    StandIn.opened = None

    def fill(records: dict[bytes, bytes]) -> None:
        Path("db").mkdir()
        Path("db", "CURRENT").write_bytes(pickle.dumps(records))

    return fill


RECORDS = {b"%02d" % i: b"value %d" % i for i in (3, 0, 4, 1, 2)}


def test_an_endless_stream_in_key_order(write: Write) -> None:
    write(RECORDS)
    first = open_records(DataParameter(source="db"), "data")  # LEVELDB is Caffe's default
    second = LevelDbRecords("./db", "data")
    assert first.count == 5
    stream = second.stream(7, 2)
    assert [next(stream)[1] for _ in range(4)] == [b"value 2", b"value 4", b"value 1", b"value 3"]
    first.close()
    first.close()
    assert next(stream) == (b"00", b"value 0")
    stream.close()
    second.close()
    LevelDbRecords("db", "data").close()


def test_data_layer(write: Write) -> None:
    rng = np.random.RandomState(0)
    images = rng.randint(0, 256, (3, 2, 4, 5)).astype(np.uint8)
    write(
        {
            b"%d" % i: Datum(
                channels=2, height=4, width=5, label=i, data=image.tobytes()
            ).SerializeToString()
            for i, image in enumerate(images)
        }
    )
    Path("net.prototxt").write_text(
        'layer { name: "d" type: "Data" top: "x" top: "n" '
        'data_param { source: "db" backend: LEVELDB batch_size: 2 } }'
    )
    net = caffe.Net("net.prototxt", caffe.TEST)
    for indices in ([0, 1], [2, 0]):
        net.forward()
        np.testing.assert_array_equal(net.blobs["x"].data, images[indices])
        np.testing.assert_array_equal(net.blobs["n"].data, indices)


def test_empty(write: Write) -> None:
    write({})
    for _ in range(2):  # it was closed
        with pytest.raises(InputError, match="data: the LevelDB db is empty"):
            LevelDbRecords("db", "data")


def test_without_plyvel(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "plyvel", None)
    (tmp_path / "CURRENT").touch()
    with pytest.raises(InputError, match=r"a LevelDB needs .* libleveldb-dev"):
        LevelDbRecords(str(tmp_path), "data")


@pytest.mark.parametrize(
    ("file", "backend", "message"),
    [
        ("data.mdb", "LEVELDB", "give its backend, LMDB"),
        ("CURRENT", "LMDB", "give its backend, LEVELDB"),
        ("other", "LEVELDB", r"no LevelDB at .*; correct the path"),
    ],
)
def test_what_is_not_what_it_says(file: str, backend: str, message: str, tmp_path: Path) -> None:
    (tmp_path / file).touch()
    param = DataParameter(source=str(tmp_path), backend=DataParameter.DB.Value(backend))
    with pytest.raises(InputError, match=message):
        open_records(param, "data")
