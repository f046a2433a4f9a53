"""Follows the store's log, once for all who listen, and counts what it tells."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import anyio

from motionseg.apps.service.http.facts import service_facts

__all__ = ["Hub", "Listener"]

logger = logging.getLogger("motionseg.service.http")

_PAGE = 500  # tellings read at a time
_MOST_WAITING = 1000  # tellings that wait for a listener; one that is slower is sent away and comes again
_FRESH = 0.5  # seconds for which the state of all need not be asked again


class Listener:
    """One who listens, in the event loop: tellings wait here for it."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.waiting: deque[Any] = deque()
        self.lost = False
        self.news = asyncio.Event()


class Hub:
    """A thread between the store and the event loop.

    Parameters
    ----------
    service : Service
        Its `ledger.store` is read; its `bulletin` says when there is something to read.
    """

    def __init__(self, service: Any) -> None:
        self.service = service
        self.begun: Counter[tuple[str, str]] = Counter()
        """Events begun since the service started, by camera and rule."""
        self.last = 0
        """Number of the last telling that is known here."""
        self.stopping = False
        self._listeners: set[Listener] = set()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_current = False
        self._asked = -_FRESH
        self._asking: asyncio.Future[dict[str, Any]] | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="http-hub", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let all who listen go."""
        self.stopping = True
        for listener in self._listeners:
            listener.news.set()

    async def join(self) -> None:
        self.stop()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, 5.0)

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def listen(self, after: int) -> Listener:
        """From the event loop. What is older than the hub's `last` is for the listener to read from the log."""
        listener = Listener(after)
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)

    async def facts(self) -> dict[str, Any]:
        """The state of all. It is asked for once, however many want it and however long that takes."""
        loop = asyncio.get_running_loop()
        if self._asking is None or (self._asking.done() and loop.time() - self._asked >= _FRESH):
            self._asked = loop.time()
            self._asking = asyncio.ensure_future(anyio.to_thread.run_sync(service_facts, self.service))
        return await asyncio.shield(self._asking)

    # --- the thread ------------------------------------------------------------------------

    def _run(self) -> None:
        subscription = self.service.bulletin.subscribe()
        failing = False
        try:
            while not self.stopping:
                try:
                    self._read()
                    failing = False
                except Exception as error:  # the store is away: its ledger tries again, and so do we
                    if not failing:
                        logger.warning("the event store cannot be read: %s", type(error).__name__)
                    failing = True
                    time.sleep(0.5)
                _wait(subscription.get, 0.5)
        finally:
            subscription.close()

    def _read(self) -> None:
        """What is new in the log, to all; what was there before we came is not news."""
        store = self.service.ledger.store
        newest = store.newest_number()
        if not self._is_current:
            self.last, self._is_current = newest, True
        elif 0 < newest < self.last:  # the database was begun anew, and so were its numbers
            self.last = 0
            self._call(self._send_away)
        while page := store.log(self.last, _PAGE):
            self.begun.update((t.event.camera, t.event.rule) for t in page if t.phase == "begin")
            self.last = page[-1].number
            self._call(self._hand_on, page)

    def _call(self, function: Callable[..., None], *facts: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(function, *facts)

    def _send_away(self) -> None:
        for listener in self._listeners:
            listener.lost = True
            listener.news.set()

    def _hand_on(self, page: list[Any]) -> None:
        for listener in self._listeners:
            listener.waiting.extend(page)
            if len(listener.waiting) > _MOST_WAITING:
                listener.lost = True
                listener.waiting.clear()
            listener.news.set()


def _wait(get: Callable[..., Any], seconds: float) -> None:
    """Until something is told, or the time is over, and take all that is there."""
    try:
        get(timeout=seconds)
        while get(timeout=0.001) is not None:
            pass
    except queue.Empty:
        return
