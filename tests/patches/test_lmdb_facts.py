"""Facts about a database: size, encoding, contents, fingerprint."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import lmdb
import pytest

from i2cnn.patches import ENCODINGS
from i2cnn.patches.jitter import Jitter
from i2cnn.patches.lmdb_facts import (
    CONTENTS_FILE,
    DatabaseContents,
    database_contents,
    database_fingerprint,
    database_size,
    is_encoded,
    record_size,
)
from i2cnn.patches.schemes import DEEPID
from i2cnn.torchcaffe.proto import Datum
from i2cnn.util.errors import InputError
from tests.helpers.databases import write_faces

FACTS = pytest.mark.parametrize("fact", [database_size, database_fingerprint, is_encoded])
#: As patches.json has it.
JITTER = asdict(Jitter(2, 1))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Two faces, two patches each."""
    write_faces(tmp_path / "db", number=2, patches=[4, 1], classes=("a", "b"))
    return tmp_path / "db"


def test_the_size_is_the_number_of_records(database: Path) -> None:
    assert database_size(database) == 4


def test_contents_say_scheme_patches_and_classes(database: Path) -> None:
    assert database_contents(database) == DatabaseContents(DEEPID.digest, (4, 1), ("a", "b"))


def test_a_database_of_another_program_has_no_contents(database: Path) -> None:
    (database / CONTENTS_FILE).unlink()
    assert database_contents(database) is None


@pytest.mark.parametrize(
    "change",
    [
        {"scheme": 3},
        {"patches": [1, "2"]},
        {"patches": [True]},
        {"patches": 4},
        {"classes": None},
        {"classes": "ab"},
        {"jitter": None},
        {"jitter": 2},
        {"jitter": {"copies": 2}},
        {"jitter": JITTER | {"copies": 1.5}},
        {"jitter": JITTER | {"copies": -1}},
        {"jitter": JITTER | {"rotation": "6"}},
        {"jitter": JITTER | {"other": 1}},
    ],
)
def test_damaged_contents_are_named(change: dict[str, object], database: Path) -> None:
    path = database / CONTENTS_FILE
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=r"patches\.json: damaged"):
        database_contents(database)


@pytest.mark.parametrize("text", ["[]", "3", '{"scheme": "x"}', "null"])
def test_contents_of_another_form_are_named(text: str, database: Path) -> None:
    (database / CONTENTS_FILE).write_text(text)
    with pytest.raises(InputError, match=r"patches\.json: damaged"):
        database_contents(database)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_image_files_are_encoded_and_raw_pixels_are_not(encoding: str, tmp_path: Path) -> None:
    write_faces(tmp_path / "db", number=1, patches=[0], encoding=encoding)
    assert is_encoded(tmp_path / "db") == (encoding != "raw")


def test_equal_databases_have_one_fingerprint(database: Path, tmp_path: Path) -> None:
    write_faces(tmp_path / "again", number=2, patches=[4, 1])
    assert database_fingerprint(database) == database_fingerprint(tmp_path / "again")


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"jitter": 1}, {"patches": [4, 3]}, {"encoding": "raw"}]
)
def test_other_databases_have_another_fingerprint(
    change: dict[str, object], database: Path, tmp_path: Path
) -> None:
    write_faces(tmp_path / "other", **({"number": 2, "patches": [4, 1]} | change))
    assert database_fingerprint(database) != database_fingerprint(tmp_path / "other")


@FACTS
def test_a_folder_without_a_database_is_named(fact, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{tmp_path}: no LMDB"):
        fact(tmp_path)


@FACTS
def test_a_damaged_database_is_named(fact, tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"x" * 9000)
    with pytest.raises(InputError, match=f"{tmp_path}: cannot be opened"):
        fact(tmp_path)


@pytest.mark.parametrize("picture", [b"", b"none", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\1" * 17])
def test_a_first_record_without_a_picture_is_named(picture: bytes, tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as transaction:
        transaction.put(b"key", Datum(data=picture, encoded=True).SerializeToString())
    with pytest.raises(InputError, match=f"{tmp_path}: its first record is not a picture"):
        record_size(tmp_path)


def test_a_damaged_value_is_named(tmp_path: Path) -> None:
    """Found by the fuzzer: a value whose pages say that they are something else."""
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as transaction:
        transaction.put(b"key", b"x" * 9000)
    content = bytearray((tmp_path / "data.mdb").read_bytes())
    flags = next(at for at in range(2 * 4096 + 10, len(content), 4096) if content[at] == 4)
    content[flags] = 2
    (tmp_path / "data.mdb").write_bytes(content)
    with pytest.raises(InputError, match=f"{tmp_path}: cannot be opened, or is damaged"):
        is_encoded(tmp_path)
