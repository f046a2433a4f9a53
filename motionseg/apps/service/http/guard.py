"""Every request goes by here first: who asks, from where, how much, and by which name."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from motionseg.apps.service.config import is_loopback
from motionseg.apps.service.http.answers import Json, Refusal
from motionseg.apps.service.http.auth import Doorkeeper

__all__ = ["MAX_BODY", "MAX_OPEN_BODY", "Guard"]

logger = logging.getLogger("motionseg.service.http")

MAX_BODY = 1 << 20  # bytes
MAX_OPEN_BODY = 1 << 13  # of those that need no token: many of them at once have to fit into memory
BODY_TIME = 10.0  # seconds in which a body has to be there
_OPEN = ("/", "/health", "/api/login", "/api/session")  # to everybody, as are the page's files: they hold no data
_PATH = re.compile(rb"(/[A-Za-z0-9._~-]+)*/?")  # none of ours needs more, so nothing has to be decoded
_CHANGING = ("POST", "PUT", "PATCH", "DELETE")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """ASGI middleware, the outermost: refuses with a clear 4xx what should not get in, and adds the headers to all.

    Parameters
    ----------
    app : ASGI application
    doorkeeper : Doorkeeper
        Knows the token and the sessions.
    body_time : float
        Seconds in which a request's body has to be there.
    """

    def __init__(self, app: ASGIApp, *, doorkeeper: Doorkeeper, body_time: float = BODY_TIME) -> None:
        self.app, self.doorkeeper, self.body_time = app, doorkeeper, body_time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def dressed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            self._check_path(scope)
            headers = Headers(scope=scope)
            self._check_origin(scope, headers)
            is_open = scope["path"] in _OPEN or scope["path"].startswith("/page/")
            if not is_open:
                await self.doorkeeper.check(scope, headers)
            if scope["method"] in _CHANGING:
                receive = await self._body(headers, receive, MAX_OPEN_BODY if is_open else MAX_BODY)
            await self.app(scope, receive, dressed)
        except Refusal as refusal:
            await refusal.answer()(scope, receive, dressed)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:  # half of an answer is out: only an end of the connection says that the rest will not come
                raise
            await Json({"error": "something went wrong here; the service's log says what"}, 500)(
                scope, receive, dressed
            )

    # --- where from ------------------------------------------------------------------------

    def _check_path(self, scope: Scope) -> None:
        raw = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
        parts = raw.split(b"/")
        if not _PATH.fullmatch(raw) or b".." in parts or b"." in parts:
            raise Refusal(400, "the path has characters that no path of this service has")

    def _check_origin(self, scope: Scope, headers: Mapping[str, str]) -> None:
        host = headers.get("host", "")
        if not self.doorkeeper.has_token and not _is_ours(host):
            # The name is another one, though the address is ours: somebody's page has pointed its name here.
            raise Refusal(421, "without a token this service answers to localhost only; ask for that name")
        site, mode = headers.get("sec-fetch-site", "none"), headers.get("sec-fetch-mode", "")
        changing = scope["method"] in _CHANGING
        if site not in ("same-origin", "none") and (changing or mode != "navigate") and scope["path"] != "/health":
            raise Refusal(403, "requests from other sites are refused")
        if changing and "origin" in headers and _place(headers["origin"]) != host.lower():
            raise Refusal(403, "requests from other sites are refused")

    # --- how much --------------------------------------------------------------------------

    async def _body(self, headers: Mapping[str, str], receive: Receive, most: int) -> Receive:
        """A `receive` that has the whole body at hand, which is neither too large nor too slow."""
        close = {"Connection": "close"}  # else the rest would have to be read
        too_large = Refusal(413, f"a body has at most {most} bytes here", headers=close)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            raise too_large
        body, more = bytearray(), True
        try:
            deadline = asyncio.get_running_loop().time() + self.body_time
            while more:
                left = deadline - asyncio.get_running_loop().time()
                message = await asyncio.wait_for(receive(), max(left, 0.0))
                if message["type"] == "http.disconnect":
                    raise Refusal(400, "the body ended early", headers=close)
                body += message.get("body", b"")
                if len(body) > most:
                    raise too_large
                more = message.get("more_body", False)
        except asyncio.TimeoutError:
            raise Refusal(408, f"the body was not here within {self.body_time:g} s", headers=close) from None
        given = False

        async def again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        return again


def _place(origin: str) -> str:
    """Host and port of an origin, as a Host header has them."""
    with contextlib.suppress(ValueError):
        return urlsplit(origin).netloc.lower()
    return ""


def _is_ours(host: str) -> bool:
    """Whether a Host header names this machine, for itself."""
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:
        return False
