"""Answers to requests that cannot be done."""

from __future__ import annotations

from starlette.responses import JSONResponse

from i2cnn.util.errors import InputError, unforeseen
from i2cnn.util.text import warn


def fault(status: int, reason: str) -> JSONResponse:
    """The answer to a request that cannot be done; the connection ends with it."""
    headers = {"connection": "close", **({"retry-after": "10"} if status == 503 else {})}
    return JSONResponse({"error": reason}, status, headers)


def refused(error: Exception) -> JSONResponse:
    """The answer for what went wrong; what was not foreseen is told on the server's screen only."""
    if isinstance(error, InputError):
        return fault(400, str(error))
    warn(f"i2cnn: error: {unforeseen(error)}")
    return fault(500, "an error that was not foreseen; the server's screen names its log")
