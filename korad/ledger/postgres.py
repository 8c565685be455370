"""A ledger in PostgreSQL, in the schema `korad` of the database that the URL names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString, cast

from korad.domain.secret import Secret
from korad.ledger.database import (
    LedgerError,
    LedgerRefusedError,
    LedgerUnavailableError,
    RowRefusedError,
)
from korad.ledger.schema import BOOK, TABLES

try:
    import psycopg
except ImportError as error:  # the driver is an optional dependency
    raise LedgerError(
        "a ledger in PostgreSQL needs its driver: pip install 'korad[postgres]'"
    ) from error

SCHEMA: Final = "korad"
LEASE: Final = int.from_bytes(b"koradL", "big")
"""Number of the advisory lock of the consumer."""
CONNECT_TIMEOUT_S: Final = 5
_REFUSALS: Final = (
    "authentication failed",
    "no password supplied",
    "no pg_hba.conf entry",
    "is not permitted to log in",
    "does not exist",
    "does not support SSL",
    "invalid ",
)
"""What stands in errors of a connection that will be no other in a minute: it has no SQLSTATE."""

# Its warnings tell what follows from an error that it raises, and that is told, as well.
logging.getLogger("psycopg").setLevel(logging.ERROR)


class PostgresDatabase:
    """One connection, made anew after it broke; the lease is lost with it."""

    for_update = " FOR UPDATE"

    def __init__(self, url: Secret, *, create: bool) -> None:
        self._url = url
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._leased = False
        if not create:
            found = self.execute("SELECT to_regclass('book')")
            if found == [(None,)]:
                self.close()
                raise LedgerError(
                    "no ledger yet in this database; it is made by `korad ledger run`"
                )

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with self._errors():
            cursor = self._open().execute(_statement(sql), parameters)
            return cursor.fetchall() if cursor.description is not None else []

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement per row and return how many rows it changed."""
        with self._errors(), self._open().cursor() as cursor:
            cursor.executemany(_statement(sql), rows)
            return cursor.rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end, or roll back."""
        with self._errors(), self._open().transaction():
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read what was committed before the first statement."""
        with self.transaction():
            self.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    def prepare(self) -> None:
        """Make the schema and the tables that are missing."""
        with self.transaction():
            # Two processes that start at once would otherwise both make them.
            self.execute("SELECT pg_advisory_xact_lock(?)", (LEASE + 1,))
            for statement in (f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}", BOOK, *TABLES):
                self.execute(statement)

    def take_lease(self) -> bool:
        """Take the advisory lock; the server frees it when the connection ends."""
        if not self.holds_lease():
            self._leased = self.execute("SELECT pg_try_advisory_lock(?)", (LEASE,)) == [(True,)]
        return self._leased

    def holds_lease(self) -> bool:
        """Return whether the lock is held on the connection in use."""
        return self._leased and self._connection is not None and not self._connection.closed

    def give_back_lease(self) -> None:
        """Free the lock."""
        if self.holds_lease():
            self.execute("SELECT pg_advisory_unlock(?)", (LEASE,))
        self._leased = False

    def close(self) -> None:
        """Close the connection, and with it the lease."""
        self._leased = False
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._leased = False
            self._connection = self._connect()
            self._connection.execute(f"SET search_path TO {SCHEMA}")
            # The commit must be on the disk before Redis may forget the events.
            self._connection.execute("SET synchronous_commit TO on")
        return self._connection

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        try:
            return psycopg.connect(
                self._url.reveal(),
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                application_name="korad ledger",
            )
        except psycopg.ProgrammingError:
            # Its text repeats the URL, password and all.
            raise LedgerError("the ledger's URL is not one that PostgreSQL understands") from None
        except psycopg.OperationalError as error:
            if any(words in str(error) for words in _REFUSALS):
                raise LedgerRefusedError(_message(error)) from error
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            raise RowRefusedError(_message(error)) from error
        except psycopg.Error as error:
            raise LedgerUnavailableError(_message(error)) from error


def _statement(sql: str) -> LiteralString:
    # Own statements only: what comes from outside is always a parameter.
    statement: Any = sql.replace("?", "%s")
    return cast("LiteralString", statement)


def _message(error: psycopg.Error) -> str:
    first = str(error).strip().splitlines()
    return f"PostgreSQL: {first[0] if first else type(error).__name__}"
