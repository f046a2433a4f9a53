"""No event is lost on its way into the store, whatever happens to the store."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from motionseg.apps.service._journal import Journal
from motionseg.apps.service.store import Attachment, EventStore, RefusedError, Telling, open_store, to_json
from motionseg.core.errors import MissingExtraError
from motionseg.core.types import Event

__all__ = ["Ledger"]

log = logging.getLogger("motionseg.service.ledger")

_BATCH = 500
_LONGEST_PAUSE = 10.0
_AGAIN = 1.0  # seconds after a failure that nobody has foreseen
_MOST_HELD = 100_000


class Ledger:
    """Takes events from the cameras and records them; what cannot be recorded yet waits on the disk.

    Parameters
    ----------
    store_url : str, optional
        As :func:`open_store` takes it.
    state_dir : path
        Folder of ``journal.jsonl``, in which tellings wait; one service uses it at a time.
    on_recorded : callable, optional
        Called with the tellings that were new to the store, numbered, from the ledger's thread.
    store : EventStore, optional
        One of your own, in place of `store_url`.

    Raises
    ------
    OutputError
        The journal cannot be written, or another process uses it.
    ParameterError, MissingExtraError
        From :func:`open_store`.

    Notes
    -----
    What :meth:`tell` was given lies in the journal before it returns, and is recorded in the order in which it was
    told, each telling once. So it survives

    - the end of this process, however hard, at any moment after ``tell`` has returned: the next ledger goes on;
    - a power cut once it is recorded, which takes milliseconds, or, while the store is away, once the journal was
      synced, which is done at once. An event of which a power cut took the begin is recorded with its end;
    - a store that is away, locked or full, for as long as the journal's disk has room;
    - a full disk of the journal, too, in memory: 100,000 tellings, but not the end of the process.

    Facts that the store refuses for good are put into ``refused.jsonl`` and told of, so that nothing waits for them.
    """

    def __init__(
        self,
        store_url: str | None,
        state_dir: str | os.PathLike[str],
        *,
        on_recorded: Callable[[list[Telling]], None] | None = None,
        store: EventStore | None = None,
    ) -> None:
        self.folder = Path(state_dir)
        self.store = open_store(store_url, state_dir) if store is None else store
        self._on_recorded = on_recorded
        self._journal = Journal(self.folder / "journal.jsonl")
        self._held: deque[bytes] = deque()  # told while not even the journal could be written
        self._news = threading.Condition()
        self._stopping = threading.Event()
        self._counts = dict.fromkeys(("recorded", "retries", "refused", "lost"), 0)
        self._last_error: str | None = None
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)
        try:
            import tenacity
        except ImportError as error:
            raise MissingExtraError("motionseg serve", "pip install 'motionseg[service]'") from error
        self._patience = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Exception),
            wait=tenacity.wait_exponential(0.2, max=_LONGEST_PAUSE) + tenacity.wait_random(0, 0.2),
            stop=tenacity.stop_when_event_set(self._stopping),
            sleep=self._pause,
            before_sleep=self._has_failed,
            reraise=True,
        )
        if self._journal.torn:
            self._refuse(self._journal.torn, "half a line in the journal")
        if self._journal.n_waiting:
            log.info("%d tellings of an earlier run wait to be recorded", self._journal.n_waiting)

    def start(self) -> None:
        """Begin to record, first what an earlier run has left."""
        self._thread.start()

    # --- what is told ----------------------------------------------------------------------

    def tell(self, events: Sequence[Event], at: float) -> None:
        """Record that these events have begun (``end`` None) or ended; returns at once.

        Parameters
        ----------
        events : sequence of Event
            Times in seconds since 1970.
        at : float
            When this is told, seconds since 1970.
        """
        self._put([to_json({"at": at, "event": event.to_dict()}).encode() for event in events])

    def attach(self, event_id: str, kind: str, file: str) -> None:
        """Record the ``"snapshot"``, ``"evidence"`` or ``"clip"`` of an event; "" removes it. Returns at once."""
        entry = Attachment(event_id, kind, file)
        self._put([to_json({"attach": [entry.event_id, entry.kind, entry.file]}).encode()])

    def _put(self, lines: list[bytes]) -> None:
        if not lines:
            return
        with self._news:
            if not self._held:
                try:
                    self._journal.add(lines)
                    lines = []
                except OSError as error:
                    self._note(f"{self._journal.path}: {error.strerror}: what is told is kept in memory")
            room = _MOST_HELD - len(self._held)
            self._held.extend(lines[:room])  # behind those that are held, so that the order stays
            self._counts["lost"] += len(lines[room:])
            self._news.notify_all()

    # --- what is asked ---------------------------------------------------------------------

    def flush(self, timeout: float) -> bool:
        """Wait until all that was told is recorded, at most `timeout` seconds; whether it is."""
        with self._news:
            return self._news.wait_for(lambda: not self._n_waiting, timeout)

    def status(self) -> dict[str, Any]:
        """Facts for people and metrics.

        ``queued`` counts what was told and is not recorded, ``journalled`` how much of it lies in the journal (the rest
        is in memory, for want of room), ``recorded`` the tellings that were new to the store, ``retries`` failed
        attempts, ``refused`` what the store will never take, ``lost`` what did not even fit into memory; ``last_error``
        is that of now, None while all is well, and ``warning`` the store's.
        """
        with self._news:
            waiting = {"queued": self._n_waiting, "journalled": self._journal.n_waiting}
            return {**waiting, **self._counts, "last_error": self._last_error, "warning": self.store.warning}

    @property
    def _n_waiting(self) -> int:
        return self._journal.n_waiting + len(self._held)

    def stop(self, timeout: float) -> None:
        """Record what can be recorded, at most for `timeout` seconds; the rest waits for the next start."""
        end = time.monotonic() + timeout
        if self._thread.is_alive():
            with self._news:
                self._news.wait_for(lambda: not self._n_waiting or self._last_error is not None, timeout / 2)
                self._stopping.set()
                self._news.notify_all()
            self._thread.join(max(0.1, end - time.monotonic()))
        if not self._thread.is_alive():
            self._spill()
            self._journal.close()
            self.store.close()

    # --- the thread ------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._news:
                self._news.wait_for(lambda: self._n_waiting or self._stopping.is_set())
                if not self._n_waiting:
                    return
            try:
                recorded = self._patience(self._record_some)
            except Exception as error:
                if self._stopping.is_set():
                    log.warning("%d tellings wait for the next start: %s", self._n_waiting, error)
                    return
                log.exception("what was told could not be recorded, and is tried again")
                self._stopping.wait(_AGAIN)
                continue
            if recorded and self._on_recorded is not None:
                try:
                    self._on_recorded(recorded)
                except Exception:
                    log.exception("who is told of records has failed")

    def _record_some(self) -> list[Telling]:
        """Record the first of what waits; nothing has changed where it cannot be."""
        with self._news:
            lines = self._journal.peek(_BATCH)
            is_held = not lines
            lines = lines or list(islice(self._held, _BATCH))
        entries, problem = _entries(lines)
        n, recorded = len(entries), []
        while n:
            try:
                recorded = self.store.write(entries[:n])
                break
            except RefusedError as error:
                problem, n = str(error), n // 2  # so that one bad telling does not stop the others
        if not n:
            self._refuse(lines[0], problem)
        done = lines[: max(n, 1)]
        with self._news:
            if is_held:
                for _ in done:
                    self._held.popleft()
            else:
                self._journal.drop(done)
            self._counts["recorded"] += len(recorded)
            self._last_error = None
            self._news.notify_all()
        return recorded

    def _refuse(self, line: bytes, why: str) -> None:
        log.error("this cannot be recorded and is put into refused.jsonl: %s", why)
        self._counts["refused"] += 1
        try:
            with (self.folder / "refused.jsonl").open("ab") as file:
                file.write(line + b"\n")
        except OSError as error:
            log.error("refused.jsonl: %s: %r", error.strerror, line)

    def _pause(self, seconds: float) -> None:
        """Wait, while what comes meanwhile is made safe."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not self._stopping.is_set():
            self._spill()
            with self._news:
                before = self._n_waiting
                self._news.wait_for(lambda n=before: self._n_waiting != n or self._stopping.is_set(), left)  # type: ignore[misc]

    def _spill(self) -> None:
        """From memory into the journal, and that onto the disk, as far as there is room."""
        with self._news:
            held = list(self._held)
            try:
                if held:
                    self._journal.add(held)
                    self._held.clear()
            except OSError:
                return
        try:
            self._journal.sync()
        except OSError as error:
            self._note(f"{self._journal.path}: {error.strerror}")

    def _has_failed(self, state: Any) -> None:
        with self._news:
            self._counts["retries"] += 1
            self._note(str(state.outcome.exception()))
            self._news.notify_all()

    def _note(self, problem: str) -> None:
        if problem != self._last_error:
            log.warning("events wait to be recorded: %s", problem)
        self._last_error = problem


def _entries(lines: list[bytes]) -> tuple[list[Telling | Attachment], str]:
    """What the lines say, up to the first that says nothing, and what is wrong with that."""
    entries: list[Telling | Attachment] = []
    for line in lines:
        try:
            facts = json.loads(line)
            if "attach" in facts:
                entries.append(Attachment(*facts["attach"]))
            else:
                entries.append(_telling(facts))
        except (KeyError, TypeError, ValueError) as error:
            return entries, f"no entry of a journal: {error}"
    return entries, ""


def _telling(facts: dict[str, Any]) -> Telling:
    event = Event.from_dict(facts["event"])
    if not all(isinstance(text, str) for text in (event.id, event.camera, event.rule, event.zone)):
        raise TypeError("id, camera, rule and zone of an event are texts")
    start, end = float(event.start), None if event.end is None else float(event.end)
    return Telling(replace(event, start=start, end=end), float(facts["at"]))
