"""How the bookkeeper comes to its Redis."""

from __future__ import annotations

import asyncio
import logging

import pytest

from korad.adapters.redis_control import RedisUnavailableError
from korad.adapters.redis_url import parse_redis_url
from korad.config import load_settings
from korad.server import bookkeeper
from korad.server.bookkeeper import _Bookkeeper

AWAY = RedisUnavailableError("cannot use Redis: it is not there")
TIMEOUT_S = 10
CLIENT = object()


@pytest.fixture
def came_to(tmp_path, monkeypatch, caplog):
    """Let a bookkeeper connect to a Redis that is away `failures` times.

    Returns the client, how often korad's own server was started, and what was logged.
    """
    settings = load_settings(None, {"KORAD_STATE_DIR": str(tmp_path)})
    address = parse_redis_url("redis://127.0.0.1:1")
    monkeypatch.setattr(bookkeeper, "RETRY_S", 0.001)

    async def connect(failures, *, embedded):
        tries, starts = iter([AWAY] * failures), []

        async def connect_control(_):
            for error in tries:
                raise error
            return CLIENT

        monkeypatch.setattr(bookkeeper, "connect_control", connect_control)
        monkeypatch.setattr(bookkeeper, "ensure_server", starts.append)
        keeper = _Bookkeeper(settings, address, None, embedded=embedded)
        with caplog.at_level(logging.INFO):
            async with asyncio.timeout(TIMEOUT_S):
                client = await keeper._connect()
        return client, len(starts), [(each.levelname, each.message) for each in caplog.records]

    return connect


async def test_korads_own_redis_that_ended_with_the_korad_before_is_no_error(came_to):
    assert await came_to(1, embedded=True) == (CLIENT, 1, [])


@pytest.mark.parametrize(("failures", "embedded"), [(3, True), (2, False)])
async def test_a_redis_that_stays_away_is_told_once(came_to, failures, embedded):
    client, starts, told = await came_to(failures, embedded=embedded)

    assert (client, starts) == (CLIENT, failures if embedded else 0)
    assert told == [("ERROR", f"{AWAY}; events wait in the journal")]
