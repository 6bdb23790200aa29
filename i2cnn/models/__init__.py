"""Recognisers that ship: a registry by name, which other packages can join.

Each built-in one is a folder here. A package of one's own joins by an entry point in the group
`i2cnn.models`: its name is the recogniser's, its value "module:function", a function that returns
the folder.
"""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from i2cnn.util.errors import InputError

GROUP = "i2cnn.models"
#: Used for one picture, and for an album.
FOR_A_PICTURE, FOR_AN_ALBUM = "smile", "faces-7"

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


def models() -> dict[str, Path]:
    """Folders of the recognisers that are installed, by name; built-in ones win."""
    found = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    here = Path(__file__).parent
    built_in = {p.name: p for p in sorted(here.iterdir()) if (p / "recogniser.json").is_file()}
    others = {name: _folder(point) for name, point in sorted(found.items()) if name not in built_in}
    return built_in | others


def _folder(point: importlib.metadata.EntryPoint) -> Path:
    try:
        return Path(point.load()())
    except Exception as error:
        raise InputError(
            f"the recogniser {point.name!r} of {point.value} cannot be found ({error}); repair or "
            "remove the package that it comes with"
        ) from None


def find_model(name_or_folder: str | Path) -> Path:
    """Folder of a recogniser, given its name or the folder itself.

    A name stands for the recogniser even where there is a folder of that name: `./NAME`, or a Path,
    is the folder.

    Raises
    ------
    InputError
        There is neither a recogniser of that name nor a folder.
    """
    folder = Path(name_or_folder)
    if not (isinstance(name_or_folder, str) and _NAME.fullmatch(name_or_folder)):
        return folder
    known = models()
    if name_or_folder not in known and not folder.exists():
        raise InputError(
            f"{name_or_folder}: no such folder, and no recogniser that ships; give RUN/recogniser, "
            f"or one of {', '.join(known)}"
        )
    return known.get(name_or_folder, folder)
