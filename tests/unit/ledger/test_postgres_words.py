"""What PostgreSQL's driver and server say: who is refused, who is away, and who says it."""

from __future__ import annotations

import logging

import pytest

from korad.ledger import LedgerUnavailableError
from korad.ledger.database import LedgerRefusedError
from tests.support.ledger import postgres_ledger

psycopg = pytest.importorskip("psycopg")


@pytest.mark.parametrize(
    ("old", "new"), [("korad@", "nobody@"), ("/postgres", "/nothing"), ("?", "?sslmode=require&")]
)
def test_who_is_let_in_nowhere_is_no_outage(postgres_url, old, new):
    with pytest.raises(LedgerRefusedError, match="PostgreSQL: "):
        postgres_ledger(f"{postgres_url}?".replace(old, new))


def test_a_server_that_is_away_is_one():
    with pytest.raises(LedgerUnavailableError) as told:
        postgres_ledger("postgresql://korad@127.0.0.1:1/postgres")

    assert not isinstance(told.value, LedgerRefusedError)


def test_the_driver_does_not_tell_a_second_time_that_the_server_has_gone(postgres_url, caplog):
    caplog.set_level(logging.INFO)
    with postgres_ledger(postgres_url) as ledger:
        ((backend,),) = ledger.database.execute("SELECT pg_backend_pid()")
        with psycopg.connect(postgres_url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (backend,))
        with pytest.raises(LedgerUnavailableError, match="PostgreSQL: "):
            ledger.database.execute_many("SELECT ?::integer", [(1,), (2,)])

    assert [] == caplog.messages
