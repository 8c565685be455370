"""The admin API, over a socket, with real stores."""

from __future__ import annotations

import asyncio
import stat
from contextlib import aclosing, asynccontextmanager

import aiohttp
import orjson
import pytest

from korad.adapters.key_store import open_key_store
from korad.adapters.redis_control import connect_control
from korad.adapters.redis_keys import ShardKeys
from korad.clock import unix_s
from korad.config import ConfigError, load_settings
from korad.domain.secret import Secret
from korad.web.admin import DOCUMENT, AdminServer
from korad.web.admin.fields import KEY_FIELDS, LIMIT_FIELDS, TEAM_FIELDS
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

TOKEN = "the-token-of-the-admin-api"
LIMITS = {"budgets": [{"usd": "50", "reset": "month"}], "requests_per_minute": 60}


@asynccontextmanager
async def admin_api(tmp_path, server, *, listen="127.0.0.1:0"):
    """Yield a function that calls the API and returns (status, JSON)."""
    async with aclosing(await connect_control(server.address)) as redis:
        api = AdminServer(
            listen,
            Secret(TOKEN),
            state_dir=tmp_path,
            open_keys=lambda: open_key_store(tmp_path),
            ledger=None,
            redis=redis,
            shards=1,
        )
        await api.start()
        path = listen.removeprefix("unix:") if listen.startswith("unix:") else None
        connector = aiohttp.UnixConnector(path) if path else None
        base = "http://admin" if path else f"http://127.0.0.1:{api.port}"
        try:
            async with aiohttp.ClientSession(connector=connector) as session:

                async def call(method, target, body=None, *, token=TOKEN):
                    headers = {"Authorization": f"Bearer {token}"} if token else {}
                    data = body if isinstance(body, bytes) or body is None else orjson.dumps(body)
                    async with session.request(
                        method, f"{base}{target}", data=data, headers=headers
                    ) as answer:
                        return answer.status, orjson.loads(await answer.read())

                call.base = base
                yield call
        finally:
            await api.stop()


async def test_a_key_is_made_shown_changed_and_revoked(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        body = {"name": "alice", "limits": LIMITS, "margin": "1.25", "expires_at": "2030-01-01"}
        status, made = await call("POST", "/admin/v1/keys", body)
        assert 201 == status
        with open_key_store(tmp_path) as store:
            key = store.get(made["key"])
            assert (key.key_id, 12_500) == (made["id"], key.margin_bp)
            assert 50_000_000_000 == key.own_limits.budgets[0].limit_nano_usd
        assert "2030-01-01T00:00:00Z" == made["expires_at"]

        changes = {"limits": {"requests_per_minute": None}, "on_limits_unavailable": "closed"}
        status, changed = await call("PATCH", f"/admin/v1/keys/{made['id']}", changes)
        assert (200, None, "closed", "50.00") == (
            status,
            changed["limits"]["requests_per_minute"],
            changed["on_limits_unavailable"],
            changed["limits"]["budgets"][0]["usd"],
        )
        assert not (await call("DELETE", f"/admin/v1/keys/{made['id']}"))[1]["active"]
        status, found = await call("GET", "/admin/v1/keys")
        assert [made["id"]] == [each["id"] for each in found["data"]]
        assert made["key"] not in orjson.dumps(found).decode()

    lines = [
        orjson.loads(line)
        for line in (tmp_path / "admin-trail.jsonl").read_bytes().split(b"\n")
        if line
    ]
    assert ["keys.create", "keys.update", "keys.revoke"] == [
        each["data"]["action"] for each in lines
    ]
    assert changes == lines[1]["data"]["changes"]
    assert {made["id"]} == {each["subject"] for each in lines}
    assert made["key"] not in (tmp_path / "admin-trail.jsonl").read_text()
    assert 0o600 == stat.S_IMODE((tmp_path / "admin-trail.jsonl").stat().st_mode)
    with redis_server.client() as client:
        assert 3 == client.xlen("ka:audit")


async def test_teams_and_customers_and_what_their_budgets_have_left(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        _, acme = await call("POST", "/admin/v1/customers", {"name": "acme"})
        limits = {"budgets": [{"usd": "0.01"}]}
        _, team = await call(
            "POST", "/admin/v1/teams", {"name": "dev", "customer_id": acme["id"], "limits": limits}
        )
        _, key = await call("POST", "/admin/v1/keys", {"name": "bob", "team_id": team["id"]})
        assert (team["id"], acme["id"]) == (key["team_id"], key["customer_id"])
        with redis_server.client() as client:
            client.set(ShardKeys(0).generation, "g:1")
            client.hset(ShardKeys(0).balance, team["id"], 3_000_000)
            client.hset(ShardKeys(0).held, team["id"], 500_000)
        _, left = await call("GET", f"/admin/v1/teams/{team['id']}/budget")
        assert (500_000, 3_000_000, 6_500_000) == (
            left["held_nano_usd"],
            left["budgets"][0]["spent_nano_usd"],
            left["budgets"][0]["left_nano_usd"],
        )
        assert 409 == (await call("POST", "/admin/v1/teams", {"name": "dev"}))[0]
        status, renamed = await call("PATCH", f"/admin/v1/teams/{team['id']}", {"name": "ops"})
        assert (200, "ops") == (status, renamed["name"])
        assert [["ops"], ["acme"]] == [
            [each["name"] for each in (await call("GET", f"/admin/v1/{kind}"))[1]["data"]]
            for kind in ("teams", "customers")
        ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": "x", "levle": "low"}, "levle"),
        ({"name": "x", "level": "most"}, "level"),
        ({"name": 1}, "name"),
        ({"name": "x", "margin": "lots"}, "margin"),
        ({"name": "x", "limits": {"budgets": [{"usd": "-1"}]}}, "budgets.usd"),
        ({"name": "x", "limits": {"budgets": [{"usd": "1"}, {"usd": "2"}]}}, "budgets"),
        ({"name": "x", "limits": {"requests_per_minute": 0}}, "requests_per_minute"),
        ({"name": "x", "allowed_models": ["a b"]}, "allowed_models"),
        ({"name": "x", "expires_at": "soon"}, "expires_at"),
        ({}, "name"),
        ([], "the body"),
        (b"{", "the body"),
    ],
)
async def test_a_wrong_field_is_named(tmp_path, redis_server, body, param):
    async with admin_api(tmp_path, redis_server) as call:
        status, answer = await call("POST", "/admin/v1/keys", body)

    assert (400, param) == (status, answer["error"]["param"])
    assert not (tmp_path / "admin-trail.jsonl").exists()


async def test_nobody_comes_in_without_the_token(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        for token in (None, "", "wrong", TOKEN[:-1], TOKEN + "x"):
            assert 401 == (await call("GET", "/admin/v1/keys", token=token))[0]
        codes = [(await call("GET", "/admin/v1/keys", token="wrong"))[0] for _ in range(8)]
        assert [401] * 5 + [429] * 3 == codes
        assert 200 == (await call("GET", "/admin/v1/keys"))[0]
        assert 200 == (await call("GET", "/livez", token=None))[0]


async def test_a_clients_wrong_tokens_are_its_own(tmp_path, redis_server):
    other = aiohttp.TCPConnector(local_addr=("127.0.0.2", 0))
    async with (
        admin_api(tmp_path, redis_server) as call,
        aiohttp.ClientSession(connector=other) as session,
    ):
        codes = [(await call("GET", "/admin/v1/keys", token="wrong"))[0] for _ in range(11)]
        async with session.get(f"{call.base}/admin/v1/keys") as answer:
            codes.append(answer.status)

    assert [401] * 10 + [429, 401] == codes


async def test_what_is_not_there_and_what_is_too_large(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        for target in ("/nowhere", "/admin/v1/keys/vk_no", "/admin/v1/teams/no", "/admin/v1/usage"):
            assert 404 == (await call("GET", target))[0]
        assert 405 == (await call("PUT", "/admin/v1/keys", {}))[0]
        assert 413 == (await call("POST", "/admin/v1/keys", b" " * 70_000))[0]


async def test_the_document_names_every_route(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        assert (200, DOCUMENT) == await call("GET", "/admin/v1/openapi.json")
        status, made = await call("POST", "/admin/v1/keys", {"name": "x"})

    assert 201 == status
    assert set(made) == set(DOCUMENT["components"]["schemas"]["Key"]["properties"])


async def test_a_unix_socket_is_the_owners_alone(tmp_path, redis_server):
    path = redis_server.socket.with_name("admin.sock")
    async with admin_api(tmp_path, redis_server, listen=f"unix:{path}") as call:
        assert 0o600 == stat.S_IMODE(path.stat().st_mode)
        assert 200 == (await call("GET", "/admin/v1/keys"))[0]


async def test_a_store_that_is_away_is_told_without_a_trace(tmp_path, redis_server):
    async with admin_api(tmp_path, redis_server) as call:
        _, key = await call("POST", "/admin/v1/keys", {"name": "x", "limits": LIMITS})
        redis_server.kill()
        async with asyncio.timeout(20):
            status, answer = await call("GET", f"/admin/v1/keys/{key['id']}/budget")
        assert (503, "store_unavailable") == (status, answer["error"]["code"])
        redis_server.start()
    assert unix_s()


@pytest.mark.parametrize("token", ["", 'token = "env:NOT_SET"', 'token = "plain"'])
def test_it_does_not_start_without_a_token(tmp_path, token):
    file = tmp_path / "korad.toml"
    file.write_text(f'[admin]\nlisten = "127.0.0.1:1"\n{token}\n')

    with pytest.raises(ConfigError, match="admin"):
        load_settings(file, {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"})


def test_the_document_says_what_a_body_may_and_must_have():
    schemas = DOCUMENT["components"]["schemas"]
    bodies = {
        operation["operationId"]: schemas[
            operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].split("/")[-1]
        ]
        for operations in DOCUMENT["paths"].values()
        for operation in operations.values()
        if "requestBody" in operation
    }

    assert [] == DOCUMENT["paths"]["/livez"]["get"]["security"]
    assert {"create_key", "update_key", "create_group", "update_group"} == bodies.keys()
    for name, body in bodies.items():
        assert body["additionalProperties"] is False
        assert (["name"] if name.startswith("create") else None) == body.get("required")
        fields = KEY_FIELDS if name.endswith("key") else TEAM_FIELDS
        assert fields.keys() == body["properties"].keys()
    assert LIMIT_FIELDS.keys() == schemas["Limits"]["properties"].keys()


async def test_what_is_shown_is_what_the_document_says(tmp_path, redis_server):
    schemas = DOCUMENT["components"]["schemas"]
    async with admin_api(tmp_path, redis_server) as call:
        _, made = await call("POST", "/admin/v1/keys", {"name": "a", "limits": LIMITS})
        _, team = await call("POST", "/admin/v1/teams", {"name": "b"})

    assert made.keys() == schemas["Key"]["properties"].keys()
    assert team.keys() == schemas["Group"]["properties"].keys()
    assert made["limits"].keys() == schemas["Limits"]["properties"].keys()
