"""Sends a file's bytes to a page as a request, in place of a command line."""

from __future__ import annotations

import socket
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.helpers.pages import serving

#: Words that begin a "command line" of this kind.
PREDICT, REVIEW = "http-predict", "http-review"


def knock(words: list[str]) -> int:
    """Status 0 if the request is answered, 1 if it is refused, 7 if the server fails."""
    kind, name = words
    # The server ends with the process, which is the case's own.
    server = serving(_APPS[kind]())
    url = server.__enter__()
    answer = _answer(url, Path(name).read_bytes())
    # Whatever came before, the next request is answered.
    probe = _answer(url, b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    status = answer.split(b" ", 2)[1:2]
    print(answer[:2000], flush=True)
    if not probe.startswith(b"HTTP/1.1 200 ") or status == [b"500"]:
        return 7
    return int(status != [b"200"])


def _answer(url: str, content: bytes) -> bytes:
    """What comes back; a request that the server still waits for is ended by hanging up."""
    with socket.create_connection(urlsplit(url).netloc.split(":")) as connection:
        with suppress(ConnectionError):  # the server has closed it
            connection.sendall(content)
        answer = b""
        for patience in (2, 10):
            connection.settimeout(patience)
            with suppress(ConnectionError, TimeoutError):
                while chunk := connection.recv(65536):
                    answer += chunk
                return answer
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
        return answer


def _predict() -> Any:
    from i2cnn.pages.predict import predict_app
    from i2cnn.recogniser.recogniser import Recogniser

    return predict_app(Recogniser("smile"), "smile")


def _review() -> Any:
    from i2cnn.pages.review import Review, review_app

    return review_app(Review(Path("faces.csv"), Path()))


_APPS = {PREDICT: _predict, REVIEW: _review}
