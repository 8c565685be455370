"""Virtual keys on disk: one SQLite file that every process of the host may write.

Each change takes the next number of one counter and stamps its row with it, so a server reads
only what changed since it last looked. Rows are never deleted: a revoked key stays, inactive.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self, Unpack

from korad.adapters.key_rows import (
    CONFLICTS,
    GET,
    INSERT,
    MIGRATIONS,
    SCHEMA,
    SCHEMA_VERSION,
    SELECT,
    UPDATE,
    KeyChanges,
    KeySettings,
    columns_of,
    encoded,
    key_of,
)
from korad.adapters.pepper import load_pepper
from korad.auth import RANDOM_BYTES_MIN, SECRET_PREFIX, digest_key, generate_key_secret
from korad.domain.identity import VirtualKey
from korad.domain.secret import Secret

KEYS_FILE = "keys.sqlite3"
BUSY_TIMEOUT_S: Final = 10.0
NAME_CHARS_MAX: Final = 128
SECRET_CHARS_MIN: Final = 16
SECRET_CHARS_MAX: Final = 512
KEY_ID_PREFIX: Final = "vk_"
HINT_CHARS: Final = 4
_PEPPER_PROBE: Final = b"the pepper of this key store"


class KeyStoreError(Exception):
    """The key store cannot do this; the message says why and what helps."""


class KeyConflictError(KeyStoreError):
    """Another key has this name or this secret."""


class InvalidKeyError(KeyStoreError):
    """A name or secret that no key may have."""


class KeyNotFoundError(KeyStoreError):
    """No key has this id, name or secret."""


class SqliteKeyStore:
    """Implement `korad.ports.KeyStore`, and all that the command line does with keys.

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

    def create(
        self,
        name: str,
        *,
        now_s: int,
        secret: str | None = None,
        **settings: Unpack[KeySettings],
    ) -> tuple[VirtualKey, Secret]:
        """Store a new key and return it with its secret, which nothing can recover later.

        `secret` None makes a random one. Raises KeyConflictError, InvalidKeyError.
        """
        _check_name(name)
        if secret is None:
            secret = generate_key_secret(secrets.token_bytes(RANDOM_BYTES_MIN))
        _check_secret(secret)
        key = VirtualKey(
            key_id=KEY_ID_PREFIX + secrets.token_hex(8),
            name=name,
            digest=digest_key(self._pepper, secret),
            created_at_s=now_s,
            **settings,
        )
        with self._transaction():
            self._refuse_conflict(key)
            columns = columns_of(key) | {"rev": self._next_rev(), "hint": secret[-HINT_CHARS:]}
            self._db.execute(INSERT, columns)
        return key, Secret(secret)

    def list_keys(self) -> list[VirtualKey]:
        """Return all keys, revoked ones too, oldest first."""
        with _mapped_errors(self._path):
            rows = self._db.execute(f"{SELECT} ORDER BY created_at_s, rowid")
            return [key_of(row) for row in rows]

    def get(self, reference: str) -> VirtualKey | None:
        """Return the key with this id, secret or name, or None.

        Where a name was used again after its key was revoked, the active key is meant, else
        the newest.
        """
        digest = digest_key(self._pepper, reference)
        with _mapped_errors(self._path):
            row = self._db.execute(GET, {"reference": reference, "digest": digest}).fetchone()
        return None if row is None else key_of(row)

    def hint(self, key_id: str) -> str:
        """Return the last characters of the key's secret, to tell keys apart by eye."""
        with _mapped_errors(self._path):
            row = self._db.execute("SELECT hint FROM keys WHERE key_id = ?", (key_id,)).fetchone()
        return "" if row is None else str(row["hint"])

    def update(self, reference: str, **changes: Unpack[KeyChanges]) -> VirtualKey:
        """Change the named fields (None clears one) and return the key as it is now.

        Raises KeyNotFoundError, KeyConflictError, InvalidKeyError.
        """
        if "name" in changes:
            _check_name(changes["name"])
        with self._transaction():
            former = self.get(reference)
            if former is None:
                raise KeyNotFoundError("there is no such key")
            changed = key_of(columns_of(former) | encoded(changes))
            self._refuse_conflict(changed)
            self._db.execute(UPDATE, columns_of(changed) | {"rev": self._next_rev()})
        return changed

    def revoke(self, reference: str) -> VirtualKey:
        """Make the key inactive and return it. Raises KeyNotFoundError."""
        return self.update(reference, active=False)

    def version(self) -> int:
        """Return the revision of the newest change."""
        with _mapped_errors(self._path):
            return int(self._db.execute("SELECT rev FROM store").fetchone()[0])

    def changes_since(self, rev: int) -> tuple[int, list[VirtualKey]]:
        """Return the newest revision and every key changed after `rev` (0: all keys)."""
        with _mapped_errors(self._path):
            # One statement sees one snapshot: what commits later has a higher revision.
            rows = self._db.execute(f"{SELECT} WHERE rev > ? ORDER BY rev", (rev,)).fetchall()
        return (rows[-1]["rev"] if rows else rev), [key_of(row) for row in rows]

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"SqliteKeyStore({str(self._path)!r})"

    def _prepare(self) -> None:
        if self._schema_version() == 0:
            with self._transaction():
                # Another process may have made the tables while this one waited for the lock.
                if self._schema_version() == 0:
                    for statement in SCHEMA:
                        self._db.execute(statement)
                    self._db.execute("INSERT INTO store VALUES (1, 0, ?)", (self._probe(),))
        if self._schema_version() in MIGRATIONS:
            with self._transaction():
                while (version := self._schema_version()) in MIGRATIONS:
                    self._db.execute(MIGRATIONS[version])
                    self._db.execute(f"PRAGMA user_version = {version + 1}")
        if self._schema_version() != SCHEMA_VERSION:
            raise KeyStoreError(
                f"{self._path} was written by another version of korad (schema "
                f"{self._schema_version()}, this one knows {SCHEMA_VERSION}): use that version"
            )
        probe = self._db.execute("SELECT pepper_probe FROM store").fetchone()[0]
        if probe != self._probe():
            raise KeyStoreError(
                f"the file 'pepper' beside {self._path} is not the one its keys were made with: "
                "restore it from a backup, or move both files away and create the keys anew"
            )

    def _schema_version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _probe(self) -> bytes:
        return digest_key(self._pepper, _PEPPER_PROBE)

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

    def _next_rev(self) -> int:
        self._db.execute("UPDATE store SET rev = rev + 1")
        return int(self._db.execute("SELECT rev FROM store").fetchone()[0])

    def _refuse_conflict(self, key: VirtualKey) -> None:
        taken = self._db.execute(CONFLICTS, columns_of(key)).fetchone()
        if taken is None:
            return
        if taken["digest"] == key.digest:
            raise KeyConflictError(f"this secret already belongs to the key {taken['key_id']}")
        raise KeyConflictError(
            f"the name '{key.name}' is taken by the active key {taken['key_id']}: choose another "
            "name, or revoke that key first"
        )


def open_key_store(state_dir: Path) -> SqliteKeyStore:
    """Open the key store of `state_dir`, making it the first time.

    Raises KeyStoreError, PepperError.
    """
    return SqliteKeyStore(state_dir / KEYS_FILE, load_pepper(state_dir))


def _open_database(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # SQLite gives the files it puts beside the database the database's own mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode = WAL")
    # A key that was printed must outlive a power cut; keys change rarely enough for a full sync.
    db.execute("PRAGMA synchronous = FULL")
    return db


@contextmanager
def _mapped_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise KeyStoreError(f"cannot use the key store {path}: {error}") from error


def _check_name(name: str) -> None:
    if not name or name != name.strip() or not name.isprintable() or len(name) > NAME_CHARS_MAX:
        raise InvalidKeyError(
            f"a key's name has 1 to {NAME_CHARS_MAX} printable characters and no space at its ends"
        )
    if name.startswith((KEY_ID_PREFIX, SECRET_PREFIX)):
        raise InvalidKeyError(
            f"a key's name may not begin with '{KEY_ID_PREFIX}' or '{SECRET_PREFIX}', as ids and "
            "keys do"
        )


def _check_secret(secret: str) -> None:
    if not (
        SECRET_CHARS_MIN <= len(secret) <= SECRET_CHARS_MAX
        and secret.isascii()
        and secret.isprintable()
        and " " not in secret
    ):
        raise InvalidKeyError(
            f"a key has {SECRET_CHARS_MIN} to {SECRET_CHARS_MAX} printable ASCII characters and "
            "no spaces, so that it fits in a header"
        )
