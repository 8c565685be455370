"""From a real Redis into the ledger: whatever ends, is lost or comes twice, each event once."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager

import pytest

from korad.adapters.redis_control import connect_control
from korad.cli import main
from korad.ledger import LedgerBooks, LedgerConsumer
from korad.ledger.chain import faults_of
from korad.ledger.consumer import Foreign
from korad.ledger.database import LedgerUnavailableError
from korad.ledger.reports import Period, lines
from korad.ledger.streams import (
    COUNT,
    GROUP,
    ForeignStreamError,
    Streams,
    owner_key,
    stream_key,
)
from tests.support.ledger import NOON_MS, PRODUCER, an_event, apply, payloads_of, sqlite_ledger
from tests.support.redis import redis_binary, redis_cluster, redis_server

__all__ = ["redis_binary", "redis_cluster", "redis_server"]

WAIT_S = 20.0
STREAM = stream_key(0)
ROUNDS = 4


@pytest.fixture
async def redis(redis_server):
    client = await connect_control(redis_server.address)
    yield client
    await client.aclose()


@pytest.fixture
def ledger(tmp_path):
    with sqlite_ledger(tmp_path / "books") as ledger:
        yield ledger


@asynccontextmanager
async def consuming(ledger, redis, shards=1, keep_s=3600.0, care_s=0.05, foreign=Foreign.WAIT):
    consumer = LedgerConsumer(ledger, redis, shards, keep_s, care_s=care_s, foreign=foreign)
    task = asyncio.create_task(consumer.run())
    try:
        yield consumer
    finally:
        consumer.stop()
        await task


async def until(predicate):
    deadline = time.monotonic() + WAIT_S
    while not predicate():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def cared_twice(consumer):
    """Wait until it has looked at what may be trimmed, at least once from the beginning."""
    care, ended = consumer._care, []

    async def noted():
        await care()
        ended.append(care)

    consumer._care = noted
    await until(lambda: len(ended) >= 2)
    consumer._care = care


async def until_booked(folder, count):
    with sqlite_ledger(folder) as ledger:
        await until(lambda: len(booked(ledger)) >= count)


def booked(ledger):
    """Return the numbers in the ledger, in their order."""
    with ledger.lock:
        found = ledger.database.execute("SELECT number FROM events ORDER BY number")
    return [number for (number,) in found]


async def test_events_are_booked_and_counted(redis, ledger):
    await apply(redis, *range(1, 1201))
    async with consuming(ledger, redis) as consumer:
        await until(lambda: consumer.status.booked == 1200)
        await apply(redis, 1201)
        await until(lambda: consumer.status.booked == 1201)
        await until(lambda: consumer.status.lag_events == 0)
        status = consumer.status

    assert [each.encode() for each in payloads_of(ledger)] == [an_event(n) for n in range(1, 1202)]
    assert (status.duplicates, status.malformed, status.error) == (0, 0, None)
    assert ledger.checkpoints() == {(PRODUCER, 0): 1201}
    assert not ledger.holds_lease()


async def test_a_stopped_consumer_books_what_is_there_first(redis, ledger):
    consumer = LedgerConsumer(ledger, redis, 1, 3600.0)
    task = asyncio.create_task(consumer.run())
    await until(lambda: consumer.status.active)
    await apply(redis, *range(1, 2001))
    consumer.stop()
    await task

    assert booked(ledger) == list(range(1, 2001))


async def test_a_consumer_may_end_at_any_point(redis, tmp_path):
    chance = random.Random(7)
    number = 0
    for _ in range(40):
        with sqlite_ledger(tmp_path / "books") as ledger:
            consumer = LedgerConsumer(ledger, redis, 1, 0.0, care_s=0.0)
            task = asyncio.create_task(consumer.run())
            for _ in range(3):
                await apply(redis, *range(number + 1, number + 41))
                number += 40
                await asyncio.sleep(chance.random() * 0.01)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    with sqlite_ledger(tmp_path / "books") as ledger:
        async with consuming(ledger, redis):
            await until(lambda: ledger.checkpoints() == {(PRODUCER, 0): number})

        assert booked(ledger) == list(range(1, number + 1))
        assert faults_of(ledger) == []


async def test_a_consumer_that_is_killed_loses_and_doubles_nothing(redis, redis_server, tmp_path):
    config = tmp_path / "korad.toml"
    config.write_text(
        f'state_dir = "{tmp_path}/books"\n[redis]\nurl = "{redis_server.url}"\n'
        "[ledger]\nstream_keep_s = 0\n"
    )
    number = 0
    for round_number in range(ROUNDS):
        process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own program
            [sys.executable, "-m", "korad", "ledger", "run", "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while b"booking" not in process.stderr.readline():
            assert process.poll() is None
        for _ in range(10 + 7 * round_number):
            await apply(redis, *range(number + 1, number + 101))
            number += 100
            await asyncio.sleep(0.02)
        if round_number == ROUNDS - 1:
            await until_booked(tmp_path / "books", 1)
        process.kill()
        process.wait()
        process.stderr.close()
    with sqlite_ledger(tmp_path / "books") as ledger:
        before = len(booked(ledger))
        async with consuming(ledger, redis):
            await until(lambda: ledger.checkpoints() == {(PRODUCER, 0): number})

        assert 0 < before
        assert booked(ledger) == list(range(1, number + 1))
        assert faults_of(ledger) == []


async def test_a_consumer_that_is_told_to_end_books_what_is_there(redis, redis_server, tmp_path):
    words = ["ledger", "run", "--config", str(tmp_path / "korad.toml")]
    (tmp_path / "korad.toml").write_text(
        f'state_dir = "{tmp_path}/books"\n[redis]\nurl = "{redis_server.url}"\n'
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "korad", *words, stderr=asyncio.subprocess.PIPE
    )
    begun = await process.stderr.readline()
    await apply(redis, *range(1, 1001))
    while not (tmp_path / "books" / "ledger.sqlite3-wal").exists():  # noqa: ASYNC110 - a file
        await asyncio.sleep(0.01)
    await until_booked(tmp_path / "books", 1)
    process.terminate()
    ended = await process.stderr.read()

    assert b"booking events" in begun
    assert await process.wait() == 0
    assert b"booked 1000 events" in ended


async def test_a_second_one_beside_another_says_that_it_waits(
    redis, redis_server, ledger, tmp_path
):
    config = tmp_path / "korad.toml"
    config.write_text(f'state_dir = "{tmp_path}/books"\n[redis]\nurl = "{redis_server.url}"\n')
    async with consuming(ledger, redis):
        await until(ledger.holds_lease)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "korad", "ledger", "run", "--config", str(config)),
            stderr=asyncio.subprocess.PIPE,
        )
        async with asyncio.timeout(WAIT_S):
            waits = await process.stderr.readline()
    try:
        async with asyncio.timeout(WAIT_S):
            begun = await process.stderr.readline()
    finally:
        process.kill()
        await process.communicate()

    assert b"another process books this ledger's events already" in waits
    assert begun == b"korad ledger: booking events; end it with Ctrl-C\n"


async def test_what_comes_again_after_redis_went_back_is_booked_once(
    redis_server, ledger, tmp_path
):
    redis = await connect_control(redis_server.address)
    await redis.config_set("appendfsync", "always")
    await apply(redis, *range(1, 101))
    old = redis_server.copy_data(tmp_path / "old")
    await apply(redis, *range(101, 201))
    async with consuming(ledger, redis) as consumer:
        await until(lambda: consumer.status.booked == 200)
        redis_server.kill()
        redis_server.start(old)
        await until(lambda: consumer.status.error is not None)
        await apply(redis, *range(101, 301))
        await until(lambda: ledger.checkpoints() == {(PRODUCER, 0): 300})
        await until(lambda: consumer.status.error is None)
    await redis.aclose()

    assert booked(ledger) == list(range(1, 301))
    assert sum(line.events for line in lines(ledger, Period())) == 300
    assert consumer.status.conflicts == 0


async def test_an_emptied_redis_or_a_group_that_is_gone_stops_nothing(redis, ledger):
    async with consuming(ledger, redis) as consumer:
        await apply(redis, 1, 2)
        await until(lambda: consumer.status.booked == 2)
        await redis.flushall()
        await apply(redis, 1, 2, 3)
        await until(lambda: consumer.status.booked == 3)
        await redis.xgroup_destroy(STREAM, GROUP)
        await apply(redis, 4)
        await until(lambda: consumer.status.booked == 4)

    assert booked(ledger) == [1, 2, 3, 4]


async def test_what_is_no_event_is_kept_aside(redis, ledger):
    await apply(redis, 1)
    await redis.xadd(STREAM, {"e": b"\xffnonsense\x00"})
    await redis.xadd(STREAM, {"other": "x"})
    await apply(redis, 2)
    async with consuming(ledger, redis) as consumer:
        await until(lambda: consumer.status.booked == 2)

    assert consumer.status.malformed == 2
    assert ledger.alarms() == {"conflicts": 0, "malformed": 2}


async def test_a_second_consumer_waits_for_the_first_to_end(redis, ledger, tmp_path):
    with sqlite_ledger(tmp_path / "books") as other:
        async with consuming(other, redis) as first:
            await until(lambda: first.status.active)
            second = LedgerConsumer(ledger, redis, 1, 3600.0)
            task = asyncio.create_task(second.run())
            await apply(redis, 1)
            await until(lambda: first.status.booked == 1)

            assert not second.status.active
        await until(lambda: second.status.active)
        await apply(redis, 2)
        await until(lambda: second.status.booked == 1)
        second.stop()
        await task

    assert booked(ledger) == [1, 2]


async def test_nothing_is_trimmed_that_another_group_has_not_done_with(redis, ledger):
    await redis.xgroup_create(STREAM, "slow", id="0", mkstream=True)
    await apply(redis, *range(1, 1001))
    got = await redis.xreadgroup("slow", "c", {STREAM: ">"}, count=300)
    ids = [entry_id for entry_id, _ in got[0][1]]
    async with consuming(ledger, redis, keep_s=0.0) as consumer:
        await until(lambda: consumer.status.booked == 1000)
        await cared_twice(consumer)
        kept = [await redis.xlen(STREAM)]
        await redis.xack(STREAM, "slow", *ids[:250])
        await cared_twice(consumer)
        kept.append(await redis.xlen(STREAM))
        first = (await redis.xrange(STREAM, count=1))[0][0]

        assert kept[0] == 1000
        assert 750 <= kept[1] < 1000
        assert first <= ids[250]


async def test_the_stream_keeps_events_for_a_while(redis, ledger):
    await apply(redis, *range(1, 1001))
    async with consuming(ledger, redis, keep_s=3600.0) as consumer:
        await until(lambda: consumer.status.booked == 1000)
        await cared_twice(consumer)
        kept = await redis.xlen(STREAM)
    async with consuming(ledger, redis, keep_s=0.0) as consumer:
        await until(lambda: consumer.status.trimmed >= 900)

    assert kept == 1000


async def test_the_stream_keeps_no_more_than_memory_allows(redis, ledger, monkeypatch):
    monkeypatch.setattr("korad.ledger.streams.KEPT_ENTRIES_MAX", 300)
    for first in range(1, 1001, 100):
        await apply(redis, *range(first, first + 100))
        await asyncio.sleep(0.01)
    async with consuming(ledger, redis, keep_s=3600.0) as consumer:
        await until(lambda: consumer.status.trimmed >= 500)
        kept = await redis.xlen(STREAM)

    # Whole nodes of a stream are trimmed, so there may be a hundred more.
    assert 100 <= kept <= 500
    assert booked(ledger) == list(range(1, 1001))


async def test_a_read_tells_whether_a_stream_may_have_more(redis):
    streams = Streams(redis, 2, "l1")
    each = COUNT // 2
    for shard in streams.shards:
        await streams.make_group(shard)
    await apply(redis, *range(1, each + 2), shards=2)
    await apply(redis, *range(1, each), shard=1, shards=2)
    reads = [(len(await streams.read(block_ms=None)), streams.may_have_more) for _ in range(3)]

    assert reads == [(2 * each - 1, True), (1, False), (0, False)]


@pytest.mark.parametrize("fails", [False, True])
async def test_what_was_taken_in_vain_is_read_again_while_more_comes(
    redis, ledger, monkeypatch, fails
):
    monkeypatch.setattr("korad.ledger.consumer.GATHER_S", 0.5)
    add, refused = ledger.add, []

    def sometimes(entries, now_ms):
        if fails and not refused and any(b'-000000002"' in entry.payload for entry in entries):
            refused.append(1)
            raise LedgerUnavailableError("in the middle of reading again")
        return add(entries, now_ms)

    await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    async with consuming(ledger, redis, keep_s=0) as consumer:
        monkeypatch.setattr(ledger, "add", sometimes)
        await apply(redis, 1)
        await until(lambda: booked(ledger) == [1])
        await apply(redis, 2, 3)
        await redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, noack=True)
        number = 3
        while booked(ledger)[:3] != [1, 2, 3]:
            number += 1
            assert number < 1_000
            await apply(redis, number)
            await asyncio.sleep(0.02)
        await until(lambda: booked(ledger) == list(range(1, number + 1)))

        assert consumer.status.conflicts == 0


async def test_what_a_consumer_took_in_vain_is_read_again(redis, ledger, monkeypatch):
    monkeypatch.setattr("korad.ledger.consumer.GATHER_S", 1.0)
    await redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    await apply(redis, 1, 2, 3)
    await redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, count=2, noack=True)
    async with consuming(ledger, redis) as consumer:
        await until(lambda: booked(ledger) == [1, 2, 3])
        # While this one pauses, another that has lost its lease still reads, and books nothing.
        await apply(redis, 4, 5)
        await redis.xreadgroup(GROUP, "dead", {STREAM: ">"}, noack=True)
        await apply(redis, 6)
        await until(lambda: booked(ledger) == [1, 2, 3, 4, 5, 6])

        assert consumer.status.conflicts == 0


async def test_an_older_copy_of_the_ledger_reads_again_what_it_lacks(redis, tmp_path):
    with sqlite_ledger(tmp_path / "books") as ledger:
        async with consuming(ledger, redis) as consumer:
            await apply(redis, *range(1, 11))
            await until(lambda: consumer.status.booked == 10)
    shutil.copytree(tmp_path / "books", tmp_path / "copy")
    with sqlite_ledger(tmp_path / "books") as ledger:
        async with consuming(ledger, redis) as consumer:
            await apply(redis, *range(11, 21))
            await until(lambda: consumer.status.booked == 10)
    for folder, foreign in (("copy", Foreign.WAIT), ("new", Foreign.TAKE_OVER)):
        with sqlite_ledger(tmp_path / folder) as ledger:
            async with consuming(ledger, redis, foreign=foreign):
                await until(lambda ledger=ledger: booked(ledger) == list(range(1, 21)))


async def test_a_second_ledger_gets_nothing_and_says_so(redis, ledger, tmp_path, caplog):
    async with consuming(ledger, redis) as first:
        await until(lambda: first.status.active)
        with sqlite_ledger(tmp_path / "other") as other:
            async with consuming(other, redis) as second:
                await until(lambda: second.status.error is not None)
                await apply(redis, *range(1, 51))
                await until(lambda: first.status.booked == 50)
                assert not second.status.active
                assert other.take_lease()  # whoever is to take over from the other may
                other.give_back_lease()
            with pytest.raises(ForeignStreamError, match="--take-over"):
                await LedgerConsumer(other, redis, 1, 3600.0, foreign=Foreign.FAIL).run()

            assert booked(other) == []

    assert booked(ledger) == list(range(1, 51))
    assert f"the ledger {ledger.ledger_id} books the events" in caplog.text


async def test_a_ledger_takes_over_and_the_former_one_stops(redis, ledger, tmp_path):
    former = LedgerConsumer(ledger, redis, 1, 3600.0, care_s=0.05, foreign=Foreign.FAIL)
    task = asyncio.create_task(former.run())
    await apply(redis, 1, 2)
    await until(lambda: former.status.booked == 2)
    with sqlite_ledger(tmp_path / "other") as other:
        async with consuming(other, redis, foreign=Foreign.TAKE_OVER):
            with pytest.raises(ForeignStreamError):
                await task
            await apply(redis, 3, 4)
            await until(lambda: booked(other) == [1, 2, 3, 4])

    assert booked(ledger) == [1, 2]


async def test_an_emptied_redis_is_claimed_again(redis, ledger):
    async with consuming(ledger, redis):
        await until(ledger.holds_lease)
        await asyncio.sleep(0.2)
        await redis.flushall()
        deadline = time.monotonic() + WAIT_S
        while await redis.get(owner_key(0)) is None:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.01)

    assert await redis.get(owner_key(0)) == ledger.ledger_id.encode()


def test_the_command_tells_of_another_ledger_and_takes_over_if_told(
    redis_server, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    environ = {"KORAD_REDIS_URL": redis_server.url, "KORAD_REDIS_SHARDS": "2"}
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: environ)
    with redis_server.client() as client:
        client.set(owner_key(1), "l0123456789ab")
    code = main(["ledger", "run", "--state-dir", str(tmp_path / "state")])

    assert code == 1
    assert "the ledger l0123456789ab books the events" in capsys.readouterr().err
    taken = []

    def end():
        with redis_server.client() as client:
            while client.get(owner_key(1)) == b"l0123456789ab":
                time.sleep(0.01)
            taken.append(client.get(owner_key(1)))
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGTERM)

    ender = threading.Thread(target=end)
    ender.start()
    code = main(["ledger", "run", "--take-over", "--state-dir", str(tmp_path / "state")])
    ender.join()

    assert code == 0
    with sqlite_ledger(tmp_path / "state") as ledger:
        assert taken == [ledger.ledger_id.encode()]


async def test_a_database_that_is_locked_is_waited_for(redis, tmp_path, monkeypatch):
    monkeypatch.setattr("korad.adapters.sqlite_file.BUSY_TIMEOUT_S", 0.05)
    await apply(redis, 1, 2)
    with sqlite_ledger(tmp_path / "books") as ledger:
        other = sqlite3.connect(tmp_path / "books" / "ledger.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with consuming(ledger, redis) as consumer:
            await until(lambda: consumer.status.error is not None)
            other.execute("ROLLBACK")
            other.close()
            await until(lambda: consumer.status.booked == 2)
            await until(lambda: consumer.status.error is None)

            assert booked(ledger) == [1, 2]


async def test_a_full_database_is_waited_for(redis, tmp_path):
    with sqlite_ledger(tmp_path / "books") as ledger:
        pages = ledger.database.execute("PRAGMA page_count")[0][0]
        ledger.database.execute(f"PRAGMA max_page_count = {pages + 2}")
        await apply(redis, *range(1, 201))
        async with consuming(ledger, redis) as consumer:
            await until(lambda: consumer.status.error is not None)
            error = consumer.status.error
            with ledger.lock:
                ledger.database.execute("PRAGMA max_page_count = 100000")
            await until(lambda: consumer.status.booked == 200)

        assert "full" in error
        assert faults_of(ledger) == []


async def test_several_shards_are_consumed_together(redis, ledger):
    for shard in range(4):
        await apply(redis, *range(1, 51), shard=shard, shards=4)
    async with consuming(ledger, redis, shards=4) as consumer:
        await until(lambda: consumer.status.booked == 200)

    assert ledger.checkpoints() == {(PRODUCER, shard): 50 for shard in range(4)}


async def test_a_cluster_is_consumed(redis_cluster, ledger):
    redis = await connect_control(redis_cluster.address)
    for shard in range(4):
        await apply(redis, *range(1, 301), shard=shard, shards=4)
    async with consuming(ledger, redis, shards=4, keep_s=0.0) as consumer:
        await until(lambda: consumer.status.booked == 1200)
        await until(lambda: consumer.status.trimmed >= 800)
        error = consumer.status.error
    await redis.aclose()

    assert error is None
    assert ledger.checkpoints() == {(PRODUCER, shard): 300 for shard in range(4)}


async def test_sums_for_redis_are_those_of_its_own_balances(redis, ledger):
    people = {"team_id": "tm_1", "customer_id": "cu_1"}
    await apply(redis, 1, 2)
    await apply(redis, 3, 4, time_ms=NOON_MS + 86_400_000, billed=2**53 + 1, **people)
    async with consuming(ledger, redis) as consumer:
        await until(lambda: consumer.status.booked == 4)
    sums, checkpoints = LedgerBooks(ledger).books(0, NOON_MS + 86_400_000)

    assert checkpoints == {PRODUCER: 4}
    assert set(sums) == {
        "", "2026-11", "2026-11-26", "2026-11-27", "2026-11-26T12", "2026-11-27T12",
    }  # fmt: skip
    for period, entities in sums.items():
        name = f"kb:{{s00}}:bal:{period}" if period else "kb:{s00}:bal"
        told = await redis.hgetall(name)
        assert {entity.decode(): int(nano) for entity, nano in told.items()} == entities
