"""What a store of events keeps and how it is asked, in the SQL that SQLite and PostgreSQL share.

Three tables: ``events`` (one row each, as it is now), ``log`` (one row for each telling, in order: what the sinks read)
and ``cursors`` (how far each sink has come). ``cameras`` keeps the numbers that must never be used again.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeVar

from motionseg.apps.service.telling import Attachment, Telling, to_json
from motionseg.core.errors import OutputError
from motionseg.core.types import Event

__all__ = ["Channel", "EventStore", "Execute", "RefusedError", "StoreError"]

T = TypeVar("T")
Execute = Callable[..., list[tuple[Any, ...]]]
"""``execute(sql, parameters) -> rows``, with ``?`` for parameters."""

_FACTS = "facts, number, told_at, ended_at, snapshot, evidence, clip"
VERSION = 1
TABLES = """
CREATE TABLE IF NOT EXISTS events (
    id TEXT PRIMARY KEY, camera TEXT NOT NULL, rule TEXT NOT NULL, zone TEXT NOT NULL,
    start_time {real} NOT NULL, end_time {real}, facts TEXT NOT NULL,
    number BIGINT NOT NULL, told_at {real} NOT NULL, ended_at {real},
    snapshot TEXT NOT NULL DEFAULT '', evidence TEXT NOT NULL DEFAULT '', clip TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS events_by_number ON events (number);
CREATE INDEX IF NOT EXISTS events_by_camera ON events (camera, number);
CREATE INDEX IF NOT EXISTS events_by_end ON events (end_time);
CREATE TABLE IF NOT EXISTS log (
    number {serial}, event_id TEXT NOT NULL, phase TEXT NOT NULL, told_at {real} NOT NULL, facts TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS cursors (sink TEXT PRIMARY KEY, number BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS cameras (
    camera TEXT PRIMARY KEY, last_number BIGINT NOT NULL, highest_track BIGINT NOT NULL);
"""
_HIGHEST = 2**63 - 1


class StoreError(OutputError):
    """The store is away, locked, full or damaged: what was to be recorded was not; try again later."""


class RefusedError(StoreError):
    """The store does not take these facts, now or later."""


class Channel:
    """A connection and who may use it; one for reading, one for writing, so that readers need not wait."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connection: Any = None
        self.file: Any = None

    def close(self) -> None:
        connection, self.connection = self.connection, None
        if connection is not None:
            with suppress(Exception):
                connection.close()


class EventStore(ABC):
    """Events and their log in a database. All methods may be called from any thread.

    Raises
    ------
    StoreError
        By every method: the database is away, locked for too long, full or damaged. Nothing was changed.

    Notes
    -----
    Connections are made when they are needed and again when they were lost, so that a store can be made, and waited
    for, while its database is away.
    """

    warning: str | None = None
    """What an operator should know, such as that a damaged file was set aside."""

    @abstractmethod
    def _run(self, work: Callable[[Execute], T], *, write: bool, durable: bool = True) -> T:
        """``work(execute)`` in one transaction; it is done again from its beginning after a lost connection."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database; a later call connects again."""

    # --- what is written -------------------------------------------------------------------

    def record(self, tellings: Sequence[Telling]) -> list[Telling]:
        """Record tellings in one transaction, each (event, phase) once.

        Parameters
        ----------
        tellings : sequence of Telling
            In the order in which they were told; their numbers are not looked at.

        Returns
        -------
        list of Telling
            Those that changed something, numbered. An event that is there does not begin again, and a closed one stays
            as it was closed. The end of an event that never began is recorded whole, as its begin and its end.

        Raises
        ------
        RefusedError
            The facts cannot be stored (a time that is not a number); none of them was.
        """
        return self.write(tellings)

    def attach(self, event_id: str, kind: str, file: str) -> None:
        """Keep `file` as the ``"snapshot"``, ``"evidence"`` or ``"clip"`` of an event; "" removes it."""
        self.write([Attachment(event_id, kind, file)])

    def write(self, entries: Sequence[Telling | Attachment]) -> list[Telling]:
        """:meth:`record` and :meth:`attach` in the order of `entries`, in one transaction."""
        if not entries:
            return []
        return self._run(lambda execute: _write(execute, entries), write=True)

    def advance(self, sink: str, number: int) -> None:
        """`sink` has everything up to `number`. A power cut may forget this: it is then told again."""

        def work(execute: Execute) -> None:
            highest = execute("SELECT COALESCE(max(number), 0) FROM log")[0][0]  # a database may have been begun anew
            execute(
                "INSERT INTO cursors (sink, number) VALUES (?, ?)"
                " ON CONFLICT (sink) DO UPDATE SET number = excluded.number WHERE cursors.number < excluded.number",
                (_text(sink), min(number, highest)),
            )

        self._run(work, write=True, durable=False)

    def forget_sinks(self, except_names: Iterable[str]) -> None:
        """Sinks of these names there are, and no others: the log is kept until each of them has it."""
        names = {_text(name) for name in except_names}

        def work(execute: Execute) -> None:
            for (name,) in execute("SELECT sink FROM cursors"):
                if name not in names:
                    execute("DELETE FROM cursors WHERE sink = ?", (name,))
            for name in sorted(names):
                execute("INSERT INTO cursors (sink, number) VALUES (?, 0) ON CONFLICT (sink) DO NOTHING", (name,))

        self._run(work, write=True)

    def forget(self, before: float) -> int:
        """Delete closed events that ended before then, and the log as far as every sink has passed it.

        Returns
        -------
        int
            How many events were deleted. Open ones stay, and numbers are never used again.
        """

        def work(execute: Execute) -> int:
            n_before = int(execute("SELECT count(*) FROM events")[0][0])
            execute("DELETE FROM events WHERE end_time < ?", (before,))
            execute("DELETE FROM log WHERE number <= COALESCE((SELECT min(number) FROM cursors), ?)", (_HIGHEST,))
            return n_before - int(execute("SELECT count(*) FROM events")[0][0])

        return self._run(work, write=True)

    # --- what is asked ---------------------------------------------------------------------

    def event(self, id: str) -> dict[str, Any] | None:
        """An event as it is now, None where there is none: its facts, ``number`` (of its begin in the log),
        ``told_at``, ``ended_at`` (when its end was told, or None), ``snapshot``, ``evidence`` and ``clip``."""
        rows = self._read(f"SELECT {_FACTS} FROM events WHERE id = ?", (_text(id),))
        return _facts(rows[0]) if rows else None

    def events(
        self,
        *,
        camera: str | None = None,
        rule: str | None = None,
        zone: str | None = None,
        since: float | None = None,
        until: float | None = None,
        open_only: bool = False,
        before: int | None = None,
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Events, newest first, each as :meth:`event` gives it.

        Parameters
        ----------
        camera, rule, zone : str, optional
            Names; the zone "" is the whole picture.
        since, until : float, optional
            Seconds since 1970: events of which a part lies between them.
        open_only : bool
            Only those that go on.
        before : int, optional
            Only those with a smaller number: the next page, after the last one's ``number``.
        limit : int
            The most to give.
        """
        wishes: list[tuple[str, Any]] = [
            ("camera = ?", None if camera is None else _text(camera)),
            ("rule = ?", None if rule is None else _text(rule)),
            ("zone = ?", None if zone is None else _text(zone)),
            ("(end_time IS NULL OR end_time >= ?)", since),
            ("start_time <= ?", until),
            ("number < ?", before),
        ]
        asked = [(sql, value) for sql, value in wishes if value is not None]
        terms = [sql for sql, _ in asked] + (["end_time IS NULL"] if open_only else [])
        where = f" WHERE {' AND '.join(terms)}" if terms else ""
        sql = f"SELECT {_FACTS} FROM events{where} ORDER BY number DESC LIMIT ?"
        return [_facts(row) for row in self._read(sql, (*(value for _, value in asked), limit))]

    def open_events(self, camera: str | None = None) -> list[Event]:
        """The events of a camera, or of all, that have begun and not ended, oldest first."""
        sql = "SELECT facts FROM events WHERE end_time IS NULL"
        rows = (
            self._read(f"{sql} ORDER BY number", ())
            if camera is None
            else self._read(f"{sql} AND camera = ? ORDER BY number", (_text(camera),))
        )
        return [Event.from_dict(json.loads(facts)) for (facts,) in rows]

    def last_number(self, camera: str) -> int:
        """The highest running number in ids of that camera's events, also of forgotten ones; 0 for none."""
        return self._highest("last_number", camera)

    def highest_track(self, camera: str) -> int:
        """The highest id of a track in that camera's events, also of forgotten ones; 0 for none."""
        return self._highest("highest_track", camera)

    def _highest(self, column: str, camera: str) -> int:
        rows = self._read(f"SELECT {column} FROM cameras WHERE camera = ?", (_text(camera),))
        return int(rows[0][0]) if rows else 0

    def log(self, after: int, limit: int = 500) -> list[Telling]:
        """The tellings after that number, at most `limit`, in the order of their numbers."""
        rows = self._read("SELECT facts, told_at, number FROM log WHERE number > ? ORDER BY number LIMIT ?",
                          (after, limit))  # fmt: skip
        return [Telling(Event.from_dict(json.loads(facts)), at, number) for facts, at, number in rows]

    def newest_number(self) -> int:
        """The number of the log's last telling; 0 where it is empty."""
        return int(self._read("SELECT COALESCE(max(number), 0) FROM log", ())[0][0])

    def cursor(self, sink: str) -> int:
        """The number up to which a sink has everything; 0 for one that is new."""
        rows = self._read("SELECT number FROM cursors WHERE sink = ?", (_text(sink),))
        return int(rows[0][0]) if rows else 0

    def n_behind(self, number: int) -> int:
        """How many tellings there are in the log after that number."""
        return int(self._read("SELECT count(*) FROM log WHERE number > ?", (number,))[0][0])

    def count(self) -> int:
        """How many events there are."""
        return int(self._read("SELECT count(*) FROM events", ())[0][0])

    def _read(self, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        return self._run(lambda execute: execute(sql, parameters), write=False)


def _write(execute: Execute, entries: Sequence[Telling | Attachment]) -> list[Telling]:
    changed: list[Telling] = []
    numbers: dict[str, list[int]] = {}
    for entry in entries:
        if isinstance(entry, Attachment):
            execute(f"UPDATE events SET {entry.kind} = ? WHERE id = ?", (_text(entry.file), _text(entry.event_id)))
            continue
        event, id = entry.event, _text(entry.event.id)
        known = execute("SELECT end_time FROM events WHERE id = ?", (id,))
        if known and (event.is_open or known[0][0] is not None):
            continue
        if not known:
            begun = Telling(replace(event, end=None), entry.at)
            changed.append(_log(execute, begun))
            execute(
                "INSERT INTO events (id, camera, rule, zone, start_time, facts, number, told_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (id, _text(event.camera), _text(event.rule), _text(event.zone), event.start,
                 to_json(begun.event.to_dict()), changed[-1].number, entry.at),
            )  # fmt: skip
        if not event.is_open:
            changed.append(_log(execute, entry))
            execute(
                "UPDATE events SET start_time = ?, end_time = ?, facts = ?, ended_at = ? WHERE id = ?",
                (event.start, event.end, to_json(event.to_dict()), entry.at, id),
            )
        highest = numbers.setdefault(_text(event.camera), [0, 0])
        highest[0] = max(highest[0], _running_number(event))
        highest[1] = max(highest[1], *event.track_ids, 0)
    for camera, (number, track) in sorted(numbers.items()):
        _keep_numbers(execute, camera, min(number, _HIGHEST), min(track, _HIGHEST))
    return changed


def _log(execute: Execute, telling: Telling) -> Telling:
    facts = to_json(telling.event.to_dict())
    sql = "INSERT INTO log (event_id, phase, told_at, facts) VALUES (?, ?, ?, ?) RETURNING number"
    rows = execute(sql, (_text(telling.event.id), telling.phase, telling.at, facts))
    return replace(telling, number=int(rows[0][0]))


def _keep_numbers(execute: Execute, camera: str, number: int, track: int) -> None:
    known = execute("SELECT last_number, highest_track FROM cameras WHERE camera = ?", (camera,))
    if not known:
        execute("INSERT INTO cameras (camera, last_number, highest_track) VALUES (?, ?, ?)", (camera, number, track))
    elif number > known[0][0] or track > known[0][1]:
        number, track = max(number, known[0][0]), max(track, known[0][1])
        execute("UPDATE cameras SET last_number = ?, highest_track = ? WHERE camera = ?", (number, track, camera))


def _running_number(event: Event) -> int:
    """That of an id "CAMERA-NUMBER-MILLISECONDS"; 0 in any other."""
    prefix = f"{event.camera}-"
    number = event.id[len(prefix) :].split("-")[0] if event.id.startswith(prefix) else ""
    return int(number) if number.isascii() and number.isdigit() else 0


def _facts(row: tuple[Any, ...]) -> dict[str, Any]:
    facts, *others = row
    return {**json.loads(facts), **dict(zip(_FACTS.split(", ")[1:], others, strict=True))}


def _text(name: str) -> str:
    """`name` as every database takes it; the facts have it as it is."""
    return name.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
