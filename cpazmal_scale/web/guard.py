"""Access to a local server: only the page that was opened with its key talks to it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "cpazmal"
SAFE = ("GET", "HEAD")
HEADERS = {
    "content-security-policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}


class Lock:
    """The keys of one server.

    `key` opens the page as often as it is used, `ticket` once: a browser is started with it, and
    the arguments of a process can be read by everybody on the machine. `place` is where the page
    lies; a browser sends the cookie there only, so no other server on this machine is sent it.
    """

    def __init__(self) -> None:
        self.place = secrets.token_hex(8)
        self.key = secrets.token_urlsafe(24)
        self.ticket: str | None = secrets.token_urlsafe(24)
        self.cookie = secrets.token_urlsafe(24)

    def opens(self, given: str) -> bool:
        """Whether this is the key, or the ticket, which is used up by that."""
        if self.ticket is not None and _same(given, self.ticket):
            self.ticket = None
            return True
        return _same(given, self.key)


class Guard:
    """Lets through what the server's own page asks; everything else is refused before it is read.

    The host must be this server's (no name that leads here), the origin the page's own, and the
    cookie the one that the key was changed into.
    """

    def __init__(self, app: ASGIApp, *, lock: Lock, port: int) -> None:
        self._app, self._lock, self._host = app, lock, f"127.0.0.1:{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI)."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        request = Request(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        own = self._entry(request) or self._refusal(request)
        await (own or self._app)(scope, receive, with_headers)

    def _entry(self, request: Request) -> Response | None:
        """The answer to the address with the key: a cookie, and the page without the key."""
        given = request.query_params.get("key")
        place = f"/{self._lock.place}/"
        if given is None or request.method != "GET" or request.url.path != place:
            return None
        if request.headers.get("host") != self._host or not self._lock.opens(given):
            return None
        # A redirect of a link in another page would not be sent the cookie; a page's own is.
        page = HTMLResponse(
            '<!doctype html><html lang="en"><title>cpazmal</title>'
            '<link rel="icon" href="lib/icon.svg"><meta http-equiv="refresh" content="0;url=./">'
            "<p>opening the page …</p></html>"
        )
        page.set_cookie(COOKIE, self._lock.cookie, path=place, httponly=True, samesite="strict")
        return page

    def _refusal(self, request: Request) -> Response | None:
        headers = request.headers
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        if headers.get("host") != self._host:
            return PlainTextResponse("this server has another name", 421)
        if origin != f"http://{self._host}" and (origin or request.method not in SAFE):
            return PlainTextResponse("only this server's own page may ask", 403)
        if site not in ("same-origin", "none"):
            return PlainTextResponse("only this server's own page may ask", 403)
        if not _same(request.cookies.get(COOKIE, ""), self._lock.cookie):
            return PlainTextResponse("open the address that the command printed, with its key", 403)
        return None


def _same(given: str, known: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), known.encode())
