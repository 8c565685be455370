"""A key works from the moment it was made, before korad looks for changes in its own time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from korad import app
from korad.adapters.key_store import SqliteKeyStore, open_key_store
from tests.support.proxy import NOW_S, running_proxy
from tests.support.raw_http import RawConnection, ask, chat, request

NEW = "sk-bf-made-a-moment-ago"
ANOTHER = "sk-bf-another-key"
NEVER_MADE = "sk-bf-never-made"


@pytest.fixture(autouse=True)
def _never_in_its_own_time(monkeypatch):
    monkeypatch.setattr(app, "HOUSEKEEPING_S", 3_600)


def make(proxy, secret=NEW):
    with open_key_store(proxy.settings.state_dir) as store:
        store.create(secret.removeprefix("sk-bf-"), now_s=NOW_S, secret=secret)


@pytest.mark.parametrize("fast_lane", ["true", "false"])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_key_works_from_the_moment_it_was_made(tmp_path, fast_lane, stream):
    server = f"access_log = false\nfast_lane = {fast_lane}"
    async with running_proxy(tmp_path, server=server) as proxy:
        make(proxy)

        assert 200 == (await ask(proxy.port, request(chat(stream=stream), key=NEW))).status


async def test_all_that_come_at_once_with_a_new_key_are_served(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        make(proxy)
        answers = await asyncio.gather(
            *(ask(proxy.port, request(chat(), key=NEW)) for _ in range(20))
        )

    assert {200} == {answer.status for answer in answers}


async def test_lists_of_models_and_100_continue_know_it_too(tmp_path):
    async with running_proxy(tmp_path) as proxy:
        make(proxy)
        models = b"GET /v1/models HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer %b\r\n\r\n"
        assert 200 == (await ask(proxy.port, models % NEW.encode())).status

        make(proxy, ANOTHER)
        waiting = request(chat(), key=ANOTHER, lines=("Expect: 100-continue",))
        async with RawConnection(proxy.port) as connection:
            connection.send(waiting)
            assert b"HTTP/1.1 100 Continue\r\n\r\n" == await connection.head()
            assert 200 == (await connection.answer()).status


async def test_a_key_that_was_never_made_is_looked_for_once(tmp_path, monkeypatch):
    looks = []
    version = SqliteKeyStore.version
    monkeypatch.setattr(SqliteKeyStore, "version", lambda self: looks.append(1) or version(self))
    async with running_proxy(tmp_path) as proxy, RawConnection(proxy.port) as connection:
        looks.clear()
        connection.send(request(chat(), key=NEVER_MADE) * 100)
        statuses = [(await connection.answer()).status for _ in range(100)]

    assert [401] * 100 == statuses
    assert 1 == len(looks)


async def test_many_at_once_cost_few_looks(tmp_path, monkeypatch):
    looks = []
    version = SqliteKeyStore.version
    monkeypatch.setattr(SqliteKeyStore, "version", lambda self: looks.append(1) or version(self))
    async with running_proxy(tmp_path) as proxy:
        looks.clear()
        answers = await asyncio.gather(
            *(ask(proxy.port, request(chat(), key=f"sk-bf-{number}")) for number in range(100))
        )

    assert {401} == {answer.status for answer in answers}
    assert 1 <= len(looks) <= 10


async def test_a_client_that_leaves_meanwhile_is_done_with(tmp_path, monkeypatch):
    looked = threading.Event()
    version = SqliteKeyStore.version

    def slow_version(self):
        looked.wait(10)
        return version(self)

    async with running_proxy(tmp_path) as proxy:
        monkeypatch.setattr(SqliteKeyStore, "version", slow_version)
        make(proxy)
        async with asyncio.timeout(5):
            async with RawConnection(proxy.port) as connection:
                connection.send(request(chat(), key=NEW))
                while not proxy.app._shell.inflight:  # noqa: ASYNC110 - a number has no event
                    await asyncio.sleep(0.001)
            while proxy.app._shell.inflight:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        looked.set()

        assert 200 == (await ask(proxy.port, request(chat(), key=NEW))).status
        assert 1 == len(proxy.simulator.requests)
