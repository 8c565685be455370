"""`korad teams`, `korad customers`, and keys that belong to them, in both stores."""

from __future__ import annotations

import argparse

import orjson
import pytest

from korad.cli import groups, keys
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]


@pytest.fixture
def environ():
    return {}


@pytest.fixture
def korad(tmp_path, capsys, monkeypatch, environ):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "state").mkdir()
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)

    def run(line):
        words = line.split()
        parser = argparse.ArgumentParser(prog="korad")
        module = keys if words[0] == "keys" else groups
        module.add_parser(parser.add_subparsers())
        try:
            args = parser.parse_args([*words, "--state-dir", str(tmp_path / "state")])
            code = module.run(args)
        except SystemExit as stop:
            code = stop.code
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def shown(korad):
    def run(line):
        code, out, err = korad(f"{line} --json")
        assert (code, err) == (0, "")
        return orjson.loads(out)

    return run


def test_a_key_shows_what_its_team_and_customer_limit(korad, shown):
    acme = shown("customers create --name acme --budget-usd 1000.000000001 --reset month")
    dev = shown("teams create --name dev --customer acme --rpm 600")
    key = shown(
        "keys create --name alice --team dev --budget-usd 50 --reset month --budget-usd 5 "
        "--reset day --concurrency 4 --on-limits-unavailable closed"
    )

    assert key["key"].startswith("sk-bf-")
    assert (key["team_id"], key["customer_id"]) == (dev["id"], acme["id"])
    assert dev["customer_id"] == acme["id"]
    assert acme["limits"]["budgets"] == [
        {"usd": "1000.000000001", "nano_usd": 1_000_000_000_001, "reset": "month"}
    ]
    assert [each["reset"] for each in key["limits"]["budgets"]] == ["month", "day"]
    entities = [each["entity"] for each in key["effective_limits"]]
    assert entities == [key["id"], dev["id"], acme["id"]]
    assert key["on_limits_unavailable"] == "closed"
    text = korad("keys show alice")[1]
    assert "\nlimits           $50/month, $5/day, 4 at once\n" in text
    assert "\nof its team      600 rpm\n" in text
    assert "\nof its customer  $1000.000000001/month\n" in text


def test_a_change_of_a_team_shows_at_its_keys(korad, shown):
    shown("teams create --name dev")
    shown("keys create --name alice --team dev")
    korad("teams update dev --rpm 5 --name ops")

    assert shown("keys show alice")["effective_limits"][0]["requests_per_minute"] == 5
    assert shown("teams show ops")["limits"]["requests_per_minute"] == 5
    assert shown("teams update ops --rpm none")["limits"]["requests_per_minute"] is None
    assert shown("keys update alice --team none")["team_id"] is None


def test_limits_of_a_key_are_cleared_one_by_one(shown):
    shown("keys create --name alice --budget-usd 5 --rpm 7 --tpm 8")
    changed = shown("keys update alice --budget-usd none --tpm none")

    assert changed["limits"]["budgets"] == []
    assert changed["limits"]["requests_per_minute"] == 7
    assert changed["limits"]["tokens_per_minute"] is None


def test_lists_are_tables_and_tell_what_to_do_when_empty(korad, shown):
    assert "korad teams create" in korad("teams list")[1]
    shown("customers create --name acme --tpm 9")
    team = shown("teams create --name dev --customer acme")
    head, row = korad("teams list")[1].splitlines()

    assert head.split() == ["ID", "NAME", "CUSTOMER", "LIMITS"]
    assert row.split()[:2] == [team["id"], "dev"]
    assert korad("customers list")[1].splitlines()[1].endswith("9 tpm")
    assert [each["id"] for each in shown("teams list")] == [team["id"]]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("teams show nobody", 1),
        ("teams update nobody --rpm 1", 1),
        ("keys create --name a --team nobody", 1),
        ("keys create --name a --customer nobody", 1),
        ("teams create --name a --customer nobody", 1),
        ("teams create --name none", 2),
        ("teams create", 2),
        ("teams update nobody", 2),
        ("customers create --name a --customer b", 2),
        ("teams create --name a --budget-usd x", 2),
        ("teams create --name a --reset day", 2),
        ("keys create --name a --rpm 0", 2),
        ("keys create --name a --on-limits-unavailable maybe", 2),
        ("keys import-local", 2),
    ],
)
def test_what_cannot_be_done_is_an_exit_code_and_a_line(korad, shown, line, expected):
    code, out, err = korad(line)

    assert (code, out) == (expected, "")
    assert err
    assert shown("keys list") == shown("teams list") == shown("customers list") == []


def test_keys_are_in_redis_where_a_url_is_given_and_local_ones_are_imported(
    korad, shown, environ, redis_server
):
    shown("teams create --name dev")
    local = shown("keys create --name alice --team dev")
    environ["KORAD_REDIS_URL"] = redis_server.url
    assert shown("keys list") == []
    assert shown("keys import-local") == {"imported": 1}
    assert shown("keys import-local") == {"imported": 0}
    assert shown(f"keys show {local['key']}")["id"] == local["id"]
    shown("keys create --name bob --team dev")
    environ["KORAD_KEYS_STORE"] = "local"

    assert [each["name"] for each in shown("keys list")] == ["alice"]
    environ["KORAD_KEYS_STORE"] = "redis"
    redis_server.stop()
    code, out, err = korad("keys list")
    assert (code, out) == (1, "")
    assert "cannot use the keys in Redis" in err


@pytest.mark.parametrize("noun", ["teams", "customers"])
def test_what_makes_no_group_makes_no_state_folder(korad, tmp_path, noun):
    (tmp_path / "state").rmdir()
    for verb, exit_code in (("list", 0), ("show dev", 2), ("update dev --rpm 1", 2)):
        code, out, err = korad(f"{noun} {verb}")

        assert (code, out) == (exit_code, "")
        assert err.startswith(f"korad {noun}: there is no state folder {tmp_path / 'state'}")
    assert list(tmp_path.iterdir()) == []


def test_redis_without_a_server_is_told(korad, environ):
    environ["KORAD_KEYS_STORE"] = "redis"
    code, _, err = korad("keys list")

    assert code == 1
    assert "redis.url" in err
