"""Pictures of a command line: files, and folders with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.util.errors import InputError
from i2cnn.util.picture_files import SUFFIXES


@dataclass(frozen=True)
class Picture:
    """A picture to be read.

    Parameters
    ----------
    path : Path
    folder : Path
        The folder that was given, or the one that a given file is in.
    """

    path: Path
    folder: Path

    @property
    def inside(self) -> Path:
        """Its path inside the folder."""
        return self.path.relative_to(self.folder)


def find_pictures(given: Sequence[Path]) -> list[Picture]:
    """Pictures in the order given; a folder's, and its folders', by name. Hidden ones are not.

    Raises
    ------
    InputError
        There is no picture in a folder.
    """
    found: dict[Path, Picture] = {}
    for path in given:
        inside = _in_folder(path) if path.is_dir() else [Picture(path, path.parent)]
        if not inside:
            raise InputError(f"{path}: no pictures here ({', '.join(SUFFIXES)})")
        for picture in inside:
            found.setdefault(picture.path, picture)
    return list(found.values())


def _in_folder(folder: Path) -> list[Picture]:
    return [
        Picture(path, folder)
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
