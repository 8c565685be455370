"""The admin API when its stores, its files or its callers fail it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
import pytest

from korad.adapters.key_store import open_key_store
from korad.adapters.redis_control import connect_control
from korad.domain.secret import Secret
from korad.web.admin import AdminServer
from tests.support.ledger import an_entry, an_event, sqlite_ledger
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]
TOKEN = "t" * 32


@asynccontextmanager
async def running(tmp_path, redis_server, ledger=None, listen="127.0.0.1:0"):
    state = tmp_path / "state"
    state.mkdir(exist_ok=True)
    redis = await connect_control(redis_server.address)
    server = AdminServer(
        listen,
        Secret(TOKEN),
        state_dir=state,
        open_keys=lambda: open_key_store(state),
        ledger=ledger,
        redis=redis,
        shards=1,
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    try:
        await server.start()
        async with aiohttp.ClientSession(
            f"http://127.0.0.1:{server.port}", headers=headers
        ) as http:
            yield http, server, state
    finally:
        await server.stop()
        await redis.aclose()


async def call(http, method, path, body=None):
    async with http.request(method, f"/admin/v1{path}", json=body) as r:
        return r.status, await r.json(
            content_type=None
        ) if "json" in r.content_type else await r.text()


async def test_redis_error_must_not_lose_a_new_secret(tmp_path, redis_server):
    with redis_server.client() as c:
        c.set("ka:audit", "not a stream")  # any error reply: WRONGTYPE, OOM, NOPERM, READONLY
    async with running(tmp_path, redis_server) as (http, _, _):
        status, body = await call(http, "POST", "/keys", {"name": "a"})
        assert status == 201, body


async def test_trail_that_cannot_be_written_refuses_before_the_change(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, state):
        (state / "admin-trail.jsonl").mkdir()
        status, _ = await call(http, "POST", "/keys", {"name": "a"})
        assert status == 503
        _, keys = await call(http, "GET", "/keys")
        assert keys["data"] == []  # a key nobody has the secret of, and no record of it


async def test_emptied_redis_is_not_an_unspent_budget(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        _, key = await call(
            http, "POST", "/keys", {"name": "a", "limits": {"budgets": [{"usd": "5"}]}}
        )
        status, body = await call(http, "GET", f"/keys/{key['id']}/budget")  # no kb:{s00}:gen
        assert status == 503, body


async def test_recent_requests_are_the_newest(tmp_path, redis_server):
    with sqlite_ledger(tmp_path / "books") as ledger:
        ledger.add([an_entry(an_event(n), n) for n in range(1, 6)], 0)
        async with running(tmp_path, redis_server, ledger) as (http, _, _):
            _, body = await call(http, "GET", "/requests?limit=1")
            assert body["data"][0]["data"]["request_id"].endswith("-5")


async def test_a_limit_of_5000_digits_is_400(tmp_path, redis_server):
    with sqlite_ledger(tmp_path / "books") as ledger:
        async with running(tmp_path, redis_server, ledger) as (http, _, _):
            assert (await call(http, "GET", "/requests?limit=" + "9" * 5000))[0] == 400


@pytest.mark.parametrize(
    "query",
    ["since=0001-01-01", "until=0001-01-01", "since=9999-12-31T23:00:00-20:00", "since=1969-12-31"],
)
async def test_odd_moments_are_no_bug(tmp_path, redis_server, query):
    with sqlite_ledger(tmp_path / "books") as ledger:
        ledger.add([an_entry(an_event(1), 1)], 0)
        async with running(tmp_path, redis_server, ledger) as (http, _, _):
            assert (await call(http, "GET", f"/usage?{query}"))[0] == 400


async def test_expiry_in_the_past_is_400(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        assert (await call(http, "POST", "/keys", {"name": "a", "expires_at": "2001-01-01"}))[
            0
        ] == 400


async def test_a_file_that_is_no_socket_is_not_removed(tmp_path, redis_server):
    path = tmp_path / "precious"
    path.write_text("x")
    try:
        async with asyncio.timeout(5):
            async with running(tmp_path, redis_server, listen=f"unix:{path}"):
                pass
    except (OSError, ValueError):
        pass
    assert path.is_file()
    assert path.read_text() == "x"


async def test_a_body_that_never_comes_does_not_hold_up_the_stop(tmp_path, redis_server):
    state = tmp_path / "state"
    state.mkdir()
    redis = await connect_control(redis_server.address)
    server = AdminServer(
        "127.0.0.1:0",
        Secret(TOKEN),
        state_dir=state,
        open_keys=lambda: open_key_store(state),
        ledger=None,
        redis=redis,
        shards=1,
    )
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(
        b"POST /admin/v1/keys HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        + TOKEN.encode()
        + b"\r\nContent-Length: 100\r\n\r\n{"
    )
    await writer.drain()
    await asyncio.sleep(0.2)
    try:
        # The client is still there: whoever waited for its body would wait forever.
        async with asyncio.timeout(30):
            await server.stop()
    finally:
        writer.close()
        await redis.aclose()


async def test_a_wrong_field_of_the_store_is_named(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        status, body = await call(http, "POST", "/keys", {"name": " a"})
        assert (status, body["error"]["param"]) == (400, "name")


async def test_a_usd_of_true_or_a_nano_usd_that_disagrees_is_refused(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        body = {"name": "a", "limits": {"budgets": [{"usd": "1", "nano_usd": 7}]}}
        assert (await call(http, "POST", "/keys", body))[0] == 400


async def test_an_update_of_nothing_is_400(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        _, key = await call(http, "POST", "/keys", {"name": "a"})
        assert (await call(http, "PATCH", f"/keys/{key['id']}", {}))[0] == 400


async def test_one_address_cannot_lock_out_but_guessing_is_limited(tmp_path, redis_server):
    async with running(tmp_path, redis_server) as (http, _, _):
        bad = {"Authorization": "Bearer x"}
        seen = []
        for _ in range(12):
            async with http.get("/admin/v1/keys", headers=bad) as r:
                seen.append(r.status)
        assert seen == [401] * 10 + [429] * 2
        assert (await call(http, "GET", "/keys"))[0] == 200
