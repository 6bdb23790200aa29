"""Bounds what a server does at a time: bodies of requests, and the work on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from i2cnn.util.cores import available_cores

T = TypeVar("T")


class Refusal(Exception):
    """A request is answered with a status and a reason.

    Parameters
    ----------
    status : int
        Of HTTP.
    reason : str
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


async def read_body(request: Request, most: int, seconds: float) -> bytes:
    """The body of a request.

    Raises
    ------
    Refusal
        It has more than `most` bytes, or has not come after so many seconds.
    """
    too_large = Refusal(413, f"more than {most / 1e6:g} MB")
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > most:
        raise too_large

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
        return bytes(body)

    try:
        return await asyncio.wait_for(read(), seconds)
    except ClientDisconnect:
        raise Refusal(400, "the connection was closed before all of it had come") from None
    except asyncio.TimeoutError:
        raise Refusal(408, f"the picture had not arrived after {seconds:g} seconds") from None


class WorkTurns:
    """Lets as many requests work at a time as there are cores; the others wait, up to a time.

    Only a request that has its turn reads its body, so memory is bounded by their number.

    Parameters
    ----------
    wait : float
        Seconds after which a request that still waits is refused.
    work : float
        Seconds after which one is told that its work takes too long. The work itself goes on to its
        end, and keeps its turn.
    """

    def __init__(self, wait: float, work: float) -> None:
        number = available_cores()
        self._wait, self._work = wait, work
        self._free = asyncio.Semaphore(number)
        self._threads = ThreadPoolExecutor(number, "work")

    async def run(
        self, request: Request, most: int, seconds: float, work: Callable[[bytes], T]
    ) -> T:
        """Read the body of a request in its turn and work on it in a thread.

        Parameters
        ----------
        request : Request
        most : int
        seconds : float
            As for :func:`read_body`.
        work : callable
            Called with the body.

        Raises
        ------
        Refusal
            As :func:`read_body`; no turn came; the work takes too long.
        """
        try:
            await asyncio.wait_for(self._free.acquire(), self._wait)
        except asyncio.TimeoutError:
            raise Refusal(503, "too many requests; try again later") from None
        try:
            body = await read_body(request, most, seconds)
            task = asyncio.get_running_loop().run_in_executor(self._threads, work, body)
        except BaseException:
            self._free.release()
            raise
        task.add_done_callback(self._end)
        try:
            return await asyncio.wait_for(asyncio.shield(task), self._work)
        except asyncio.TimeoutError:
            raise Refusal(504, f"it takes longer than {self._work:g} seconds") from None

    def _end(self, task: asyncio.Future[T]) -> None:
        self._free.release()
        if not task.cancelled():
            task.exception()  # else asyncio complains that nobody has asked
