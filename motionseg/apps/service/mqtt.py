"""Events on MQTT, with states that stay and what Home Assistant needs to find them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import hashlib
import logging
import os
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

from motionseg.apps.service._retained import Retained, States
from motionseg.apps.service.couriers import DeliveryError, Sink
from motionseg.apps.service.store import StoreError, Telling, to_json
from motionseg.apps.service.topics import Topics
from motionseg.core.errors import MissingExtraError, ParameterError
from motionseg.core.types import Event

__all__ = ["MqttSink"]

log = logging.getLogger("motionseg.service.mqtt")

_FRESH = 60.0  # seconds; what was told earlier than that does not switch states on and off again
_PATIENCE = 10.0  # seconds that a delivery waits for a connection, and for a broker's answer
_LONGEST_PAUSE = 5.0  # seconds between two attempts to connect
_KEEPALIVE = 30


class MqttSink(Sink):
    """Publishes tellings and retained states to a broker, through aiomqtt on a thread of its own.

    Parameters
    ----------
    host, port : str, int
        The broker.
    username, password : str, optional
        For it.
    tls : bool
        Encrypt, and check the broker's certificate, against `ca_file` (PEM) where that is given.
    topic : str
        Prefix of all topics, see docs/sinks.md.
    discovery : str, optional
        Prefix of Home Assistant's discovery; None: none.
    client_id : str, optional
        By which the broker knows this client again; by default made of the machine's name and `topic`.
    open_events : callable, optional
        Gives all events that are open, as ``store.open_events`` does: what the retained states are told by.
    memory : path, optional
        A JSON file with the retained topics that were published, so that those which nothing belongs to any more are
        cleared, also after a restart.
    name : str
        Of the sink.

    Raises
    ------
    ParameterError
        `topic` is none, or `ca_file` cannot be read.
    MissingExtraError
        aiomqtt is not installed.

    Notes
    -----
    A delivery has come to the broker (QoS 1). After a reconnect all states are published anew, as they are then;
    tellings older than a minute do not switch them.
    """

    longest_pause: ClassVar[float] = 1.0  # the connection has pauses of its own

    def __init__(
        self,
        host: str,
        port: int = 1883,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        ca_file: str | os.PathLike[str] | None = None,
        topic: str = "motionseg",
        discovery: str | None = "homeassistant",
        client_id: str | None = None,
        open_events: Callable[[], Iterable[Event]] | None = None,
        memory: str | os.PathLike[str] | None = None,
        name: str = "mqtt",
    ) -> None:
        try:
            import aiomqtt
        except ImportError as error:
            raise MissingExtraError("the MQTT sink", "pip install 'motionseg[service]'") from error
        self.name, self.host, self.port = name, host, port
        self.topics = Topics(topic)
        self._aiomqtt, self._open_events = aiomqtt, open_events
        try:
            context = ssl.create_default_context(cafile=ca_file) if tls else None
        except (OSError, ssl.SSLError) as error:
            raise ParameterError(f"mqtt.ca_file: {ca_file}: cannot be read: {error}") from error
        id = hashlib.sha256(f"{socket.gethostname()} {topic}".encode()).hexdigest()[:12]
        will = aiomqtt.Will(self.topics.status, "offline", qos=1, retain=True)
        self._how: dict[str, Any] = {
            "hostname": host, "port": port, "username": username, "password": password, "tls_context": context,
            "identifier": client_id or f"motionseg-{id}", "will": will, "keepalive": _KEEPALIVE, "timeout": _PATIENCE,
        }  # fmt: skip
        self._states = States(self.topics, discovery or None)
        self._retained = Retained(None if memory is None else Path(memory))
        self._connected = threading.Event()
        self._interrupted = threading.Event()
        self._last_error = "not connected yet"
        self._counts = {"connections": 0}
        self._loop = asyncio.SelectorEventLoop()
        self._client: Any = None
        self._lost: asyncio.Future[None] | None = None
        self._changed, self._closing, self._turn = asyncio.Event(), asyncio.Event(), asyncio.Lock()
        self._thread = threading.Thread(target=self._work, name=f"sink {name}", daemon=True)

    # --- what others call ------------------------------------------------------------------

    def start(self) -> None:
        if not self._thread.is_alive():
            self._thread.start()

    def announce(self, cameras: Mapping[str, Mapping[str, Any]]) -> None:
        """Say which cameras there are, with which zones and rules; what was there before and is not now is cleared.

        Parameters
        ----------
        cameras : dict of str to dict
            By name, as :func:`motionseg.apps.service.topics.announcement` gives them: ``"zones"`` (names) and
            ``"rules"`` (names, which look in every zone, or dicts of ``name``, ``kind`` and ``zones``).
        """
        self._states.announce(cameras)
        self._change()

    def camera_state(self, name: str, facts: Mapping[str, Any]) -> None:
        """Publish how a camera is: `facts`, of which ``state`` "running" or "online" means online."""
        self._states.camera_state(name, facts)
        self._change()

    def deliver(self, tellings: Sequence[Telling]) -> None:
        end = time.monotonic() + _PATIENCE
        while not self._connected.wait(0.1):
            if time.monotonic() > end or self._interrupted.is_set():
                raise DeliveryError(f"{self.host}:{self.port}: {self._last_error}")
        if not self._loop.is_running():
            raise DeliveryError("it is closed")
        future = asyncio.run_coroutine_threadsafe(self._deliver(tellings, self._now_open()), self._loop)
        try:
            future.result(2 * _PATIENCE)
        except concurrent.futures.TimeoutError:
            future.cancel()
            raise DeliveryError(f"{self.host}:{self.port}: no answer for {2 * _PATIENCE:g} s") from None
        except (self._aiomqtt.MqttError, concurrent.futures.CancelledError) as error:
            raise DeliveryError(f"{self.host}:{self.port}: {error or 'the connection was lost'}") from None

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        """Say that the service is offline, and disconnect."""
        self._interrupted.set()
        if self._thread.is_alive():
            with suppress(RuntimeError):  # it has just ended by itself
                self._loop.call_soon_threadsafe(self._closing.set)
            self._thread.join(_PATIENCE)
        elif not self._loop.is_closed() and not self._loop.is_running():
            self._loop.close()

    def status(self) -> dict[str, Any]:
        """Whether it is ``connected``, and how many ``connections`` there were."""
        return {"connected": self._connected.is_set(), **self._counts}

    def _change(self) -> None:
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._changed.set)

    def _now_open(self) -> list[Event] | None:
        """The open events; None where that cannot be known."""
        if self._open_events is None:
            return None
        try:
            return list(self._open_events())
        except StoreError:
            return None

    # --- the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        try:
            self._loop.run_until_complete(self._stay_connected())
        finally:
            self._connected.clear()
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _stay_connected(self) -> None:
        pause = 0.5
        while not self._closing.is_set():
            try:
                async with self._aiomqtt.Client(**self._how) as client:
                    self._counts["connections"] += 1
                    log.info("connected to %s:%d", self.host, self.port)
                    pause = 0.5
                    await self._attend(client)
            except Exception as error:  # whatever it is, this thread goes on
                if str(error) != self._last_error:
                    log.warning("%s:%d: %s", self.host, self.port, error)
                self._last_error = str(error) or type(error).__name__
            finally:
                self._connected.clear()
                self._client = None
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause * random.uniform(0.75, 1.25))
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _attend(self, client: Any) -> None:
        """Keep what is retained as it is wanted, until the connection is lost or the sink is closed."""
        client.pending_calls_threshold = 1_000_000
        self._lost = asyncio.ensure_future(_until_lost(client))
        try:
            self._retained.forget_all()
            now_open = await asyncio.to_thread(self._now_open)
            async with self._turn:
                self._client = client
                await self._retain(now_open)
            self._connected.set()
            while not self._closing.is_set():
                waiting: list[Any] = [asyncio.ensure_future(e.wait()) for e in (self._changed, self._closing)]
                await asyncio.wait([self._lost, *waiting], return_when=asyncio.FIRST_COMPLETED)
                for task in waiting:
                    task.cancel()
                if self._lost.done():
                    self._lost.result()
                self._changed.clear()
                async with self._turn:
                    await self._retain()
            self._connected.clear()
            await self._publish([(self.topics.status, "offline", True)])
        finally:
            self._lost.cancel()
            with suppress(asyncio.CancelledError, self._aiomqtt.MqttError):
                await self._lost

    async def _deliver(self, tellings: Sequence[Telling], now_open: list[Event] | None) -> None:
        async with self._turn:
            messages = []
            for telling in tellings:
                messages.append((self.topics.events(telling.event.camera), to_json(telling.to_dict()), False))
                state = self._states.tell(telling.event)
                if telling.at > time.time() - _FRESH:
                    messages += self._retained.changes(state)
            await self._publish(messages)
            await self._retain(now_open)

    async def _retain(self, now_open: list[Event] | None = None) -> None:
        if now_open is not None:
            self._states.learn(now_open)
        wanted, is_all = self._states.wanted()
        await self._publish(self._retained.changes(wanted, clear=is_all))

    async def _publish(self, messages: list[tuple[str, str, bool]]) -> None:
        """All of them, in their order; MqttError where the broker does not confirm one."""
        client, lost = self._client, self._lost
        if client is None or lost is None:
            raise self._aiomqtt.MqttError("not connected")
        if not messages:
            return
        try:
            await self._send(client, lost, messages)
        except BaseException:
            self._retained.forget(messages)
            raise

    async def _send(self, client: Any, lost: asyncio.Future[None], messages: list[tuple[str, str, bool]]) -> None:
        await asyncio.to_thread(self._retained.remember, messages)
        sending: Any = asyncio.gather(
            *(client.publish(topic, payload, 1, retain) for topic, payload, retain in messages)
        )
        await asyncio.wait([sending, lost], return_when=asyncio.FIRST_COMPLETED)
        if not sending.done():
            sending.cancel()
            with suppress(asyncio.CancelledError, self._aiomqtt.MqttError):
                await sending
            raise self._aiomqtt.MqttError("the connection was lost")
        sending.result()
        await asyncio.to_thread(self._retained.are_there, messages)


async def _until_lost(client: Any) -> None:
    async for _ in client.messages:
        pass
