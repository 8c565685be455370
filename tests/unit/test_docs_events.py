"""What docs/events.md says is so: its members, its example event, and its program."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import orjson

from korad.domain.event import EVENT_TYPE, SCHEMA_VERSION, Event, EventData, decode_event
from korad.ledger.schema import BOOK, TABLES
from korad.ledger.streams import GROUP, stream_key
from tests.support.ledger import an_event
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text(encoding="utf-8")


def block(language):
    return re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)[1]


def names(struct):
    return [field.encode_name for field in msgspec.structs.fields(struct)]


def test_the_example_is_an_event_with_every_member():
    event = orjson.loads(block("json"))

    assert decode_event(block("json").encode()).data.billed_nano_usd == 787_950
    assert set(event) == set(names(Event))
    assert set(event["data"]) == set(names(EventData))
    assert (event["type"], event["data"]["schema"]) == (EVENT_TYPE, SCHEMA_VERSION)


def test_every_member_is_told():
    told = re.findall(r"^\| `([a-z_.]+)` \|", PAGE, re.MULTILINE)
    members = [*names(Event)[:-1], *(f"data.{name}" for name in names(EventData))]

    assert sorted(set(told) & set(members)) == sorted(members)


def test_every_table_is_told():
    tables = re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", "".join((BOOK, *TABLES)))

    assert [name for name in tables if f"`{name}`" not in PAGE] == []
    assert f"group `{GROUP}`" in PAGE
    assert f"`{stream_key(0)}`" in PAGE


def test_the_program_prints_each_event_once(redis_server, tmp_path):
    program = tmp_path / "reader.py"
    program.write_text(block("python"))
    with redis_server.client() as redis:
        for number in (1, 2, 2, 3):
            redis.xadd(stream_key(0), {"e": an_event(number)})
        done = subprocess.run(  # noqa: S603 - our own interpreter and program
            [sys.executable, program, redis_server.url], capture_output=True, text=True, check=True
        )
        pending = redis.xpending(stream_key(0), "mine")["pending"]

    assert done.stdout.splitlines() == [f"vk_alice {1_500 + number}" for number in (1, 2, 3)]
    assert pending == 0
