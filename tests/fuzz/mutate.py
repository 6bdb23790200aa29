"""Changes valid files into files that nobody would write, and some that somebody would."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

#: Numbers that sizes, counts and coordinates are replaced by.
_NUMBERS = (
    *(b"0 -1 1 2 3 7 255 65536 100000 2147483647 4294967295 99999999999999999999".split()),
    *(b"nan inf -inf 1e308 1e-308 0.0 0.5 1_0 0x10 true null".split()),
    "\uff11".encode(),
    b"9" * 5000,
)
_TEXTS = (
    *(b"' \" { } [ ] ( ) , : = # \\ ../.. \x00 \xff \xef\xbb\xbf $x$ [bold] %s".split(b" ")),
    "\u202e\U0001f600".encode(),
    b"[" * 20000,
    b"a { " * 20000,
    b"\n" * 50,
    b"x" * 100000,
)
#: Little and big endian sizes.
_WORDS = (0, 1, -1, 127, 128, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, -(2**31))


def mutated(content: bytes, rng: random.Random, is_text: bool) -> bytes:
    """One to four changes of a file's content."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        common = (_cut, _delete, _repeat, _flip)
        own = (_number, _number, _number, _line, _token) if is_text else (_word, _word, _flip)
        content = rng.choice((*common, *own))(content, rng)
    return content


_Change = Callable[[bytes, random.Random], bytes]


def _span(content: bytes, rng: random.Random) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content), start + rng.choice((1, 2, 8, 64, 1024)))


def _cut(content: bytes, rng: random.Random) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _delete(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:start] + content[end:]


def _repeat(content: bytes, rng: random.Random) -> bytes:
    start, end = _span(content, rng)
    return content[:end] + content[start:end] * rng.choice((1, 2, 100)) + content[end:]


def _flip(content: bytes, rng: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(rng.choice((1, 1, 8))):
        if changed:
            # Headers are where sizes are.
            end = rng.choice((min(64, len(changed)), len(changed)))
            changed[rng.randrange(end)] = rng.randrange(256)
    return bytes(changed)


def _word(content: bytes, rng: random.Random) -> bytes:
    size = rng.choice((1, 2, 4, 4, 8))
    value = rng.choice(_WORDS) % 256**size
    end = rng.choice((min(128, len(content)), len(content)))
    start = rng.randrange(end + 1)
    return (
        content[:start]
        + value.to_bytes(size, rng.choice(("little", "big")))
        + content[start + size :]
    )


def _number(content: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+(\.\d+)?", content))
    return _replaced(content, rng.choice(found), rng.choice(_NUMBERS)) if found else content


def _token(content: bytes, rng: random.Random) -> bytes:
    found = list(re.finditer(rb"\w+|[^\w\s]", content))
    if not found:
        return rng.choice(_TEXTS)
    other = rng.choice(found)[0]
    return _replaced(content, rng.choice(found), rng.choice((other, rng.choice(_TEXTS))))


def _line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.choice(("swap", "remove", "repeat"))
    if change == "swap":
        lines[i], lines[j] = lines[j], lines[i]
    elif change == "remove":
        del lines[i]
    else:
        lines.insert(j, lines[i])
    return b"".join(lines)


def _replaced(content: bytes, match: re.Match[bytes], by: bytes) -> bytes:
    return content[: match.start()] + by + content[match.end() :]
