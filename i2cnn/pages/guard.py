"""Keeps strangers out of a page: other sites' scripts, other names of this machine, frames."""

from __future__ import annotations

import ipaddress
import json
import socket
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Nothing comes from elsewhere, nothing is kept, nobody frames the page.
_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' blob: data:; media-src 'self' blob:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
#: Of Sec-Fetch-Site, which browsers send and scripts cannot change.
_OWN = ("same-origin", "none")


class Guard:
    """An ASGI application in front of another, which sees only requests meant for it.

    A request must name this machine as its host: an address, `localhost`, or its own name. A page
    of another site can give its own name our address (DNS rebinding), but not hide that name. Where
    a browser says which page a request comes from, it must be one of ours.

    Parameters
    ----------
    app : ASGI application
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it; add the headers that every answer has."""
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *own]
            await send(message)

        reason = refusal(scope["method"], scope["headers"])
        if not reason:
            await self._app(scope, receive, send_guarded)
            return
        body = json.dumps({"error": reason}).encode()
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        await send_guarded({"type": "http.response.start", "status": 403, "headers": headers})
        await send_guarded({"type": "http.response.body", "body": body})


def refusal(method: str, headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Why a request is refused; empty if it is not. A link on another site may lead to a page."""
    given: dict[str, list[str]] = {}
    for name, value in headers:
        given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    hosts = given.get("host", [])
    if len(hosts) != 1 or not _is_ours(hosts[0]):
        return "the request names another host than this machine"
    if any(origin != f"http://{hosts[0]}" for origin in given.get("origin", [])):
        return "the request comes from another site"
    is_link = method == "GET" and given.get("sec-fetch-mode") == ["navigate"]
    if not is_link and any(site not in _OWN for site in given.get("sec-fetch-site", [])):
        return "the request comes from another site"
    return ""


def _is_ours(host: str) -> bool:
    """True for an address or a name of this machine, with or without a port."""
    name, _, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    name, port = (name, port) if name else (port, "")
    if port and not (port.isascii() and port.isdigit()):
        return False
    if name.lower() in ("localhost", socket.gethostname().lower()):
        return True
    try:
        ipaddress.ip_address(name[1:-1] if name.startswith("[") and name.endswith("]") else name)
    except ValueError:
        return False
    return True
