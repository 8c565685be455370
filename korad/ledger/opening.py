"""Where the ledger is, from the settings."""

from __future__ import annotations

from typing import Final

from korad.config import Settings
from korad.ledger.database import MADE_BY, Database, LedgerError, SqliteDatabase
from korad.ledger.store import Ledger

LEDGER_FILE: Final = "ledger.sqlite3"
MADE_BY_WITH_URL: Final = (
    '`korad ledger run`, or by `korad serve` with ledger.run = "on", for redis.url is set'
)
POSTGRES_SCHEMES: Final = ("postgresql://", "postgres://")


def open_ledger(settings: Settings, *, create: bool = False) -> Ledger:
    """Open the ledger that `settings` name; `create` makes it the first time.

    Raises LedgerError, which says what helps: there is none yet, another version, no driver.
    """
    return Ledger(_database(settings, create=create), create=create)


def _database(settings: Settings, *, create: bool) -> Database:
    url = settings.ledger.url
    if url is None:
        made_by = MADE_BY if settings.redis.url is None else MADE_BY_WITH_URL
        return SqliteDatabase(settings.state_dir / LEDGER_FILE, create=create, made_by=made_by)
    if not url.reveal().startswith(POSTGRES_SCHEMES):
        raise LedgerError("the setting ledger.url must begin with postgresql://")
    # The driver is optional and heavy: only who has a URL imports it.
    from korad.ledger.postgres import PostgresDatabase  # noqa: PLC0415

    return PostgresDatabase(url, create=create)
