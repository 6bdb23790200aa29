"""Pictures of a command line: files, and folders with all that is in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from i2cnn.util.errors import InputError
from i2cnn.util.files import files_below
from i2cnn.util.picture_files import SUFFIXES
from i2cnn.util.tables import read_text
from i2cnn.util.videos import is_video

#: Suffix of a list of pictures.
LIST = ".txt"


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

    A text file lists pictures, one per line, from its own folder on.

    Raises
    ------
    InputError
        There is no picture in a folder.
    """
    found: dict[Path, Picture] = {}
    for path in given:
        if path.suffix.lower() == ".csv":
            raise InputError(f"{path}: is a table; list the pictures in a .txt file, one per line")
        if path.is_dir():
            inside = _in_folder(path)
        else:
            inside = _in_list(path) if path.suffix.lower() == LIST else [Picture(path, path.parent)]
        if not inside:
            kinds = ", ".join(SUFFIXES)
            raise InputError(f"{path}: {unread_videos(path) or f'no pictures here ({kinds})'}")
        for picture in inside:
            found.setdefault(picture.path, picture)
    return list(found.values())


def check_no_picture(path: Path) -> None:
    """InputError if a table or a reference would be written in the place of a picture."""
    if path.suffix.lower() in SUFFIXES or is_video(path):
        raise InputError(f"{path}: has a picture's or video's name; name the file to write")


def unread_videos(folder: Path) -> str:
    """What to do about videos in a folder, and in its folders; empty if there are none."""
    found = files_below(folder) if folder.is_dir() else ()
    videos = [path for path in found if is_video(path)]
    if not videos:
        return ""
    like = videos[0].with_name(f"*{videos[0].suffix}")
    return f"videos are not read from a folder ({len(videos)} in it); give them by name, as {like}"


def _in_list(path: Path) -> list[Picture]:
    lines = (line.strip() for line in read_text(path, remedy="save it as UTF-8").splitlines())
    named = [Path(line) for line in lines if line and not line.startswith("#")]
    if videos := [name for name in named if is_video(name)]:
        raise InputError(f"{path}: {videos[0]} is a video; give videos by name, not in a list")
    # A name that leads out of the list's folder must not lead out of the folder of drawings.
    return [
        Picture(path.parent / name, path.parent)
        if not name.is_absolute() and ".." not in name.parts
        else Picture(path.parent / name, (path.parent / name).parent)
        for name in named
    ]


def _in_folder(folder: Path) -> list[Picture]:
    return [
        Picture(path, folder) for path in files_below(folder) if path.suffix.lower() in SUFFIXES
    ]
