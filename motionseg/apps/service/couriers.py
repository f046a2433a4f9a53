"""From the store's log to whoever wants to be told: each telling at least once, in order."""

from __future__ import annotations

import logging
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, ClassVar

from motionseg.apps.service.store import EventStore, StoreError, Telling
from motionseg.core.errors import MissingExtraError, OutputError

__all__ = ["Courier", "DeliveryError", "Sink"]

log = logging.getLogger("motionseg.service.couriers")

_POLL = 5.0  # seconds between looks at the log where nobody wakes the courier
_AGAIN = 1.0  # seconds after a failure that nobody has foreseen


class DeliveryError(OutputError):
    """A sink did not take what it was given; it is to be tried again, after `after` seconds at least."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class Sink(ABC):
    """Someone who is told of events. Only its courier's thread calls :meth:`deliver`."""

    name: str
    """Under which the store knows how far it has come."""
    batch: ClassVar[int] = 100
    """The most tellings at a time."""
    longest_pause: ClassVar[float] = 30.0
    """Seconds between two tries at the most, unless the sink itself asks for more."""

    @abstractmethod
    def deliver(self, tellings: Sequence[Telling]) -> None:
        """Pass tellings on, all or none: an exception means that all of them are given again."""

    def start(self) -> None:  # noqa: B027
        """Begin what has to be there before the first telling."""

    def interrupt(self) -> None:  # noqa: B027
        """A delivery that waits ends with an exception; called from another thread."""

    def close(self) -> None:  # noqa: B027
        """Let go of files and connections."""

    def status(self) -> dict[str, Any]:
        """Facts of its own for people and metrics."""
        return {}


class Courier:
    """Brings one sink what the store's log has, and notes in the store how far it has come.

    Parameters
    ----------
    sink : Sink
        Started and closed by the courier.
    store : EventStore
        Its log is the buffer while the sink is away, also over restarts.

    Notes
    -----
    At least once: what was delivered just before the process or the machine died may be delivered again; receivers know
    a telling by the event's id and the phase. After a failure it is tried again, first after half a second, then in
    pauses that double.
    """

    def __init__(self, sink: Sink, store: EventStore) -> None:
        try:
            import tenacity
        except ImportError as error:
            raise MissingExtraError("motionseg serve", "pip install 'motionseg[service]'") from error
        self.sink, self.store = sink, store
        self._state = threading.Condition()
        self._woken, self._idle, self._stopping = True, False, threading.Event()
        self._owed: int | None = None  # delivered, and not noted in the store yet
        self._counts = {"delivered": 0, "failures": 0, "behind": 0}
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._work, name=f"courier {sink.name}", daemon=True)
        pause = tenacity.wait_exponential(0.5, max=sink.longest_pause) + tenacity.wait_random(0, 0.25)
        self._patience = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Exception),
            wait=lambda state: max(pause(state), _asked_pause(state)),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=tenacity.sleep_using_event(self._stopping),
            before_sleep=self._has_failed,
            reraise=True,
        )

    @property
    def name(self) -> str:
        """That of the sink."""
        return self.sink.name

    def start(self) -> None:
        """Begin to deliver, first what an earlier run has left."""
        self.sink.start()
        self._thread.start()

    def wake(self) -> None:
        """There is something new in the log."""
        with self._state:
            self._woken, self._idle = True, False
            self._state.notify_all()

    def stop(self, timeout: float) -> None:
        """Deliver what can be delivered, at most for `timeout` seconds; the rest waits for the next start."""
        end = time.monotonic() + timeout
        if self._thread.is_alive():
            self.wake()
            with self._state:
                self._state.wait_for(lambda: self._idle or self._last_error is not None, timeout / 2)
            self._stopping.set()
            self.wake()
            self.sink.interrupt()
            self._thread.join(max(0.1, end - time.monotonic()))
        elif self._thread.ident is None:
            self.sink.close()

    def status(self) -> dict[str, Any]:
        """Tellings ``delivered`` in this run and still ``behind``, ``failures`` of tries, ``last_error`` (None while
        all is well), and what the sink has to say."""
        with suppress(StoreError):  # then it is as many as when it was last asked
            self._counts["behind"] = self.store.n_behind(self._owed or self.store.cursor(self.name))
        return {"name": self.name, **self._counts, "last_error": self._last_error, **self.sink.status()}

    def _work(self) -> None:
        try:
            self._deliver_all()
        finally:  # here, as it may be long after stop() had no time left
            self.sink.close()

    def _deliver_all(self) -> None:
        while not self._stopping.is_set():
            with self._state:
                self._woken = False
            try:
                n_delivered = self._patience(self._round)
            except Exception as error:
                if self._stopping.is_set():
                    log.warning("%s: the rest waits for the next start: %s", self.name, error)
                    return
                log.exception("%s: could not be told, and is tried again", self.name)
                self._last_error = f"{type(error).__name__}: {error}"
                self._stopping.wait(_AGAIN)
                continue
            with self._state:
                if not n_delivered and not self._woken:
                    self._idle = True
                    self._state.notify_all()
                    self._state.wait_for(lambda: self._woken or self._stopping.is_set(), _POLL)

    def _round(self) -> int:
        """Deliver once; how many tellings."""
        if self._owed is not None:
            self.store.advance(self.name, self._owed)
            self._owed = None
        tellings = self.store.log(self.store.cursor(self.name), self.sink.batch)
        if tellings:
            self.sink.deliver(tellings)
            self._counts["delivered"] += len(tellings)
            self._owed = tellings[-1].number
            self.store.advance(self.name, self._owed)
            self._owed = None
        if self._last_error is not None:
            log.info("%s: takes events again", self.name)
            self._last_error = None
        return len(tellings)

    def _has_failed(self, state: Any) -> None:
        error = state.outcome.exception()
        told = str(error) if isinstance(error, OutputError) else f"{type(error).__name__}: {error}"
        with self._state:
            self._counts["failures"] += 1
            if told != self._last_error:
                log.warning("%s: %s", self.name, told)
            self._last_error = told
            self._state.notify_all()


def _asked_pause(state: Any) -> float:
    return float(getattr(state.outcome.exception(), "after", 0.0))
