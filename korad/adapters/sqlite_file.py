"""One SQLite file that several processes write: opened so that none of them trips over another."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Final

BUSY_TIMEOUT_S: Final = 10.0
_RETRY_S: Final = 0.01


def open_sqlite(path: Path, *, page_bytes: int | None = None) -> sqlite3.Connection:
    """Return a connection in WAL mode that syncs every commit and begins no transaction itself.

    `page_bytes` is taken for a new file only. Raises sqlite3.Error, after `BUSY_TIMEOUT_S` where
    another process holds the file.
    """
    db = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        if page_bytes is not None:
            db.execute(f"PRAGMA page_size = {page_bytes}")
        _use_wal(db)
        # What a caller was told is kept must outlive a power cut.
        db.execute("PRAGMA synchronous = FULL")
    except BaseException:
        db.close()
        raise
    return db


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch to WAL. Two that do so to one new file at once are not made to wait: one is refused.

    SQLite sees a deadlock there (each has read the file that both want to write) and asks no
    busy handler; tried again, it finds the file as the other has made it.
    """
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            db.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_RETRY_S)
        else:
            return
