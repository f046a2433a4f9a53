"""Who may come in: a token in a header, or a session in a cookie that a token has opened."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

from starlette.requests import cookie_parser
from starlette.types import Scope

from motionseg.apps.service.http.answers import Refusal

__all__ = ["COOKIE", "Doorkeeper"]

logger = logging.getLogger("motionseg.service.http")

COOKIE = "motionseg_session"
SESSION_TIME = 12 * 3600.0  # seconds without a request after which a session is over
_MOST_SESSIONS = 1000
_FREE_TRIES, _LONGEST_WAIT, _FORGIVEN = 3, 60.0, 900.0  # failures without a wait; seconds; seconds
_MOST_ADDRESSES = 1000


@dataclass
class Doorkeeper:
    """Knows the token, sessions, and who has guessed wrong.

    Parameters
    ----------
    token : callable
        Gives the token as it is now, or None: then everybody may come in (and the service listens on loopback only).
    clock : callable
        Seconds that never go back.
    """

    token: Callable[[], str | None]
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[bytes, tuple[float, bytes]] = field(default_factory=dict, repr=False)
    """By the digest of their secret: when they were used last, and the digest of the token that opened them."""
    _failures: dict[str, tuple[int, float]] = field(default_factory=dict, repr=False)
    """By address: how many, and when the last one was."""

    @property
    def has_token(self) -> bool:
        return self.token() is not None

    def knows(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with such headers has a session; it then lasts on."""
        key, token = _digest(_cookie(headers)), self.token()
        used, opened_with = self._sessions.get(key, (-SESSION_TIME, b""))
        now = self.clock()
        if token is None or now - used >= SESSION_TIME or not hmac.compare_digest(opened_with, _digest(token)):
            self._sessions.pop(key, None)
            return False
        self._sessions[key] = (now, opened_with)
        return True

    async def check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raises Refusal unless the request may come in."""
        if not self.has_token or self.knows(headers):
            return
        given = headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if scheme.lower() == "bearer" and token:
            await self.try_token(_address(scope), token.strip())
            return
        raise Refusal(401, "a token is needed: sign in, or send it as Authorization: Bearer", headers=_challenge())

    def still_knows(self, headers: Mapping[str, str]) -> bool:
        """For answers that go on and on: whether who was let in would still be."""
        token = self.token()
        if token is None or self.knows(headers):
            return True
        given = headers.get("authorization", "").partition(" ")[2].strip()
        return hmac.compare_digest(_digest(given), _digest(token))

    async def try_token(self, address: str, given: str) -> None:
        """Raises Refusal unless it is the token; after each failure from an address the next try waits longer."""
        token, now = self.token(), self.clock()
        count, last = self._failures.get(address, (0, now))
        if now - last > _FORGIVEN:
            count = 0
        wait = 0.0 if count < _FREE_TRIES else min(2.0 ** (count - _FREE_TRIES), _LONGEST_WAIT) - (now - last)
        if wait > 0:
            raise Refusal(429, f"too many wrong tokens; wait {wait:.0f} s", headers={"Retry-After": f"{wait + 1:.0f}"})
        if token is not None and hmac.compare_digest(_digest(given), _digest(token)):
            self._failures.pop(address, None)
            return
        self._failures.pop(address, None)
        while len(self._failures) >= _MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = (count + 1, now)
        logger.warning("a wrong token from %s, the %d. in a row", address, count + 1)
        await asyncio.sleep(0.2)
        raise Refusal(401, "this is not the token", headers=_challenge())

    async def sign_in(self, scope: Scope, given: str) -> str:
        """The secret of a new session, for a cookie. Raises Refusal where it is not the token."""
        await self.try_token(_address(scope), given)
        while len(self._sessions) >= _MOST_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key][0])]
        secret = secrets.token_urlsafe(32)
        self._sessions[_digest(secret)] = (self.clock(), _digest(given))
        return secret

    def sign_out(self, headers: Mapping[str, str]) -> None:
        self._sessions.pop(_digest(_cookie(headers)), None)


def _digest(text: str) -> bytes:
    """So that comparing takes as long for every text, and no secret stays in memory longer than it has to."""
    return sha256(text.encode("utf-8", "surrogateescape")).digest()


def _challenge() -> dict[str, str]:
    return {"WWW-Authenticate": 'Bearer realm="motionseg"'}


def _cookie(headers: Mapping[str, str]) -> str:
    return cookie_parser(headers.get("cookie", "")).get(COOKIE, "")


def _address(scope: Scope) -> str:
    """Who asks; of IPv6 the network, as everybody has as many addresses in it as they like."""
    host = str((scope.get("client") or ("unknown", 0))[0])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host
