"""Serves an application on one address until it is stopped."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.staticfiles import StaticFiles

from i2cnn.pages.guard import App, Guard
from i2cnn.util.errors import InputError
from i2cnn.util.text import show, warn

#: Further connections are answered with status 503.
MOST_CONNECTIONS = 128
STATIC = Path(__file__).parent / "static"


def static_files() -> App:
    """The scripts and styles of the pages."""
    files: App = StaticFiles(directory=STATIC)
    return files


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that listens on an address; InputError if there is none to be had.

    Parameters
    ----------
    host : str
        Name or address of this machine.
    port : int
        0 for any that is free.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(MOST_CONNECTIONS)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(
            f"{host}:{port}: cannot be listened on ({reason}); choose another --port or --host"
        ) from None
    return listener


def url_of(listener: socket.socket) -> str:
    """Address of the page for a browser."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def server_of(app: App) -> uvicorn.Server:
    """A server that keeps no log of who asked for what."""
    return uvicorn.Server(
        uvicorn.Config(
            Guard(app),
            http="h11",
            ws="none",
            lifespan="off",
            access_log=False,
            log_level="error",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=3,
        )
    )


def serve_until_stopped(listener: socket.socket, make_app: Callable[[], App]) -> None:
    """Serve until Ctrl-C or SIGTERM, after saying where.

    Parameters
    ----------
    listener : socket
        From :func:`bound_socket`; it is there before the application is made, which takes longer.
    make_app : callable
    """
    server = server_of(make_app())
    if not ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback:
        warn(
            "i2cnn: whoever can reach this machine can use the page, and pictures travel "
            "unencrypted; browsers give it no camera"
        )
    show(f"{url_of(listener)} (Ctrl-C stops it)")
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # as uvicorn ends after Ctrl-C
        show("stopped")
