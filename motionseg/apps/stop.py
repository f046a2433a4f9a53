"""How Ctrl-C and SIGTERM end a long job: between two pieces of work, with everything so far kept."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

__all__ = ["Stop"]

T = TypeVar("T")


class Stop:
    """Ctrl-C and SIGTERM end a job between two frames; a second one, or one while waiting for a frame, at once."""

    def __init__(self) -> None:
        self.asked = False
        self._waiting = False

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Take the two signals over while inside (on the main thread, where signals arrive)."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _ask(self, *_: Any) -> None:
        again, self.asked = self.asked, True
        if again or self._waiting:
            raise KeyboardInterrupt

    def until_asked(self, items: Iterable[T]) -> Iterator[T]:
        """`items`, up to the one in hand when the signal comes."""
        iterator = iter(items)
        while not self.asked:
            self._waiting = True
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self._waiting = False
            yield item
