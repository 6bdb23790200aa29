"""`i2cnn faces --review`: a page on which a person corrects the landmarks of a table of faces."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from i2cnn.faces.locate import box_around
from i2cnn.faces.table import (
    COLUMNS,
    FLAGGED,
    FOUND,
    LEFT_OUT,
    Face,
    read_all_rows,
    write_faces_csv,
)
from i2cnn.pages.answers import fault, refused
from i2cnn.pages.listen import STATIC, static_files
from i2cnn.pages.turns import Refusal, read_body
from i2cnn.util.arrays import Float64Array, UInt8Array
from i2cnn.util.errors import InputError
from i2cnn.util.files import file_digest
from i2cnn.util.images import read_image
from i2cnn.util.landmarks import check_points
from i2cnn.util.tables import csv_columns
from i2cnn.util.text import printable
from i2cnn.util.turns import Turns

#: What a person decides on a face: it is as the program found it, its landmarks are right, ...
AS_FOUND, MANUAL = "as-found", "manual"
DECISIONS = (AS_FOUND, MANUAL, *LEFT_OUT)
_MOST_BYTES, _BODY_SECONDS = 10_000, 10.0
#: Longer side of the pictures that are sent.
_LONGEST = 1600
T = TypeVar("T")


class Review:
    """A table of faces that is written anew after each decision.

    Parameters
    ----------
    table : Path
        faces.csv.
    root : Path
        Folder that the image paths start from.

    Raises
    ------
    InputError
        The table cannot be read, has no faces, or has columns that would be lost.
    """

    def __init__(self, table: Path, root: Path) -> None:
        self.table, self._root = table, root
        self._found = read_all_rows(table)
        others = [name for name in csv_columns(table) if name and name not in COLUMNS]
        if others:
            raise InputError(
                f"{table}: is written anew by a review, without its column {', '.join(others)}; "
                "delete that, or review a copy"
            )
        if not self._found:
            raise InputError(f"{table}: there are no faces in it")
        self._faces = list(self._found)
        self._digest = file_digest(table)
        self._turn = Turns()

    def faces(self) -> dict[str, Any]:
        """Every face, those to be checked first."""
        kinds = (*LEFT_OUT, *FOUND)
        order = sorted(range(len(self._faces)), key=lambda i: -kinds.index(self._found[i].found))
        return {"table": printable(self.table), "faces": [self._entry(i) for i in order]}

    def picture(self, number: int) -> tuple[UInt8Array, tuple[int, int]]:
        """The picture of a face, made smaller if it is large, and its own width and height."""
        image = read_image(self._root / self._face(number).image)
        height, width = image.shape[:2]
        scale = min(1.0, _LONGEST / max(height, width))
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        return image, (width, height)

    def decide(self, number: int, decision: str, points: Float64Array) -> dict[str, Any]:
        """Note what a person decides on a face, and save the table.

        Parameters
        ----------
        number : int
            Of the face, in the order of the table.
        decision : str
            One of DECISIONS.
        points : ndarray, (5, 2)
            Landmarks; those that were found if it is AS_FOUND.

        Raises
        ------
        InputError
            The points are not those of a face; the table cannot be written, or another program has
            changed it.
        """
        found = self._face(number)
        reason = check_points(points)
        if reason and decision == MANUAL:
            raise InputError(f"these cannot be the landmarks of a face: {reason}")
        with self._turn:
            if file_digest(self.table) != self._digest:
                raise InputError(
                    f"{self.table}: was changed by another program; stop the review and start it "
                    "again"
                )
            before = self._faces[number]
            self._faces[number] = _decided(found, before, decision, points)
            try:
                write_faces_csv(self.table, self._faces)
            except InputError:
                self._faces[number] = before
                raise
            self._digest = file_digest(self.table)
            return self._entry(number)

    def _face(self, number: int) -> Face:
        if not 0 <= number < len(self._found):
            raise InputError(f"there is no face {number}")
        return self._found[number]

    def _entry(self, number: int) -> dict[str, Any]:
        found, face = self._found[number], self._faces[number]
        return {
            "number": number,
            "image": printable(face.image),
            "subject": printable(face.subject),
            "label": printable(face.label),
            "found": found.found,
            "check": found.found in FLAGGED,
            "decision": AS_FOUND if face is found else face.found,
            "points": face.points.tolist(),
        }


def _decided(found: Face, before: Face, decision: str, points: Float64Array) -> Face:
    if decision == AS_FOUND:
        return found
    if decision in LEFT_OUT:
        return replace(before, found=decision)
    # Digits that the table keeps, so that what is shown is what is read.
    points = points.round(2)
    moved = not np.array_equal(points, found.points.round(2))
    return replace(
        found, points=points, box=box_around(points) if moved else found.box, found=MANUAL
    )


def parse_decision(body: bytes) -> tuple[str, Float64Array]:
    """Decision and points of a request; InputError if it has none."""
    try:
        content = json.loads(body)
        decision, points = content["decision"], np.array(content["points"], np.float64)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise InputError("a decision is an object with `decision` and `points`") from None
    if decision not in DECISIONS:
        raise InputError(f"a decision is one of {', '.join(DECISIONS)}")
    if points.shape != (5, 2) or not np.isfinite(points).all():
        raise InputError("points are five pairs of numbers")
    return decision, points


class ReviewPage:
    """The requests that the page sends.

    Parameters
    ----------
    review : Review
    """

    def __init__(self, review: Review) -> None:
        self._review = review

    def faces(self) -> JSONResponse:
        """Every face."""
        return JSONResponse(self._review.faces())

    async def picture(self, number: int) -> Response:
        """The picture of a face as JPEG; X-Size has its own width and height."""
        return await _answered(lambda: _jpeg(*self._review.picture(number)))

    async def decide(self, number: int, request: Request) -> Response:
        """Note a decision."""
        try:
            body = await read_body(request, _MOST_BYTES, _BODY_SECONDS)
        except Refusal as refusal:
            return fault(refusal.status, str(refusal))
        return await _answered(
            lambda: JSONResponse(self._review.decide(number, *parse_decision(body)))
        )


async def _answered(work: Callable[[], Response]) -> Response:
    """The answer of some work in a thread, or why there is none."""
    try:
        return await run_in_threadpool(work)
    except Exception as error:
        return refused(error)


def _jpeg(image: UInt8Array, size: tuple[int, int]) -> Response:
    _, content = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 92))
    headers = {"x-size": f"{size[0]} {size[1]}"}
    return Response(content.tobytes(), media_type="image/jpeg", headers=headers)


def review_app(review: Review) -> FastAPI:
    """The application of `i2cnn faces --review`.

    Parameters
    ----------
    review : Review
    """
    page = ReviewPage(review)
    app = FastAPI(title="I2CNN: faces", docs_url=None, redoc_url=None, openapi_url=None)

    def index() -> FileResponse:
        return FileResponse(STATIC / "review.html")

    for path, answer, method in (
        ("/", index, "GET"),
        ("/api/faces", page.faces, "GET"),
        ("/api/faces/{number}/picture", page.picture, "GET"),
        ("/api/faces/{number}", page.decide, "POST"),
    ):
        app.add_api_route(path, answer, methods=[method], response_model=None)
    app.mount("/static", static_files())
    return app
