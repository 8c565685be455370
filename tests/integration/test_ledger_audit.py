"""`korad audit` and `korad events tail`: from journals through a real Redis to the ledger."""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest

from korad.adapters.embedded_redis import find_running
from korad.adapters.redis_control import connect_control
from korad.billing.frames import (
    KIND_EVENT,
    SEGMENT_HEADER_BYTES,
    encode_frame,
    segment_header,
)
from korad.cli import audit, events
from korad.domain.event import Producer
from korad.ledger import LedgerConsumer
from korad.ledger.streams import owner_key, stream_key
from tests.support.ledger import MACHINE, PRODUCER, an_event, apply, sqlite_ledger
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

VERBS = {"audit": audit, "events": events}


@pytest.fixture
def config(tmp_path, redis_server):
    path = tmp_path / "korad.toml"
    path.write_text(f'state_dir = "{tmp_path}"\n[redis]\nurl = "{redis_server.url}"\nshards = 2\n')
    return path


@pytest.fixture
def korad(config, capfdbinary, monkeypatch):
    monkeypatch.setattr("korad.cli.options.read_environment", dict)

    def run(verb, *words):
        parser = argparse.ArgumentParser(prog="korad")
        VERBS[verb].add_parser(parser.add_subparsers())
        try:
            args = parser.parse_args([verb, *words, "--config", str(config)])
            code = VERBS[verb].run(args)
        except SystemExit as stop:
            code = stop.code
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def in_redis(redis_server, do):
    """Run `do(client)` on an event loop of its own: the verbs bring theirs."""

    async def connected():
        client = await connect_control(redis_server.address)
        try:
            return await do(client)
        finally:
            await client.aclose()

    return asyncio.run(connected())


def write_journal(folder, *numbers, shard=0):
    data = segment_header(Producer(machine=MACHINE, worker=0, epoch=1), 1)
    assert len(data) == SEGMENT_HEADER_BYTES
    for number in numbers:
        payload = an_event(number, shard=shard)
        data += encode_frame(number, shard, KIND_EVENT, payload)
    path = folder / "journal" / "w00" / "e00000001-00000001.journal"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + bytes(1000))
    return path


@asynccontextmanager
async def consuming(folder, redis):
    with sqlite_ledger(folder) as ledger:
        consumer = LedgerConsumer(ledger, redis, 2, 3600.0)
        task = asyncio.create_task(consumer.run())
        while not consumer.status.active:  # noqa: ASYNC110 - it has no event for that
            await asyncio.sleep(0.01)
        yield
        consumer.stop()
        await task


@pytest.fixture
def booked(redis_server, tmp_path):
    """Let ten events pass from a journal into the ledger, and two of the other shard."""
    write_journal(tmp_path, *range(1, 11))

    async def book(redis):
        async with consuming(tmp_path, redis):
            await apply(redis, *range(1, 11), shards=2)
            await apply(redis, 1, 2, shard=1, shards=2, team_id="tm_1", billed=2**53 + 1)
        return tmp_path

    return in_redis(redis_server, book)


def test_books_that_agree(korad, booked):
    assert booked
    code, out, err = korad("audit")
    row = next(line.split() for line in out.splitlines() if line.startswith(PRODUCER))

    assert (code, err) == (0, "")
    assert row[1:9] == ["00", "10", "to", "10", "10", "to", "10", "10"]
    assert "4 balances" in out or "3 balances" in out
    assert out.splitlines()[-1] == "difference 0 nano-USD, 0 missing, 0 double"


def test_the_same_as_json(korad, booked):
    assert booked
    code, out, _ = korad("audit", "--json")
    shown = orjson.loads(out)

    assert code == 0
    assert shown["clean"]
    assert [each["ledger"]["events"] for each in shown["producers"]] == [10, 2]
    assert shown["producers"][1]["ledger"]["billed_nano_usd"] == 2 * (2**53 + 1)


def test_without_a_ledger_the_audit_says_so(korad):
    code, out, err = korad("audit")

    assert (code, out) == (1, "")
    assert "no ledger yet" in err


def test_a_wrong_balance_is_told_to_the_nano(korad, booked, redis_server):
    assert booked
    in_redis(redis_server, lambda redis: redis.hincrby("kb:{s01}:bal", "tm_1", 1))
    code, out, _ = korad("audit")

    assert code == 1
    assert "balance of tm_1, shard 01: 18014398.509481987 USD in Redis, 18014398.509481986" in out
    assert out.splitlines()[-1] == "difference 1 nano-USD, 0 missing, 0 double"


def test_an_event_that_nobody_has_is_missing(korad, booked, redis_server):
    async def lose(redis):
        await apply(redis, 11, 12, shards=2)
        entries = await redis.xrevrange(stream_key(0), count=2)
        await redis.xdel(stream_key(0), entries[1][0])
        async with consuming(booked, redis):
            pass

    in_redis(redis_server, lose)
    code, out, _ = korad("audit", "--wait", "0")

    assert code == 1
    assert f"missing: 1 of {PRODUCER} shard 00: 11" in out
    assert out.splitlines()[-1].endswith(" 1 missing, 0 double")


def test_what_is_not_consumed_or_shipped_yet_is_under_way_and_no_difference(
    korad, booked, redis_server
):
    write_journal(booked, *range(1, 16))
    in_redis(redis_server, lambda redis: apply(redis, 11, 12, 13, shards=2))
    code, out, _ = korad("audit", "--wait", "0.1")

    assert code == 1
    assert "still under way to the ledger: 5;" in out
    assert out.splitlines()[-1] == "difference 0 nano-USD, 0 missing, 0 double"


def test_a_request_that_was_booked_twice_is_double(korad, booked, redis_server):
    async def book(redis):
        async with consuming(booked, redis):
            await apply(redis, 11, shards=2, request_id=f"r-{PRODUCER}-0-1")

    in_redis(redis_server, book)
    code, out, _ = korad("audit")

    assert code == 1
    assert f"booked 2 times: request r-{PRODUCER}-0-1" in out
    assert out.splitlines()[-1] == "difference 0 nano-USD, 0 missing, 1 double"


def test_a_redis_that_another_ledger_books_is_told(korad, booked, redis_server):
    assert booked
    with redis_server.client() as client:
        client.set(owner_key(1), "l0123456789ab")
    code, out, _ = korad("audit")

    assert code == 1
    assert "the ledger l0123456789ab books the events of this Redis" in out


def test_an_emptied_redis_and_a_damaged_journal_are_told(korad, booked, redis_server):
    path = write_journal(booked, *range(1, 4))
    data = bytearray(path.read_bytes())
    data[SEGMENT_HEADER_BYTES + 200] ^= 1
    path.write_bytes(data)
    in_redis(redis_server, lambda redis: redis.flushall())
    code, out, _ = korad("audit", "--wait", "0")

    assert code == 1
    assert "Redis has no books of shard 00: it was emptied" in out
    assert "damaged journal:" in out


def test_entries_kept_aside_and_another_content_are_told(korad, booked, redis_server):
    async def spoil(redis):
        await redis.xadd(stream_key(0), {"e": "nonsense"})
        await redis.xadd(stream_key(0), {"e": an_event(1, billed=7)})
        async with consuming(booked, redis):
            pass

    in_redis(redis_server, spoil)
    code, out, _ = korad("audit")

    assert code == 1
    assert "1 events came with another content than was booked" in out
    assert "1 entries of the stream were no events" in out


def test_the_audit_holds_while_events_come(config, booked, redis_server):
    async def serve(redis):
        number = 10
        async with consuming(booked, redis):
            words = ["-m", "korad", "audit", "--wait", "60", "--config", str(config)]
            process = await asyncio.create_subprocess_exec(
                sys.executable, *words, stdout=subprocess.PIPE
            )
            while process.returncode is None:
                await apply(redis, *range(number + 1, number + 21), shards=2)
                number += 20
                await asyncio.sleep(0.02)
            assert process.stdout is not None
            return process.returncode, (await process.stdout.read()).decode(), number

    code, out, number = in_redis(redis_server, serve)

    assert number > 10
    assert out.splitlines()[-1] == "difference 0 nano-USD, 0 missing, 0 double"
    assert code == 0


def test_tail_prints_the_last_events_of_all_shards(korad, booked):
    assert booked
    code, out, _ = korad("events", "tail", "--count", "3")
    last = [orjson.loads(line)["id"][-13:] for line in out.splitlines()]

    assert code == 0
    assert last == ["s00-000000010", "s01-000000001", "s01-000000002"]
    assert len(korad("events", "tail")[1].splitlines()) == 10


def test_tail_goes_on_after_an_event(korad, booked):
    assert booked
    after = korad("events", "tail", "--since-id", f"{PRODUCER}-s00-000000009", "--count", "9")[1]
    code, _, err = korad("events", "tail", "--since-id", f"{PRODUCER}-s00-000000099")

    assert after.encode().splitlines()[-1] == an_event(2, shard=1, team_id="tm_1", billed=2**53 + 1)
    assert code == 2
    assert "not in the stream" in err
    assert korad("events", "tail", "--since-id", "what")[0] == 2


def test_tail_follows_until_its_reader_leaves(config, booked, redis_server):
    assert booked
    words = ["events", "tail", "--follow", "--count", "1", "--config", str(config)]
    with subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "korad", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        in_redis(redis_server, lambda redis: apply(redis, 11, shards=2))
        lines.append(process.stdout.readline())
        process.stdout.close()
        in_redis(redis_server, lambda redis: apply(redis, 12, shards=2))
        assert process.stderr is not None
        errors = process.stderr.read()
        code = process.wait(20)

    assert lines[1] == an_event(11) + b"\n"
    assert (code, errors) == (141, b"")


def test_with_korad_stopped_its_own_redis_is_started_and_stopped_again(capsys, monkeypatch):
    monkeypatch.setattr("korad.cli.options.read_environment", dict)
    with TemporaryDirectory(prefix="korad-") as folder:
        write_journal(Path(folder), 1, 2)
        sqlite_ledger(Path(folder)).close()
        parser = argparse.ArgumentParser(prog="korad")
        audit.add_parser(parser.add_subparsers())
        code = audit.run(parser.parse_args(["audit", "--wait", "0", "--state-dir", folder]))
        left = find_running(Path(folder))
    out, err = capsys.readouterr()

    assert (code, err, left) == (1, "", None)
    assert "still under way to the ledger: 2;" in out
    assert out.splitlines()[-1] == "difference 0 nano-USD, 0 missing, 0 double"
