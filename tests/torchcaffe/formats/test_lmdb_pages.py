"""Databases whose pages contradict themselves are refused before liblmdb aborts the process."""

from __future__ import annotations

import struct
from pathlib import Path

import lmdb
import pytest

from i2cnn.torchcaffe.formats.lmdb_pages import check_pages

PAGE = 4096


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A database of 400 records in two levels; every tenth value lies in pages of its own."""
    with lmdb.open(str(tmp_path / "db"), map_size=10_000_000) as env, env.begin(write=True) as txn:
        for i in range(400):
            txn.put(f"{i:08d}".encode(), b"x" * (6000 if i % 10 == 0 else 100))
    return tmp_path / "db"


def page_of(content: bytes, flags: int) -> int:
    """Place of the first page with these flags."""
    starts = range(2 * PAGE, len(content), PAGE)
    return next(s for s in starts if struct.unpack_from("<H", content, s + 10)[0] == flags)


def test_whole_databases_pass(folder: Path, golden: Path) -> None:
    check_pages(folder)
    for name in ("data_lmdb", "png_lmdb", "graypng_lmdb"):
        check_pages(golden / name)


def test_an_empty_database_passes(tmp_path: Path) -> None:
    lmdb.open(str(tmp_path / "db")).close()
    check_pages(tmp_path / "db")


@pytest.mark.parametrize(
    ("flags", "offset", "value", "reason"),
    [
        (0x01, 10, 0x02, r"page \d+ contradicts itself"),  # a branch that says it is a leaf
        (0x02, 10, 0x01, r"page \d+ contradicts itself"),  # a leaf that says it is a branch
        (0x02, 12, 0xFFF0, r"page \d+ contradicts itself"),  # more records than fit
        (0x02, 12, 0, r"page \d+ contradicts itself"),  # none
        (0x02, 16, 0xFFFF, r"page \d+ contradicts itself|cut off"),  # a record outside of the page
        (0x01, 0, 77, r"page \d+ contradicts itself"),  # another page's number
    ],
)
def test_pages_that_contradict_themselves_are_named(
    flags: int, offset: int, value: int, reason: str, folder: Path
) -> None:
    content = bytearray((folder / "data.mdb").read_bytes())
    struct.pack_into("<H", content, page_of(content, flags) + offset, value)
    (folder / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        check_pages(folder)


def test_two_children_that_are_one_page(folder: Path) -> None:
    content = bytearray((folder / "data.mdb").read_bytes())
    start = page_of(content, 0x01)
    first, second = struct.unpack_from("<2H", content, start + 16)
    content[start + second : start + second + 6] = content[start + first : start + first + 6]
    (folder / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match="a page is in two places"):
        check_pages(folder)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"x" * 100, "cut off|not an LMDB"), (b"x" * 8192, "not an LMDB")],
)
def test_other_files_are_no_database(content: bytes, reason: str, folder: Path) -> None:
    (folder / "data.mdb").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        check_pages(folder)


def test_a_truncated_database_is_refused(folder: Path) -> None:
    whole = (folder / "data.mdb").read_bytes()
    (folder / "data.mdb").write_bytes(whole[: -3 * PAGE])
    with pytest.raises(ValueError, match=rf"data\.mdb has {len(whole) - 3 * PAGE} of \d+ bytes"):
        check_pages(folder)
