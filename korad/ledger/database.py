"""What the ledger needs of a database, and SQLite's way of giving it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any, Final, Protocol

from korad.adapters.private_file import make_private_file
from korad.adapters.private_folder import make_private_folder
from korad.adapters.sqlite_file import open_sqlite
from korad.ledger.schema import BOOK, ENTRY_IS_ROWID, TABLES

PAGE_BYTES: Final = 8_192
MADE_BY: Final = "`korad serve` or `korad ledger run`"
LEASE_SUFFIX: Final = ".consumer"


class LedgerError(Exception):
    """The ledger cannot do this; the message says why and what helps."""


class LedgerUnavailableError(LedgerError):
    """The database cannot be used now: locked, full, unreachable. Trying again may help."""


class LedgerRefusedError(LedgerUnavailableError):
    """The database answers and lets nobody in with this URL: a person has to mend one of them."""


class RowRefusedError(LedgerError):
    """The database takes none of this batch because of what is in it."""


class Database(Protocol):
    """One connection. SQL has `?` for parameters; rows are tuples. For one thread at a time.

    Everything raises LedgerUnavailableError or RowRefusedError, and nothing of the driver's.
    """

    for_update: str
    """What a SELECT ends in that reads what the transaction will write."""

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows, if it has any."""
        ...

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement per row and return how many rows it changed."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end, or roll back what was raised out of."""
        ...

    def snapshot(self) -> AbstractContextManager[None]:
        """Let everything read within be of one moment, and hold up no writer."""
        ...

    def prepare(self) -> None:
        """Make the tables that are missing."""
        ...

    def take_lease(self) -> bool:
        """Become the only consumer of this ledger, or return False: there is another."""
        ...

    def holds_lease(self) -> bool:
        """Return whether the lease that was taken still holds."""
        ...

    def give_back_lease(self) -> None:
        """Let another consumer take over."""
        ...

    def close(self) -> None:
        """Close the connection; with it ends the lease."""
        ...


class SqliteDatabase:
    """A ledger in one file."""

    for_update = ""

    def __init__(self, path: Path, *, create: bool, made_by: str = MADE_BY) -> None:
        self._path = path
        self._lease = -1
        if not create and not path.exists():
            raise LedgerError(f"no ledger yet: {path} does not exist; it is made by {made_by}")
        try:
            make_private_folder(path.parent)
            make_private_file(path)
        except OSError as error:
            raise LedgerUnavailableError(f"{path}: {error.strerror}") from error
        with self._errors():
            # What the stream forgets after the commit must not be lost in a power cut.
            self._db = open_sqlite(path, page_bytes=PAGE_BYTES)
            # What undoes one statement of many rows; a file for it costs more than it saves.
            self._db.execute("PRAGMA temp_store = MEMORY")
        if not create and not self.execute("SELECT 1 FROM sqlite_master WHERE name = 'book'"):
            self._db.close()
            raise LedgerError(f"no ledger yet: {path} is empty; `korad ledger run` fills it")

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        with self._errors():
            return self._db.execute(sql, parameters).fetchall()

    def execute_many(self, sql: str, rows: Iterable[Sequence[Any]]) -> int:
        """Run one statement per row and return how many rows it changed."""
        with self._errors():
            return self._db.executemany(sql, rows).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Write under the file's write lock from the first statement on."""
        with self._between("BEGIN IMMEDIATE"):
            yield

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read what was committed before the first statement."""
        with self._between("BEGIN DEFERRED"):
            yield

    @contextmanager
    def _between(self, begin: str) -> Iterator[None]:
        self.execute(begin)
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            # A failed COMMIT of a full disk may have ended the transaction itself.
            if self._db.in_transaction:
                self._db.rollback()
            raise

    def prepare(self) -> None:
        """Make the tables that are missing."""
        with self.transaction():
            for statement in (BOOK, *TABLES):
                self.execute(statement.replace(*ENTRY_IS_ROWID))

    def take_lease(self) -> bool:
        """Lock the file beside the ledger; the lock ends with the process, however it ends."""
        if self._lease >= 0:
            return True
        path = self._path.with_name(self._path.name + LEASE_SUFFIX)
        try:
            lease = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LedgerUnavailableError(f"{path}: {error.strerror}") from error
        try:
            flock(lease, LOCK_EX | LOCK_NB)
        except OSError:
            os.close(lease)
            return False
        self._lease = lease
        return True

    def holds_lease(self) -> bool:
        """Return whether the lock is held."""
        return self._lease >= 0

    def give_back_lease(self) -> None:
        """Unlock the file."""
        if self._lease >= 0:
            os.close(self._lease)
            self._lease = -1

    def close(self) -> None:
        """Close the file and give back the lease."""
        self.give_back_lease()
        self._db.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.DataError, sqlite3.IntegrityError, OverflowError) as error:
            raise RowRefusedError(f"{self._path}: {error}") from error
        except sqlite3.Error as error:
            raise LedgerUnavailableError(f"{self._path}: {error}") from error
