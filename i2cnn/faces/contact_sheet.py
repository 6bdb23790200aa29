"""Contact sheets: every face with its landmarks, doubtful ones first, to be checked at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from i2cnn.faces.table import FLAGGED, FOUND, Face
from i2cnn.util.arrays import UInt8Array
from i2cnn.util.captions import draw_text
from i2cnn.util.images import as_bgr, read_image, write_image
from i2cnn.util.landmarks import interocular_distance

TILE, CAPTION, COLUMNS, ROWS = 150, 30, 10, 9
#: Letters that fit below a tile.
_LONGEST = 24
#: Frames in B, G, R by how a face was found; those to be checked have _ALARM.
_COLOURS = {
    "given": (90, 160, 60),
    "manual": (90, 160, 60),
    "dlib": (160, 120, 40),
    "dlib-upsampled": (40, 140, 220),
    "dlib-turned": (40, 140, 220),
    "whole": (40, 140, 220),
}
_ALARM = (40, 40, 220)
#: Side of the square that is shown of a face, in inter-ocular distances.
_SIDE = 4.2


def contact_sheets(faces: Sequence[Face], root: Path, path: Path) -> list[Path]:
    """Draw contact sheets of faces, doubtful ones first.

    Parameters
    ----------
    faces : sequence of Face
    root : Path
        Folder that the image paths start from.
    path : Path
        PNG of the first sheet; further ones get _2, _3, ... before the ending.

    Returns
    -------
    list of Path
        The sheets written.
    """
    ordered = sorted(faces, key=lambda f: -FOUND.index(f.found))
    per_sheet = COLUMNS * ROWS
    sheets = []
    for number, start in enumerate(range(0, len(ordered), per_sheet), 1):
        part = ordered[start : start + per_sheet]
        rows = -(-len(part) // COLUMNS)
        sheet = np.full((rows * (TILE + CAPTION), COLUMNS * TILE, 3), 245, np.uint8)
        for i, face in enumerate(part):
            y, x = i // COLUMNS * (TILE + CAPTION), i % COLUMNS * TILE
            sheet[y : y + TILE + CAPTION, x : x + TILE] = _tile(face, root)
        name = path if number == 1 else path.with_name(f"{path.stem}_{number}{path.suffix}")
        write_image(name, sheet)
        sheets.append(name)
    return sheets


def _tile(face: Face, root: Path) -> UInt8Array:
    """The face's surroundings with its points, its name and how it was found."""
    tile = np.full((TILE + CAPTION, TILE, 3), 245, np.uint8)
    tile[:TILE] = _surroundings(face, as_bgr(read_image(root / face.image)))
    name = Path(face.image).stem
    found = f" ({face.found})"
    for line, text in enumerate((name[-_LONGEST:], face.label[: _LONGEST - len(found)] + found)):
        draw_text(tile, text, (4, TILE + 12 + 13 * line), 11, (30, 30, 30))
    return tile


def _surroundings(face: Face, image: UInt8Array) -> UInt8Array:
    """A square around the face, with its landmarks, framed in a colour for how it was found."""
    x, y = face.points.mean(0)
    scale = (TILE - 4) / (_SIDE * interocular_distance(face.points))
    # Maps the square into the tile; the border of the image stays visible.
    matrix = np.array([[scale, 0, TILE / 2 - scale * x], [0, scale, TILE / 2 - scale * y]])
    warped = cv2.warpAffine(
        image, matrix, (TILE, TILE), flags=cv2.INTER_AREA, borderValue=(225, 225, 225)
    )
    crop = np.asarray(warped, np.uint8)
    colour = _ALARM if face.found in FLAGGED else _COLOURS[face.found]
    for px, py in face.points @ matrix[:, :2].T + matrix[:, 2]:
        position = (round(float(px)), round(float(py)))
        cv2.circle(crop, position, 3, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(crop, position, 2, colour, -1, cv2.LINE_AA)
    cv2.rectangle(crop, (1, 1), (TILE - 3, TILE - 3), colour, 2)
    return crop
