"""What is PostgreSQL's own: connections break, and the lease with them."""

from __future__ import annotations

import pytest

from korad.domain.secret import Secret
from korad.ledger import LedgerError, LedgerUnavailableError
from tests.support.ledger import (
    NOON_MS,
    drop_postgres_ledger,
    entries,
    payloads_of,
    postgres_ledger,
)

psycopg = pytest.importorskip("psycopg")
PostgresDatabase = pytest.importorskip("korad.ledger.postgres").PostgresDatabase


@pytest.fixture
def ledger(postgres_url):
    drop_postgres_ledger(postgres_url)
    with postgres_ledger(postgres_url) as ledger:
        yield ledger


def break_connections(url):
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'korad ledger'"
        )


def test_a_broken_connection_costs_the_lease_and_nothing_else(ledger, postgres_url):
    assert ledger.take_lease()
    ledger.add(entries(1), NOON_MS)
    break_connections(postgres_url)
    with pytest.raises(LedgerUnavailableError, match="PostgreSQL: "):
        ledger.add(entries(2), NOON_MS)
    added = ledger.add(entries(1, 2), NOON_MS)

    assert (added.booked, added.duplicates) == (1, 1)
    assert not ledger.holds_lease()
    assert ledger.take_lease()
    assert len(payloads_of(ledger)) == 2


def test_a_database_without_a_ledger_is_told(postgres_url):
    drop_postgres_ledger(postgres_url)

    with pytest.raises(LedgerError, match="no ledger yet"):
        PostgresDatabase(Secret(postgres_url), create=False)


def test_a_wrong_url_is_told_without_its_password():
    with pytest.raises(LedgerError) as told:
        PostgresDatabase(Secret("postgresql://korad:hunter2@[::1/x y"), create=False)

    assert "hunter2" not in str(told.value)


def test_a_server_that_is_not_there_may_come():
    with pytest.raises(LedgerUnavailableError, match="PostgreSQL: "):
        PostgresDatabase(Secret("postgresql://korad:hunter2@127.0.0.1:1/x"), create=False)
