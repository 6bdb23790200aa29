"""Limits that control groups set this process, of both versions of Linux's."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
#: Names the groups that the process is in.
_OWN = Path("/proc/self/cgroup")


def group_limits(file: str, controller: str, *older: str) -> list[list[int]]:
    """The numbers of each limit, those of the groups that contain the process's own too.

    Parameters
    ----------
    file : str
        What has them in version 2.
    controller : str
        What sets the limit in version 1.
    *older : str
        The files that have them there.
    """
    found = []
    for group in _groups():
        before = [_ROOT / controller / group / name for name in older]
        for paths in ([_ROOT / group / file], before):
            with suppress(OSError, ValueError):  # another version of control groups, or no limit
                found.append([int(word) for path in paths for word in path.read_text().split()])
    return found


def _groups() -> set[Path]:
    """The process's groups, and those that contain them, from the root."""
    groups = {Path()}
    with suppress(OSError):
        for line in _OWN.read_text().splitlines():
            group = Path(line.split(":", 2)[-1].lstrip("/"))
            groups |= {group, *group.parents}
    return groups
