"""Reads the project's Markdown pages: code blocks, headings, links."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_FENCE = re.compile(r"```(.*)")
_REASON = re.compile(r"<!-- not run: (.+) -->")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced code block.

    Parameters
    ----------
    page : str
        Path of the page from the repository's root.
    line : int
        Line of its first code line.
    language, code : str
    reason : str
        Why it cannot be run, from the comment `<!-- not run: ... -->` above it; empty if it is run.
    """

    page: str
    line: int
    language: str
    code: str
    reason: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[str]:
    """README.md and its neighbours and all pages below docs/, as paths from the root."""
    found = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
    return [path.relative_to(ROOT).as_posix() for path in found]


def read(page: str) -> list[str]:
    """Lines of a page."""
    return (ROOT / page).read_text(encoding="utf-8").splitlines()


def blocks(*languages: str) -> list[Block]:
    """Code blocks of all pages; only those in some languages, if any is given."""
    found = [block for page in pages() for block in blocks_of(page)]
    return [block for block in found if not languages or block.language in languages]


def blocks_of(page: str) -> Iterator[Block]:
    """Code blocks of one page."""
    lines = read(page)
    start = 0
    for number, line in enumerate(lines, 1):
        fence = _FENCE.fullmatch(line)
        if fence is None:
            continue
        if not start:
            start, language = number, fence[1]
            marker = _REASON.fullmatch(lines[number - 2]) if number > 1 else None
        else:
            code = "\n".join(lines[start : number - 1]) + "\n"
            yield Block(page, start + 1, language, code, marker[1] if marker else "")
            start = 0
    assert not start, f"{page}:{start}: the code block has no end"


def text(page: str) -> list[str]:
    """Lines of a page; those of its code blocks are empty."""
    inside = False
    found = []
    for line in read(page):
        fence = _FENCE.fullmatch(line) is not None
        found.append("" if inside or fence else line)
        inside ^= fence
    return found


def links(page: str) -> list[str]:
    """Targets of all links and images of a page."""
    return _LINK.findall(re.sub(r"`[^`\n]*`", "code", "\n".join(text(page))))


def anchors(page: str) -> set[str]:
    """Anchors of a page's headings, as MkDocs and code hosts make them."""
    titles = [line.lstrip("#").strip().lower() for line in text(page) if line.startswith("#")]
    return {re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", title).strip()) for title in titles}


def commands(code: str) -> list[list[str]]:
    """Words of each command of a shell block; comments and continued lines are understood."""
    lines = code.replace("\\\n", " ").splitlines()
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]
