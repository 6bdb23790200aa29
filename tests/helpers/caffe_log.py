"""Lines of Caffe's log as they can be compared."""

from __future__ import annotations

import re

_STAMP = re.compile(r"^[IWE]\d{4} \S+ +\d+ ", re.MULTILINE)
_PLACE = re.compile(r"^[\w.]+(?::\d+)?\] ", re.MULTILINE)
#: What a data layer's thread logs whenever it comes to it.
_OF_THREADS = ("Restarting data prefetching", "Waiting for data")
_BEGIN = re.compile(r"^(?:Solving|Running for|Performing) ", re.MULTILINE)
_BEGIN_AT = re.compile(_PLACE.pattern + _BEGIN.pattern[1:], re.MULTILINE)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?|\binf\b")


def without_stamps(text: str) -> str:
    """A log without levels, times and processes."""
    return _STAMP.sub("", text)


def building(text: str) -> list[str]:
    """What is logged before a training, a test or a timing begins, without stamps and places.

    What the opening of a database logs comes last: ours opens it when its layer is set up, genuine
    Caffe when the layer is made.
    """
    before = _BEGIN.split(_PLACE.sub("", without_stamps(text)), maxsplit=1)[0]
    return sorted(_kept(before), key=lambda line: line.startswith("Opened "))


def running(text: str) -> list[str]:
    """What is logged from then on, without stamps, and with # for each number of a message."""
    after = _BEGIN_AT.split(without_stamps(text), maxsplit=1)[1]
    lines = (line.partition("] ") for line in after.splitlines())
    return [
        f"{place}{bracket}{_NUMBER.sub('#', message)}"
        for place, bracket, message in lines
        if not message.startswith(_OF_THREADS)
    ]


def _kept(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(_OF_THREADS)]
