"""News for whoever listens: from the threads of the cameras to the pages that are open."""

from __future__ import annotations

import queue
import threading
from contextlib import suppress
from typing import Any

__all__ = ["Bulletin", "Subscription"]

_LENGTH = 1000  # news that wait for one reader


class Subscription:
    """What one listener has not yet read; a slow one loses the oldest, and is told how many."""

    def __init__(self, bulletin: Bulletin, length: int = _LENGTH) -> None:
        self._bulletin, self._length = bulletin, length
        self._items: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._lost = 0
        self._lock = threading.Lock()

    def put(self, item: dict[str, Any]) -> None:
        with self._lock:
            while self._items.qsize() >= self._length:
                with suppress(queue.Empty):  # it was read just now
                    self._items.get_nowait()
                    self._lost += 1
            self._items.put(item)

    def get(self, timeout: float) -> dict[str, Any] | None:
        """The next news; None after `timeout` seconds without any."""
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            return {"kind": "lost", "n": lost}
        try:
            return self._items.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self) -> None:
        self._bulletin.drop(self)


class Bulletin:
    """Hands each piece of news to all who listen now; safe from any thread."""

    def __init__(self) -> None:
        self._readers: tuple[Subscription, ...] = ()
        self._lock = threading.Lock()

    def publish(self, kind: str, facts: dict[str, Any]) -> None:
        for reader in self._readers:
            reader.put({"kind": kind, **facts})

    def subscribe(self) -> Subscription:
        reader = Subscription(self)
        with self._lock:
            self._readers += (reader,)
        return reader

    def drop(self, reader: Subscription) -> None:
        with self._lock:
            self._readers = tuple(other for other in self._readers if other is not reader)
