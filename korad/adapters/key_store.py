"""Virtual keys on disk: one SQLite file that every process of the host may write.

Each change takes the next number of one counter and stamps its row with it, so a server reads
only what changed since it last looked. Rows are never deleted: a revoked key stays, inactive.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from korad.adapters.group_rows import PUT_GROUP, SELECT_GROUPS, columns_of_group, group_of
from korad.adapters.key_changes import VirtualKeys
from korad.adapters.key_errors import KeyStoreError
from korad.adapters.key_rows import (
    CONFLICTS,
    GET,
    MEMBERS,
    MIGRATIONS,
    PUT,
    SCHEMA,
    SCHEMA_VERSION,
    SELECT,
    key_of,
)
from korad.adapters.key_rules import KeyTables, Row
from korad.adapters.pepper import load_pepper, pepper_probe
from korad.adapters.private_file import make_private_file
from korad.adapters.private_folder import make_private_folder
from korad.adapters.sqlite_file import open_sqlite
from korad.domain.identity import VirtualKey
from korad.domain.limits import Group

KEYS_FILE = "keys.sqlite3"

T = TypeVar("T")


class _Tables:
    """Implement `KeyTables` within a transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def groups(self) -> dict[str, Group]:
        return {row["group_id"]: group_of(row) for row in self._db.execute(SELECT_GROUPS)}

    def rows(self) -> list[Row]:
        rows = self._db.execute(f"{SELECT} ORDER BY created_at_s, rowid")
        return [_row(each) for each in rows]

    def find(self, reference: str, digest: bytes) -> Row | None:
        row = self._db.execute(GET, {"reference": reference, "digest": digest}).fetchone()
        return None if row is None else _row(row)

    def conflict(self, row: Row) -> Row | None:
        taken = self._db.execute(CONFLICTS, row).fetchone()
        return None if taken is None else _row(taken)

    def members(self, group_id: str) -> list[Row]:
        rows = self._db.execute(MEMBERS, {"group_id": group_id})
        return [_row(each) for each in rows]

    def put_key(self, row: Row) -> None:
        self._db.execute("UPDATE store SET rev = rev + 1")
        rev = self._db.execute("SELECT rev FROM store").fetchone()[0]
        self._db.execute(PUT, dict(row) | {"rev": rev})

    def put_group(self, group: Group) -> None:
        self._db.execute(PUT_GROUP, columns_of_group(group))


class SqliteKeyStore(VirtualKeys):
    """Implement `VirtualKeys` and `korad.ports.KeyStore` on one file.

    One thread at a time, and not across a fork: open it in the process that uses it.
    """

    def __init__(self, path: Path, pepper: bytes) -> None:
        self._path = path
        self._pepper = pepper
        with _mapped_errors(path):
            self._db = _open_database(path)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def version(self) -> int:
        """Return the revision of the newest change."""
        with _mapped_errors(self._path):
            return int(self._db.execute("SELECT rev FROM store").fetchone()[0])

    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys)."""

        def work(tables: KeyTables) -> tuple[int, list[VirtualKey]]:
            rows = self._db.execute(f"{SELECT} WHERE rev > ? ORDER BY rev", (rev,)).fetchall()
            if not rows:
                return rev, []
            groups = tables.groups()
            return rows[-1]["rev"], [key_of(row, groups) for row in rows]

        return self._read(work)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __repr__(self) -> str:
        return f"SqliteKeyStore({str(self._path)!r})"

    def _read(self, work: Callable[[KeyTables], T]) -> T:
        # All statements of one transaction see one state: what commits later is read later.
        with _mapped_errors(self._path):
            self._db.execute("BEGIN")
            try:
                return work(_Tables(self._db))
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def _change(self, work: Callable[[KeyTables], T]) -> T:
        with self._transaction():
            return work(_Tables(self._db))

    def _prepare(self) -> None:
        probe = pepper_probe(self._pepper)
        if self._schema_version() == 0:
            with self._transaction():
                # Another process may have made the tables while this one waited for the lock.
                if self._schema_version() == 0:
                    for statement in SCHEMA:
                        self._db.execute(statement)
                    self._db.execute("INSERT INTO store VALUES (1, 0, ?)", (probe,))
        if self._schema_version() in MIGRATIONS:
            with self._transaction():
                while (version := self._schema_version()) in MIGRATIONS:
                    for statement in MIGRATIONS[version]:
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {version + 1}")
        if self._schema_version() != SCHEMA_VERSION:
            raise KeyStoreError(
                f"{self._path} was written by another version of korad (schema "
                f"{self._schema_version()}, this one knows {SCHEMA_VERSION}): use that version"
            )
        if self._db.execute("SELECT pepper_probe FROM store").fetchone()[0] != probe:
            raise KeyStoreError(
                f"the pepper (as a rule the file 'pepper' beside {self._path}) is not the one its "
                "keys were made with: restore it from a backup, or move both files away and create "
                "the keys anew"
            )

    def _schema_version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with _mapped_errors(self._path):
            # IMMEDIATE takes the write lock before anything is read, so that no other process
            # changes what a check has just seen.
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
                # Keys change rarely and are copied for backup: bring the change into the one
                # file at once. A reader in the way only puts it off to the next change.
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except BaseException:
                # SQLite has already rolled back after some failures, a full disk for one.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def open_key_store(state_dir: Path) -> SqliteKeyStore:
    """Open the key store of `state_dir`, making it the first time.

    Raises KeyStoreError, PepperError.
    """
    return SqliteKeyStore(state_dir / KEYS_FILE, load_pepper(state_dir))


def _open_database(path: Path) -> sqlite3.Connection:
    make_private_folder(path.parent)
    # SQLite gives the files it puts beside the database the database's own mode.
    make_private_file(path)
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    db = open_sqlite(path)
    db.row_factory = sqlite3.Row
    return db


@contextmanager
def _mapped_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise KeyStoreError(f"cannot use the key store {path}: {error}") from error


def _row(row: sqlite3.Row) -> Row:
    return dict(zip(row.keys(), row, strict=True))
