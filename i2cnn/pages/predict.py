"""`i2cnn serve`: a page and a REST endpoint that name the expressions of the faces in pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import cv2
from fastapi import FastAPI
from jinja2 import Environment, PackageLoader, select_autoescape
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse

from i2cnn import __version__
from i2cnn.faces.table import FLAGGED
from i2cnn.models.card import read_card
from i2cnn.pages.answers import fault, refused
from i2cnn.pages.listen import STATIC, static_files
from i2cnn.pages.turns import Refusal, WorkTurns
from i2cnn.recogniser.prediction import FacePrediction
from i2cnn.recogniser.recogniser import Recogniser
from i2cnn.util.images import decode_image
from i2cnn.util.text import printable

MOST_BYTES, MOST_PIXELS = 20_000_000, 25_000_000
#: Until a body has come, until it is a request's turn, and until its work is done.
BODY_SECONDS, WAIT_SECONDS, WORK_SECONDS = 20.0, 180.0, 30.0
_LONGEST_NAME = 200
_TYPES = ("image/", "application/octet-stream")


@dataclass
class Patch:
    """How much a patch of a face spoke for its label (above 0) or against it, and where it is.

    Its corners are x and y in pixels.
    """

    name: str
    vote: float
    corners: list[list[float]]


@dataclass
class Heat:
    """Where the votes for the label (blue) and against it (red) lie: a PNG, and its box."""

    png: str
    box: list[float]


@dataclass
class Explanation:
    """Which patches decided."""

    patches: list[Patch]
    heat: Heat


@dataclass
class Face:
    """A face; lengths in pixels of the picture, left is the viewer's."""

    face: int
    box: list[float]
    points: list[list[float]]
    found: str
    label: str
    scores: dict[str, float]
    calibrated: bool
    warnings: list[str]
    explanation: Explanation | None = None


@dataclass
class Answer:
    """The faces of a picture, from left to right."""

    file: str
    width: int
    height: int
    faces: list[Face]
    warnings: list[str]


@dataclass
class Model:
    """The recogniser that answers."""

    name: str
    labels: list[str]
    line: str
    warning: str


@dataclass
class Fault:
    """Why there is no answer."""

    error: str


def name_faces(recogniser: Recogniser, content: bytes, name: str, explain: bool) -> Answer:
    """Name the faces of a picture that was sent.

    Raises
    ------
    InputError
        The picture cannot be used.
    """
    image, notes = decode_image(content, name, MOST_PIXELS)
    height, width = image.shape[:2]
    faces = [
        _face(number, face, _explanation(face, recogniser) if explain else None)
        for number, face in enumerate(recogniser.predict(image), 1)
    ]
    return Answer(name, width, height, faces, notes if faces else [*notes, "no face found"])


def _face(number: int, face: FacePrediction, explanation: Explanation | None) -> Face:
    found = face.detection.found
    content = face.to_dict()
    shared = ("box", "points", "found", "label", "scores", "calibrated")
    return Face(
        face=number,
        warnings=[f"doubtful face, found as {found}"] if found in FLAGGED else [],
        explanation=explanation,
        **{key: content[key] for key in shared},
    )


def _explanation(face: FacePrediction, recogniser: Recogniser) -> Explanation:
    corners = recogniser.patch_corners(face.detection).tolist()
    patches = [
        Patch(name, vote, places)
        for (name, vote), places in zip(face.patches.items(), corners, strict=True)
    ]
    heat = recogniser.heat_map(face)
    _, png = cv2.imencode(".png", heat.colours())
    return Explanation(patches, Heat(base64.b64encode(png.tobytes()).decode(), list(heat.box)))


class PredictPage:
    """The requests that `i2cnn serve` answers.

    Parameters
    ----------
    recogniser : Recogniser
    name : str
        How it was chosen.
    """

    def __init__(self, recogniser: Recogniser, name: str) -> None:
        self._recogniser = recogniser
        card = read_card(recogniser.bundle.folder)
        self._model = Model(
            printable(name),
            list(recogniser.labels),
            card.line if card else "A recogniser without a card.",
            card.warning if card else "Nobody knows what it learned from.",
        )
        self._turns = WorkTurns(WAIT_SECONDS, WORK_SECONDS)

    async def predict(
        self, request: Request, file: str = "picture", explain: bool = False
    ) -> JSONResponse | Answer:
        """Name the expressions of the faces in a picture, which is the body of the request.

        It may have 20 MB and 25 megapixels. The answer has the name that is given as file, and says
        with explain=true which patches decided.
        """
        name = printable(file)[:_LONGEST_NAME]
        try:
            if not request.headers.get("content-type", "").startswith(_TYPES):
                raise Refusal(415, f"the content type must be {_TYPES[0]}* or {_TYPES[1]}")
            return await self._turns.run(
                request,
                MOST_BYTES,
                BODY_SECONDS,
                lambda content: name_faces(self._recogniser, content, name, explain),
            )
        except Refusal as refusal:
            return fault(refusal.status, str(refusal))
        except Exception as error:
            return refused(error)

    def model(self) -> Model:
        """The recogniser that answers, and what it can't do."""
        return self._model


_PICTURE = {"schema": {"type": "string", "format": "binary"}}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"image/*": _PICTURE, "application/octet-stream": _PICTURE},
    }
}
_FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": Fault, "description": what}
    for status, what in (
        (400, "No picture that can be used"),
        (403, "From another site, or to another host"),
        (408, "The picture did not arrive"),
        (413, "Too many bytes"),
        (415, "Another content type"),
        (503, "Too many requests"),
        (504, "It takes too long"),
    )
}


def predict_app(recogniser: Recogniser, name: str) -> FastAPI:
    """The application of `i2cnn serve`.

    Parameters
    ----------
    recogniser : Recogniser
    name : str
        How it was chosen.
    """
    page = PredictPage(recogniser, name)
    app = FastAPI(title="I2CNN", version=__version__, docs_url=None, redoc_url=None)
    app.add_api_route(
        "/api/predict",
        page.predict,
        methods=["POST"],
        response_model=Answer,
        responses=_FAULTS,
        openapi_extra=_BODY,
    )
    app.add_api_route("/api/model", page.model, methods=["GET"], response_model=Model)
    environment = Environment(
        loader=PackageLoader("i2cnn.pages", "static"), autoescape=select_autoescape()
    )

    def api(request: Request) -> HTMLResponse:
        template = environment.get_template("api.html")
        return HTMLResponse(template.render(api=app.openapi(), here=request.base_url))

    def index() -> FileResponse:
        return FileResponse(STATIC / "predict.html")

    for path, shown in (("/", index), ("/api", api)):
        app.add_api_route(path, shown, include_in_schema=False, response_model=None)
    app.mount("/static", static_files())
    return app
