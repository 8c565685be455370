"""What `show` tells of budgets: spent and left now, from the books in Redis."""

from __future__ import annotations

import argparse

import orjson
import pytest

from korad.adapters.redis_keys import ShardKeys
from korad.admission import hour_of, periods, shard_of
from korad.cli import groups, keys
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

SHARDS = 16
NOW_MS = 1_795_694_400_000
"""A noon: no budget may begin anew between what is booked and what is shown."""


@pytest.fixture
def environ(redis_server):
    return {
        "KORAD_REDIS_URL": redis_server.url,
        "KORAD_KEYS_STORE": "local",
        "KORAD_REDIS_SHARDS": str(SHARDS),
    }


@pytest.fixture
def korad(tmp_path, capsys, monkeypatch, environ):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)
    monkeypatch.setattr("korad.cli.spending.unix_ns", lambda: NOW_MS * 1_000_000)

    def run(line):
        words = line.split()
        parser = argparse.ArgumentParser(prog="korad")
        module = keys if words[0] == "keys" else groups
        module.add_parser(parser.add_subparsers())
        args = parser.parse_args([*words, "--state-dir", str(tmp_path / "state")])
        assert 0 == module.run(args)
        out, err = capsys.readouterr()
        assert err == ""
        return orjson.loads(out) if "--json" in words else out

    return run


def spend(server, account, entity, nano_usd, *, held=0):
    """Book an amount for now, as the books do, and one of three years ago."""
    shard = ShardKeys(shard_of(account, SHARDS))
    now = periods(hour_of(NOW_MS))
    with server.client() as client:
        client.set(shard.generation, "g")
        client.hset(shard.sums(""), entity, nano_usd * 10)
        for period in (now.month, now.days[0], now.hours[0]):
            client.hset(shard.sums(period), entity, nano_usd)
        client.hset(shard.sums("2023-11"), entity, 10**15)
        client.hset(shard.held, entity, held)
        client.hset(shard.open, entity, 2)


def test_a_key_shows_what_all_its_budgets_have_left(korad, redis_server):
    acme = korad("customers create --name acme --budget-usd 100 --reset never --json")
    korad("teams create --name dev --customer acme --rpm 9")
    key = korad(
        "keys create --name bob --team dev --budget-usd 5 --reset month --budget-usd 1 --reset 24h "
        "--json"
    )
    spend(redis_server, acme["id"], key["id"], 750_000_001, held=250_000_000)
    spend(redis_server, acme["id"], acme["id"], 2_000_000_000)
    text = korad("keys show bob").splitlines()
    shown = korad("keys show bob --json")

    assert [line for line in text if line.startswith("spent")] == [
        "spent              $0.750000001 of $5/month, $0.25 held, $3.999999999 left",
        "spent              $0.750000001 of $1/24h, $0.25 held, $0 left",
        "spent by customer  $20 of $100 in all, $80 left",
    ]
    assert shown["spending_error"] is None
    assert shown["spending"][0] == {
        "id": key["id"],
        "held_nano_usd": 250_000_000,
        "under_way": 2,
        "budgets": [
            {
                "usd": "5.00",
                "nano_usd": 5_000_000_000,
                "reset": "month",
                "spent_nano_usd": 750_000_001,
                "left_nano_usd": 3_999_999_999,
            },
            {
                "usd": "1.00",
                "nano_usd": 1_000_000_000,
                "reset": "24h",
                "spent_nano_usd": 750_000_001,
                "left_nano_usd": 0,
            },
        ],
    }
    assert [each["id"] for each in shown["spending"]] == [key["id"], acme["id"]]


def test_a_team_shows_what_its_budgets_have_left(korad, redis_server):
    acme = korad("customers create --name acme --json")
    team = korad("teams create --name dev --customer acme --budget-usd 3 --reset day --json")
    spend(redis_server, acme["id"], team["id"], 1_000_000_000)

    assert "spent by team  $1 of $3/day, $2 left\n" in korad("teams show dev")
    shown = korad("teams show dev --json")["spending"]
    assert [each["left_nano_usd"] for each in shown[0]["budgets"]] == [2_000_000_000]
    assert korad("customers show acme --json")["spending"] == []


def test_books_that_have_not_begun_are_told(korad):
    korad("keys create --name bob --budget-usd 3")

    assert "spent           cannot be told: the books in Redis have not begun\n" in korad(
        "keys show bob"
    )


@pytest.mark.parametrize("url", [True, False], ids=["a Redis", "korad's own"])
def test_a_redis_that_is_away_is_told_and_no_failure(korad, redis_server, environ, url):
    korad("keys create --name bob --budget-usd 3")
    redis_server.stop()
    if not url:
        del environ["KORAD_REDIS_URL"]
    shown = korad("keys show bob --json")

    assert shown["spending"] is None
    assert "Redis" in shown["spending_error"]
    assert f"spent           cannot be told: {shown['spending_error']}\n" in korad("keys show bob")
