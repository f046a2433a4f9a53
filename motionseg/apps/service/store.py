"""Where events are kept: a SQLite file, or a PostgreSQL database."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from motionseg.apps.service._eventlog import TABLES, VERSION, Channel, EventStore, Execute, RefusedError, StoreError
from motionseg.apps.service._postgres import PostgresStore
from motionseg.apps.service.telling import Attachment, Telling, to_json
from motionseg.core.errors import ParameterError

__all__ = [
    "Attachment",
    "EventStore",
    "PostgresStore",
    "RefusedError",
    "SqliteStore",
    "StoreError",
    "Telling",
    "open_store",
    "to_json",
]

T = TypeVar("T")

log = logging.getLogger("motionseg.service.store")


def open_store(url: str | None, state_dir: str | os.PathLike[str]) -> EventStore:
    """The store of an address; nothing is connected to yet.

    Parameters
    ----------
    url : str, optional
        ``"sqlite:PATH"`` or ``"postgresql://user:password@host/database"``; None: ``events.db`` in `state_dir`.
    state_dir : path
        Where relative paths begin.

    Raises
    ------
    ParameterError
        It is no such address; a password in it is not repeated.
    MissingExtraError
        psycopg is not installed.
    """
    if url is None:
        return SqliteStore(Path(state_dir) / "events.db")
    scheme, colon, rest = url.partition(":")
    if colon and scheme == "sqlite" and rest:
        return SqliteStore(Path(state_dir) / rest)
    if colon and scheme in ("postgresql", "postgres"):
        return PostgresStore(url)
    kind = f"one that begins with {scheme!r}" if colon else "something else"
    raise ParameterError(f"store.url is sqlite:PATH or postgresql://user:password@host/database, not {kind}")


class SqliteStore(EventStore):
    """A store in one file, for one process: SQLite with a write-ahead log.

    Parameters
    ----------
    path : path
        Made, with its folder, where it is missing, also later on. A damaged file is renamed to
        ``NAME.damaged-TIME``, and a new one begun.
    patience : float
        Seconds to wait while another process has it locked.

    Notes
    -----
    What :meth:`record` has returned survives a power cut (``synchronous=FULL``). That costs one wait for the disk a
    transaction, so many tellings at once are as cheap as one. Cursors are not waited for.
    """

    def __init__(self, path: str | os.PathLike[str], *, patience: float = 2.0) -> None:
        self.path = Path(path)
        self.patience = patience
        self._reading, self._writing = Channel(), Channel()
        self._checked = (0, 0)

    def _run(self, work: Callable[[Execute], T], *, write: bool, durable: bool = True) -> T:
        channel = self._writing if write else self._reading
        for is_last in (False, True):
            try:
                with channel.lock:
                    return self._transact(channel, work, write, durable)
            except StoreError:
                raise
            except sqlite3.Error as error:
                if not is_last and _is_damage(error):
                    self._set_aside(error)
                else:
                    raise self._told(error) from error
            except (OverflowError, UnicodeError) as error:
                raise RefusedError(f"{self.path}: {error}") from error
            except OSError as error:
                raise StoreError(f"{self.path}: {error.strerror or error}") from error
        raise AssertionError  # not reached

    def _transact(self, channel: Channel, work: Callable[[Execute], T], write: bool, durable: bool) -> T:
        if channel.connection is None or self._is_gone(channel.file):
            channel.close()
            channel.connection = self._connect()
            channel.file = self._identity()
        connection = channel.connection
        try:
            if write:
                connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            result = work(lambda sql, parameters=(): connection.execute(sql, parameters).fetchall())
            connection.execute("COMMIT")
            return result
        except BaseException as error:
            with suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and "locked" not in str(error):
                channel.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self.path, timeout=self.patience, isolation_level=None, check_same_thread=False, cached_statements=64
        )
        try:
            is_new = self._identity() != self._checked  # reading all of it once is enough
            if is_new and connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("database disk image is malformed")
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA journal_size_limit=67108864")
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > VERSION:
                raise StoreError(f"{self.path}: of version {version}, and this motionseg knows {VERSION}")
            if version < VERSION:
                connection.execute("BEGIN IMMEDIATE")
                for sql in TABLES.format(real="REAL", serial="INTEGER PRIMARY KEY AUTOINCREMENT").split(";"):
                    connection.execute(sql)
                connection.execute(f"PRAGMA user_version={VERSION}")
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        self._checked = self._identity()
        return connection

    def _identity(self) -> tuple[int, int]:
        facts = os.stat(self.path)
        return facts.st_dev, facts.st_ino

    def _is_gone(self, file: tuple[int, int] | None) -> bool:
        """Whether the file was deleted or moved away, and what is written would be in no file."""
        try:
            return self._identity() != file
        except FileNotFoundError:
            return True

    def _set_aside(self, error: sqlite3.Error) -> None:
        with self._writing.lock, self._reading.lock:
            self._writing.close()
            self._reading.close()
            self._checked = (0, 0)
            try:
                self._connect().close()  # by another thread's work it is whole again
                return
            except (sqlite3.Error, OSError) as now:
                if not _is_damage(now):
                    return
            aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%dT%H%M%S', time.gmtime())}")
            for suffix in ("-wal", "-shm", ""):
                with suppress(FileNotFoundError):
                    os.replace(f"{self.path}{suffix}", f"{aside}{suffix}")
            self.warning = f"{self.path} was damaged ({error}): it is kept as {aside.name}, and a new one is begun"
            log.warning(self.warning)

    def _told(self, error: sqlite3.Error) -> StoreError:
        refused = isinstance(error, (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError))
        refused |= isinstance(error, sqlite3.ProgrammingError)
        return (RefusedError if refused else StoreError)(f"{self.path}: {error}")

    def close(self) -> None:
        for channel in (self._writing, self._reading):
            with channel.lock:
                channel.close()


def _is_damage(error: BaseException) -> bool:
    told = str(error)
    return isinstance(error, sqlite3.DatabaseError) and ("malformed" in told or "not a database" in told)
