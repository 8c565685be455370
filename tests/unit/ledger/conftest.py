"""Every test of the store runs on both databases, PostgreSQL where it is installed."""

from __future__ import annotations

import pytest

from tests.support.ledger import (
    drop_postgres_ledger,
    postgres_ledger,
    postgres_programs,
    running_postgres,
    sqlite_ledger,
)


@pytest.fixture(scope="session")
def postgres_url():
    pytest.importorskip("psycopg", reason="the PostgreSQL driver is not installed")
    if postgres_programs() is None:
        pytest.skip("PostgreSQL is not installed")
    with running_postgres() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def open_again(request, tmp_path):
    """Return a function that opens one and the same ledger, each time by a new connection."""
    opened = []

    def open_sqlite():
        opened.append(sqlite_ledger(tmp_path))
        return opened[-1]

    def open_postgres():
        opened.append(postgres_ledger(request.getfixturevalue("postgres_url")))
        return opened[-1]

    if request.param == "sqlite":
        yield open_sqlite
    else:
        drop_postgres_ledger(request.getfixturevalue("postgres_url"))
        yield open_postgres
    for each in opened:
        each.close()


@pytest.fixture
def ledger(open_again):
    return open_again()
