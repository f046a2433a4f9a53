"""uvicorn as the service needs it: stopped by whoever started it, and patient with nobody for ever."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from motionseg.core.errors import OutputError

__all__ = ["HttpServer"]

HEADER_TIME = 15.0  # seconds in which a request's head has to be there
STUCK_TIME = 120.0  # seconds in which a client has to take some of what it asked for
_MOST_CONNECTIONS = 256
_MOST_REFUSED = 64  # connections beyond those that are told so; others are closed: cameras and store need files, too
_GRACE = 3  # seconds for answers under way when all ends


class HttpServer:
    """Serves one app on one address.

    Parameters
    ----------
    app : FastAPI
        Of :func:`~motionseg.apps.service.http.app.create_app`.
    host : str
        Address or name.
    port : int
        0: any that is free; see `port`.

    Raises
    ------
    OutputError
        Nobody can listen there.
    """

    def __init__(self, app: Any, host: str, port: int) -> None:
        self._socket = _bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        logs = {"log_level": "error", "log_config": None, "access_log": False, "server_header": False}
        limits = {"timeout_keep_alive": 20, "timeout_graceful_shutdown": _GRACE, "limit_concurrency": _MOST_CONNECTIONS}
        ways: dict[str, Any] = {"http": _Protocol, "ws": "none", "lifespan": "on", **logs, **limits}
        config = uvicorn.Config(app, host=host, port=self.port, **ways)
        self._server = _Server(config)

    @property
    def is_started(self) -> bool:
        """Whether requests are answered."""
        return bool(self._server.started)

    def run(self) -> None:
        """Serve until :meth:`stop`. In the main thread; signals are the caller's."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Make :meth:`run` return; from any thread, or from a signal's handler."""
        self._server.should_exit = True


def _bound(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
        except OSError:
            bound.close()
            raise
    except (OSError, OverflowError) as error:
        raise OutputError(f"cannot listen on {host}, port {port}: {error}") from error
    return bound


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:  # they are the caller's
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.hub.stop()  # answers that never end, end
        await super().shutdown(sockets)


class _Protocol(H11Protocol):
    """Closes connections on which nothing goes on: a head that never ends, a client that takes nothing."""

    _head_timer: Any = None
    _stuck_timer: Any = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > _MOST_CONNECTIONS + _MOST_REFUSED:
            transport.abort()
            return
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel("_head_timer")
        self._cancel("_stuck_timer")
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state not in (h11.IDLE, h11.DONE):  # a body that nobody wants goes on
            self._watch_head()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):  # an answer is on its way already
            self.transport.close()
            return
        body = b'{"error":"this is no HTTP request"}'
        head = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        head += [(b"connection", b"close"), (b"x-content-type-options", b"nosniff")]
        for event in (h11.Response(status_code=400, headers=head), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_timer = self._stuck_timer or self.loop.call_later(STUCK_TIME, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._cancel("_stuck_timer")

    def _watch_head(self) -> None:
        """A clock runs as long as no request is being answered; between two requests uvicorn's own does."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:
            self._cancel("_head_timer")
        elif self._head_timer is None and not self.transport.is_closing():
            self._head_timer = self.loop.call_later(HEADER_TIME, self.transport.abort)

    def _cancel(self, name: str) -> None:
        timer = getattr(self, name)
        if timer is not None:
            timer.cancel()
            setattr(self, name, None)
