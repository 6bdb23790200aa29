"""Checks the pages of an LMDB before it is opened.

liblmdb trusts its file: where a page's damage contradicts itself it aborts the process, and a size
or place outside of the file is read from memory that is not there. Neither can be caught.
"""

from __future__ import annotations

import mmap
from pathlib import Path
from struct import Struct, error

_MAGIC, _VERSION = 0xBEEFC0DE, 1
_BRANCH, _LEAF = 0x01, 0x02
#: Of a leaf's node: its value lies in pages of its own.
_BIG = 0x01
#: Page number, padding, flags, lower and upper end of the free space.
_PAGE = Struct("<QHHHH")
#: Magic, version, address, size of the map; two databases, of free pages and of records; last page
#: and transaction.
_META = Struct("<IIQQ 48s48s QQ")
#: Page size (of the first), flags, depth, three counts of pages, entries, root.
_TREE = Struct("<IHHQQQQQ")
#: Size of the value or page of the child, in three parts; size of the key.
_NODE = Struct("<HHHH")
_PLACE = Struct("<Q")
_NO_ROOT = 2**64 - 1
_MOST_DEPTH = 32


def check_pages(folder: Path) -> None:
    """Walk through all keys of the newest version of an LMDB's records.

    Values that lie in pages of their own are not read.

    Raises
    ------
    ValueError
        Says what is wrong.
    OSError
        data.mdb cannot be read.
    """
    with (
        open(folder / "data.mdb", "rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        try:
            _Pages(content).check()
        except error:
            raise ValueError("a page is cut off") from None


class _Pages:
    """The pages of a data.mdb."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.size, tree, last = self._newest()
        self.number = len(content) // self.size
        if last >= self.number:
            raise ValueError(f"data.mdb has {len(content)} of {(last + 1) * self.size} bytes")
        _, self.flags, self.depth, _, _, _, self.entries, self.root = _TREE.unpack(tree)

    def _newest(self) -> tuple[int, bytes, int]:
        """Page size, description of the records' tree and last page, of the newest version."""
        size = self._meta(0)[0]
        if size < 512 or size > 65536 or size & (size - 1):
            raise ValueError(f"pages of {size} bytes")
        _, tree, last, _ = max(self._meta(0), self._meta(size), key=lambda meta: meta[-1])
        return size, tree, last

    def _meta(self, place: int) -> tuple[int, bytes, int, int]:
        magic, version, _, _, free, records, last, transaction = _META.unpack_from(
            self.content, place + _PAGE.size
        )
        if (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("not an LMDB")
        return _TREE.unpack(free)[0], records, last, transaction

    def check(self) -> None:
        """ValueError unless each page is what its parent takes it for and all records are there."""
        if self.flags:
            raise ValueError("records of another kind than Caffe's")
        if self.root == _NO_ROOT:
            return
        if self.depth > _MOST_DEPTH:
            raise ValueError(f"a tree of depth {self.depth}")
        seen: set[int] = set()
        found, level = 0, [self.root]
        for depth in range(1, self.depth + 1):
            kind = _LEAF if depth == self.depth else _BRANCH
            if not seen.isdisjoint(level) or len(set(level)) < len(level):
                raise ValueError("a page is in two places")
            seen.update(level)
            below: list[int] = []
            for page in level:
                nodes = self._nodes(page, kind)
                found += len(nodes) if kind == _LEAF else 0
                below += nodes
            level = below
        if found != self.entries:
            raise ValueError(f"{found} of {self.entries} records can be read")

    def _nodes(self, page: int, kind: int) -> list[int]:
        """Pages of a branch's children; for a leaf, as many numbers as it has records."""
        start = page * self.size
        if page < 2 or page >= self.number:
            raise ValueError(f"page {page} of {self.number}")
        number, _, flags, lower, upper = _PAGE.unpack_from(self.content, start)
        count = (lower - _PAGE.size) // 2
        least = 1 if kind == _LEAF else 2
        if number != page or flags != kind or not least <= count or not lower <= upper <= self.size:
            raise ValueError(f"page {page} contradicts itself")
        places = Struct(f"<{count}H").unpack_from(self.content, start + _PAGE.size)
        return [self._node(page, start, place, kind) for place in places]

    def _node(self, page: int, start: int, place: int, kind: int) -> int:
        low, high, flags, key = _NODE.unpack_from(self.content, start + place)
        end, value = place + _NODE.size + key, int(low | high << 16)
        if kind == _BRANCH:
            fits, value = end <= self.size, value | flags << 32
        elif flags == _BIG:
            (first,) = _PLACE.unpack_from(self.content, start + end)
            pages = -(-(_PAGE.size + value) // self.size)
            fits = end + _PLACE.size <= self.size and 2 <= first <= self.number - pages
        else:
            fits = not flags and end + value <= self.size
        if not fits:
            raise ValueError(f"page {page} contradicts itself")
        return value
