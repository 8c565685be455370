"""A SQLite file that several open at once, new or old."""

from __future__ import annotations

import sqlite3
import threading

import pytest

from korad.adapters import sqlite_file
from korad.adapters.sqlite_file import open_sqlite


def test_a_new_file_is_opened_while_another_writes_its_first_page(tmp_path):
    path = tmp_path / "new.sqlite3"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # With this lock taken SQLite refuses the switch to WAL at once, whatever its timeout.
    other.execute("BEGIN IMMEDIATE")
    end = threading.Timer(0.1, lambda: other.execute("COMMIT"))
    end.start()

    db = open_sqlite(path)

    end.join()
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()
    other.close()


def test_a_file_that_stays_locked_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_S", 0.05)
    path = tmp_path / "held.sqlite3"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        open_sqlite(path)
    other.close()


def test_a_new_file_takes_the_page_size_and_syncs_each_commit(tmp_path):
    db = open_sqlite(tmp_path / "new.sqlite3", page_bytes=8_192)

    assert db.execute("PRAGMA page_size").fetchone() == (8_192,)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert not db.in_transaction
    db.close()
