"""Events by HTTP POST to an address, signed."""

from __future__ import annotations

import email.utils
import hashlib
import hmac
import logging
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from motionseg.apps.service.couriers import DeliveryError, Sink
from motionseg.apps.service.store import Telling, to_json
from motionseg.core.errors import MissingExtraError, ParameterError

__all__ = ["WebhookSink", "sign"]

log = logging.getLogger("motionseg.service.webhook")

_PATIENT = (408, 425, 429)  # 4xx that speak of the moment, not of the message
_TRIES = 3
_LONGEST_ASKED = 3600.0
_MOST_BYTES = 65536


def sign(secret: str, body: bytes, time: int) -> str:
    """The header ``X-Motionseg-Signature`` of a body: the time, and HMAC-SHA256 of "time.body" in hexadecimal.

    Examples
    --------
    >>> sign("secret", b"{}", 1700000000)[:30]
    't=1700000000,v1=b8569b78799ff9'
    """
    return f"t={time},v1={hmac.new(secret.encode(), f'{time}.'.encode() + body, hashlib.sha256).hexdigest()}"


class WebhookSink(Sink):
    """Posts each telling as JSON to an address.

    Parameters
    ----------
    url : str
        http or https. It is never logged or told: it may hold keys.
    secret : str, optional
        Signs what is posted: header ``X-Motionseg-Signature``, see :func:`sign`.
    name : str
        Unique among the webhooks.
    cameras, rules : sequence of str
        Only what these tell; none: all.
    phases : sequence of str
        Of ``"begin"`` and ``"end"``.
    timeout : float
        Seconds, for connecting and for each wait for an answer.

    Raises
    ------
    ParameterError
        It is no such address, or a phase is unknown.
    MissingExtraError
        httpx is not installed.

    Notes
    -----
    Taken is what is answered by 2xx. A failed connection, 5xx, 408, 425 and 429 are tried again until it is, not before
    ``Retry-After``. Any other answer, redirects too, speaks against the message: after three tries it is logged,
    counted (``passed_over``) and passed over, so that it does not stop the others.
    """

    batch: ClassVar[int] = 1

    def __init__(
        self,
        url: str,
        *,
        secret: str | None = None,
        name: str = "webhook",
        cameras: Iterable[str] = (),
        rules: Iterable[str] = (),
        phases: Iterable[str] = ("begin", "end"),
        timeout: float = 10.0,
    ) -> None:
        try:
            import httpx
        except ImportError as error:
            raise MissingExtraError("a webhook", "pip install 'motionseg[service]'") from error
        import motionseg

        self.name = name
        self._secret = secret
        self._cameras, self._rules, self._phases = frozenset(cameras), frozenset(rules), frozenset(phases)
        if not self._phases <= {"begin", "end"}:
            raise ParameterError(f"webhook {name}: phases are 'begin' and 'end', not {sorted(self._phases)}")
        try:
            self._url = httpx.URL(url)
            is_good = urlsplit(url).scheme.lower() in ("http", "https") and self._url.host != ""
        except (httpx.InvalidURL, TypeError, ValueError):
            is_good = False
        if not is_good:
            raise ParameterError(f"webhook {name}: the url is no http or https address") from None
        for library in ("httpx", "httpcore"):  # they log whole addresses
            logging.getLogger(library).setLevel(logging.WARNING)
        self._errors: Any = (httpx.HTTPError, httpx.StreamError)
        headers = {"Content-Type": "application/json", "User-Agent": f"motionseg/{motionseg.__version__}"}
        self._client = httpx.Client(headers=headers, timeout=timeout, follow_redirects=False)
        self._timeout = timeout
        self._counts = {"passed_over": 0, "skipped": 0}
        self._tries = 0

    def deliver(self, tellings: Sequence[Telling]) -> None:
        for telling in tellings:
            if self._wants(telling):
                self._post(telling)
            else:
                self._counts["skipped"] += 1

    def close(self) -> None:
        self._client.close()

    def status(self) -> dict[str, Any]:
        return dict(self._counts)

    def _wants(self, telling: Telling) -> bool:
        event = telling.event
        return (
            (not self._cameras or event.camera in self._cameras)
            and (not self._rules or event.rule in self._rules)
            and telling.phase in self._phases
        )

    def _post(self, telling: Telling) -> None:
        body = to_json(telling.to_dict()).encode()
        id = quote(telling.event.id, safe="")
        headers = {"X-Motionseg-Event": id, "X-Motionseg-Delivery": f"{id}:{telling.phase}"}
        if self._secret:
            headers["X-Motionseg-Signature"] = sign(self._secret, body, int(time.time()))
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                status, asked = response.status_code, _seconds(response.headers.get("Retry-After"))
                self._drain(response)
        except self._errors as error:
            raise DeliveryError(f"no answer: {type(error).__name__}") from None  # the text may hold the address
        if 200 <= status < 300:
            self._tries = 0
        elif status >= 500 or status in _PATIENT:
            raise DeliveryError(f"answered {status}", after=asked)
        else:
            self._tries += 1
            if self._tries < _TRIES:
                raise DeliveryError(f"answered {status}")
            self._tries = 0
            self._counts["passed_over"] += 1
            log.error("%s: %s of %s was answered %d %d times and is passed over", self.name, telling.phase,
                      telling.event.id, status, _TRIES)  # fmt: skip

    def _drain(self, response: Any) -> None:
        """Read the answer's body, which nobody wants, for the connection's sake, but not for ever."""
        n_bytes, end = 0, time.monotonic() + self._timeout
        with suppress(*self._errors):  # its status counts, and that is known
            for piece in response.iter_raw():
                n_bytes += len(piece)
                if n_bytes > _MOST_BYTES or time.monotonic() > end:
                    return


def _seconds(asked: str | None) -> float:
    """What ``Retry-After`` asks for, at most an hour; 0 for nothing, and for what is not understood."""
    if not asked:
        return 0.0
    try:
        seconds = (
            float(asked)
            if asked.strip().isdigit()
            else email.utils.parsedate_to_datetime(asked).timestamp() - time.time()
        )
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), _LONGEST_ASKED)
