"""A ledger in PostgreSQL that is away when korad starts: it is booked into once it is there."""

from __future__ import annotations

import asyncio

import pytest

from korad.simulator import Simulator
from tests.support.ledger import postgres_programs, running_postgres
from tests.support.proxy import config_text, served
from tests.support.raw_http import ask, chat, request
from tests.support.redis import free_port

TIMEOUT_S = 30
ANSWERS = 5


@pytest.mark.skipif(postgres_programs() is None, reason="PostgreSQL is not installed")
async def test_a_ledger_that_comes_after_korad_is_booked_into(tmp_path):
    psycopg = pytest.importorskip("psycopg")
    port = free_port()
    environ = {
        "KORAD_LEDGER_URL": f"postgresql://korad@127.0.0.1:{port}/postgres",
        "KORAD_LEDGER_RUN": "on",
    }

    def booked(url: str) -> int:
        with psycopg.connect(url) as connection:
            if connection.execute("SELECT to_regclass('korad.events')").fetchone() == (None,):
                return 0
            return connection.execute("SELECT count(*) FROM korad.events").fetchone()[0]

    async with (
        Simulator() as simulator,
        served(tmp_path, config_text(simulator), environ=environ) as server,
    ):
        for _ in range(ANSWERS):
            assert (await ask(server.port, request(chat()))).status == 200
        with running_postgres(port) as url:
            async with asyncio.timeout(TIMEOUT_S):
                while await asyncio.to_thread(booked, url) < ANSWERS:  # noqa: ASYNC110 - a database
                    await asyncio.sleep(0.1)
            assert await asyncio.to_thread(booked, url) == ANSWERS
            assert await server.end() == 0
    assert server.words.count(b"the ledger cannot be used") == 1
