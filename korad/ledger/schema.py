"""The ledger's tables, in SQL that SQLite and PostgreSQL both take."""

from __future__ import annotations

from typing import Final

from korad.ledger.entries import Row

SCHEMA_VERSION: Final = 1

BOOK: Final = """
    CREATE TABLE IF NOT EXISTS book (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        schema_version INTEGER NOT NULL,
        ledger_id TEXT NOT NULL,
        entries BIGINT NOT NULL,
        head TEXT NOT NULL
    )
"""
"""Which ledger this is, how many events it holds, and the head of their hash chain."""

TABLES: Final = (
    """
    CREATE TABLE IF NOT EXISTS events (
        entry BIGINT PRIMARY KEY,
        event_id TEXT NOT NULL UNIQUE,
        producer TEXT NOT NULL,
        shard INTEGER NOT NULL,
        number BIGINT NOT NULL,
        time_ms BIGINT NOT NULL,
        subject TEXT,
        key_id TEXT,
        team_id TEXT,
        customer_id TEXT,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        status TEXT NOT NULL,
        usage_source TEXT NOT NULL,
        input_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        cached_tokens BIGINT NOT NULL,
        saved_tokens BIGINT NOT NULL,
        cost_nano_usd BIGINT NOT NULL,
        billed_nano_usd BIGINT NOT NULL,
        savings_nano_usd BIGINT NOT NULL,
        request_id TEXT NOT NULL,
        client_request_id TEXT,
        payload TEXT NOT NULL
    )
    """,
    "CREATE UNIQUE INDEX IF NOT EXISTS events_by_number ON events (producer, shard, number)",
    "CREATE INDEX IF NOT EXISTS events_by_time ON events (time_ms, entry)",
    "CREATE INDEX IF NOT EXISTS events_by_request ON events (request_id)",
    """
    CREATE TABLE IF NOT EXISTS checkpoints (
        producer TEXT NOT NULL,
        shard INTEGER NOT NULL,
        number BIGINT NOT NULL,
        PRIMARY KEY (producer, shard)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS rollup (
        day TEXT NOT NULL,
        key_id TEXT NOT NULL,
        team_id TEXT NOT NULL,
        customer_id TEXT NOT NULL,
        provider TEXT NOT NULL,
        model TEXT NOT NULL,
        events BIGINT NOT NULL,
        input_tokens BIGINT NOT NULL,
        output_tokens BIGINT NOT NULL,
        cached_tokens BIGINT NOT NULL,
        saved_tokens BIGINT NOT NULL,
        cost_nano_usd BIGINT NOT NULL,
        billed_nano_usd BIGINT NOT NULL,
        savings_nano_usd BIGINT NOT NULL,
        CHECK (input_tokens <= 9223372036854775807),
        CHECK (output_tokens <= 9223372036854775807),
        CHECK (cached_tokens <= 9223372036854775807),
        CHECK (saved_tokens <= 9223372036854775807),
        CHECK (cost_nano_usd <= 9223372036854775807),
        CHECK (billed_nano_usd <= 9223372036854775807),
        CHECK (savings_nano_usd BETWEEN -9223372036854775807 AND 9223372036854775807),
        PRIMARY KEY (day, key_id, team_id, customer_id, provider, model)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS days (
        day TEXT PRIMARY KEY,
        first_entry BIGINT NOT NULL,
        entries BIGINT NOT NULL,
        head TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS conflicts (
        event_id TEXT NOT NULL,
        payload_sha256 TEXT NOT NULL,
        seen_ms BIGINT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (event_id, payload_sha256)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS malformed (
        shard INTEGER NOT NULL,
        stream_id TEXT NOT NULL,
        seen_ms BIGINT NOT NULL,
        reason TEXT NOT NULL,
        payload TEXT NOT NULL,
        PRIMARY KEY (shard, stream_id)
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS positions (
        shard INTEGER PRIMARY KEY,
        stream_id TEXT NOT NULL
    )
    """,
)
"""Whatever of it is missing is made when a ledger is opened to be written: so a ledger of an older
korad gets a new index, and the older korad can still use it.

`days` holds the hash chain by the day of booking; `positions` how far each stream was booked.

SQLite would make a floating point number of a sum that is too large: the checks refuse it.
"""

ENTRY_IS_ROWID: Final = ("entry BIGINT PRIMARY KEY", "entry INTEGER PRIMARY KEY")
"""What SQLite takes for another name of its own row number, and keeps no index of."""

FIGURES: Final = (
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "saved_tokens",
    "cost_nano_usd",
    "billed_nano_usd",
    "savings_nano_usd",
)
"""The columns that are summed, of `events` and of `rollup`."""


def marks(count: int) -> str:
    """Return `count` parameters of a statement."""
    return ", ".join("?" * count)


INSERT_EVENT: Final = (
    f"INSERT INTO events (entry, {', '.join(Row._fields)}) "  # noqa: S608 - constants only
    f"VALUES ({marks(1 + len(Row._fields))}) ON CONFLICT DO NOTHING"
)
ADD_TO_ROLLUP: Final = (
    "INSERT INTO rollup (day, key_id, team_id, customer_id, provider, model, events, "  # noqa: S608
    f"{', '.join(FIGURES)}) VALUES ({marks(7 + len(FIGURES))}) "
    "ON CONFLICT (day, key_id, team_id, customer_id, provider, model) DO UPDATE SET "
    + ", ".join(f"{name} = rollup.{name} + excluded.{name}" for name in ("events", *FIGURES))
)
SET_DAY: Final = """
    INSERT INTO days (day, first_entry, entries, head) VALUES (?, ?, ?, ?)
    ON CONFLICT (day) DO UPDATE SET entries = days.entries + excluded.entries, head = excluded.head
"""
SET_CHECKPOINT: Final = """
    INSERT INTO checkpoints (producer, shard, number) VALUES (?, ?, ?)
    ON CONFLICT (producer, shard) DO UPDATE SET number = excluded.number
"""
SET_POSITION: Final = """
    INSERT INTO positions (shard, stream_id) VALUES (?, ?)
    ON CONFLICT (shard) DO UPDATE SET stream_id = excluded.stream_id
"""
ADD_CONFLICT: Final = """
    INSERT INTO conflicts (event_id, payload_sha256, seen_ms, payload) VALUES (?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
ADD_MALFORMED: Final = """
    INSERT INTO malformed (shard, stream_id, seen_ms, reason, payload) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
READ_STANDING: Final = """
    SELECT (SELECT number FROM checkpoints WHERE producer = ? AND shard = ?),
        (SELECT MAX(number) FROM events WHERE producer = ? AND shard = ?)
"""
READ_BOOK: Final = "SELECT entries, head FROM book"
COUNT_ALARMS: Final = "SELECT (SELECT COUNT(*) FROM conflicts), (SELECT COUNT(*) FROM malformed)"
