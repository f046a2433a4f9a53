"""Events in PostgreSQL, through psycopg 3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from motionseg.apps.service._eventlog import TABLES, VERSION, Channel, EventStore, Execute, RefusedError, StoreError
from motionseg.core.errors import MissingExtraError, ParameterError

__all__ = ["PostgresStore"]

T = TypeVar("T")


class PostgresStore(EventStore):
    """A store in the schema ``motionseg`` of a PostgreSQL database (13 or later), for one service.

    Parameters
    ----------
    url : str
        ``"postgresql://user:password@host:port/database"``, with libpq's parameters; the user may create in it.

    Raises
    ------
    ParameterError
        It cannot be read as an address.
    MissingExtraError
        psycopg is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import psycopg
        except ImportError as error:
            raise MissingExtraError("a PostgreSQL store", "pip install 'motionseg[service]'") from error
        try:
            parts = psycopg.conninfo.conninfo_to_dict(url)
        except psycopg.Error:
            raise ParameterError("store.url cannot be read as postgresql://user:password@host/database") from None
        patience: dict[str, Any] = {"connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5,
                                    "tcp_user_timeout": 15000, "application_name": "motionseg"}  # fmt: skip
        self._parts: dict[str, Any] = {**patience, **parts}
        self.name = f"postgresql://{parts.get('host', '')}/{parts.get('dbname', '')}"
        self._psycopg = psycopg
        self._reading, self._writing = Channel(), Channel()

    def _run(self, work: Callable[[Execute], T], *, write: bool, durable: bool = True) -> T:
        psycopg, channel = self._psycopg, self._writing if write else self._reading
        with channel.lock:
            for is_last in (channel.connection is None, True):
                try:
                    if channel.connection is None:
                        channel.connection = self._connect()
                    return self._transact(channel.connection, work, write, durable)
                except StoreError:
                    raise
                except (psycopg.DataError, psycopg.IntegrityError, UnicodeError) as error:
                    raise RefusedError(self._told(error)) from error
                except (psycopg.Error, OSError) as error:
                    channel.close()  # what was lost, and tables that are gone, are there again after a new one
                    is_waiting = isinstance(error, psycopg.errors.LockNotAvailable)
                    if is_last or is_waiting:
                        raise StoreError(self._told(error)) from error
        raise AssertionError  # not reached

    @staticmethod
    def _transact(connection: Any, work: Callable[[Execute], T], write: bool, durable: bool) -> T:
        def execute(sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql.replace("?", "%s"), parameters)
            return cursor.fetchall() if cursor.description else []

        with connection.transaction():
            if write:  # numbers rise in the order in which they are seen
                connection.execute("SELECT pg_advisory_xact_lock(7236001)")
            if write and not durable:
                connection.execute("SET LOCAL synchronous_commit = off")
            return work(execute)

    def _connect(self) -> Any:
        connection: Any = self._psycopg.connect(**self._parts, autocommit=True)
        try:
            for setting in ("lock_timeout = '5s'", "statement_timeout = '60s'", "client_min_messages = warning"):
                connection.execute(f"SET {setting}")
            connection.execute("SET search_path = motionseg")
            known = connection.execute("SELECT to_regclass('motionseg.version')").fetchone()[0]
            if known is None:
                self._begin(connection)
            version = connection.execute("SELECT max(number) FROM version").fetchone()[0]
            if version != VERSION:
                raise StoreError(f"{self.name}: of version {version}, and this motionseg knows {VERSION}")
        except BaseException:
            connection.close()
            raise
        return connection

    @staticmethod
    def _begin(connection: Any) -> None:
        serial = "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(7236001)")
            connection.execute("CREATE SCHEMA IF NOT EXISTS motionseg")
            connection.execute(TABLES.format(real="DOUBLE PRECISION", serial=serial))
            connection.execute("CREATE TABLE IF NOT EXISTS version (number INTEGER PRIMARY KEY)")
            connection.execute(f"INSERT INTO version VALUES ({VERSION}) ON CONFLICT DO NOTHING")

    def _told(self, error: BaseException) -> str:
        told = " ".join(str(error).split())
        password = str(self._parts.get("password") or "")
        return f"{self.name}: {told.replace(password, '***') if password else told}"

    def close(self) -> None:
        for channel in (self._writing, self._reading):
            with channel.lock:
                channel.close()
