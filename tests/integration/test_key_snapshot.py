"""A whole `korad serve` whose keys are in a Redis that is away when it starts."""

from __future__ import annotations

import asyncio

import aiohttp

from korad.adapters.pepper import load_pepper
from korad.adapters.redis_key_store import RedisKeyStore
from korad.simulator import Simulator
from tests.support.proxy import NOW_S, config_text, served
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

TRIES = 400


async def status_of(port, secret):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/v1/models", headers={"x-bf-vk": secret}) as answer,
    ):
        return answer.status


async def test_a_server_starts_without_redis_and_hears_of_a_revoked_key_when_it_is_back(
    tmp_path, redis_server, monkeypatch
):
    monkeypatch.setattr("tests.support.proxy.make_keys", lambda _: None)
    environ = {"KORAD_REDIS_URL": redis_server.url}
    state_dir = tmp_path / "state"
    async with Simulator(now_s=lambda: NOW_S) as simulator:
        text = config_text(simulator)
        with RedisKeyStore(
            redis_server.address, load_pepper(state_dir), state_dir=state_dir
        ) as store:
            secret = store.create("alice", now_s=NOW_S)[1].reveal()
        async with served(tmp_path, text, environ=environ) as server:
            assert 200 == await status_of(server.port, secret)
            assert 0 == await server.end()
        redis_server.stop()
        async with served(tmp_path, text, environ=environ) as server:
            assert 200 == await status_of(server.port, secret)
            assert 401 == await status_of(server.port, "sk-bf-nobody-knows-this-one")
            redis_server.start()
            with RedisKeyStore(
                redis_server.address, load_pepper(state_dir), state_dir=state_dir
            ) as store:
                store.revoke("alice")
            statuses = [200]
            while statuses[-1] == 200 and len(statuses) < TRIES:
                await asyncio.sleep(0.05)
                statuses.append(await status_of(server.port, secret))
            assert 403 == statuses[-1]
            assert 0 == await server.end()

        assert secret[6:] not in (state_dir / "keys.snapshot").read_text()
        assert b"serves the 1 keys" in server.words
