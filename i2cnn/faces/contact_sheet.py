"""Contact sheets: every face with its landmarks, doubtful ones first, to be checked at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from i2cnn.faces.table import FLAGGED, FOUND, Face
from i2cnn.util.images import as_bgr, read_image, write_image

TILE, CAPTION, COLUMNS, ROWS = 150, 30, 10, 9
_COLOURS = {"given": (90, 160, 60), "manual": (90, 160, 60), "dlib": (160, 120, 40)}
_ALARM = (40, 40, 220)


def contact_sheets(faces: Sequence[Face], root: Path, path: Path) -> list[Path]:
    """Draw contact sheets.

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


def _tile(face: Face, root: Path) -> np.ndarray:
    """The face's surroundings with box and points, its name and how it was found."""
    image = as_bgr(read_image(root / face.image))
    centre = face.points.mean(0)
    iod = float(np.hypot(*(face.points[1] - face.points[0])))
    side = 4.2 * iod
    scale = (TILE - 4) / side
    # Maps the square around the face into the tile; the border of the image stays visible.
    matrix = np.array(
        [
            [scale, 0, TILE / 2 - scale * centre[0]],
            [0, scale, TILE / 2 - scale * centre[1]],
        ]
    )
    crop = cv2.warpAffine(
        image, matrix, (TILE, TILE), flags=cv2.INTER_AREA, borderValue=(225, 225, 225)
    )
    colour = _ALARM if face.found in FLAGGED else _COLOURS.get(face.found, (40, 140, 220))
    for x, y in face.points @ matrix[:, :2].T + matrix[:, 2]:
        position = (round(float(x)), round(float(y)))
        cv2.circle(crop, position, 3, (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(crop, position, 2, colour, -1, cv2.LINE_AA)
    cv2.rectangle(crop, (1, 1), (TILE - 3, TILE - 3), colour, 2)
    tile = np.full((TILE + CAPTION, TILE, 3), 245, np.uint8)
    tile[:TILE] = crop
    name = Path(face.image).stem
    for line, text in enumerate((name[-22:], f"{face.label} ({face.found})")):
        cv2.putText(
            tile,
            text,
            (4, TILE + 12 + 13 * line),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.37,
            (30, 30, 30),
            1,
            cv2.LINE_AA,
        )
    return tile
