"""From journals to a real Redis: whatever is lost, told twice or taken back, the sums agree."""

from __future__ import annotations

import asyncio
import random
import shutil
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from korad.adapters.books_source import BooksUnreachableError, ShardBooks
from korad.adapters.journal_producers import find_producers
from korad.adapters.journal_tail import Tail
from korad.adapters.redis_books import RedisBooks, Taken
from korad.adapters.redis_control import connect_control
from korad.adapters.redis_keys import ShardKeys
from korad.adapters.shipping import Shipper
from korad.admission import shard_of
from korad.billing.frames import KIND_EVENT, Frame
from korad.billing.periods import periods_of
from korad.domain.event import decode_event, parse_event_id
from tests.support.books import KEY, MACHINE, STARTED_MS, begin, books_in, events_in, finish
from tests.support.ledger import NOON_MS, an_event
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

TEAM_KEY = replace(KEY, key_id="vk_2", team_id="tm_1", customer_id="cu_1")


class FakeLedger:
    """A ledger that has booked the events it was given."""

    def __init__(self):
        self.events = {}

    def book(self, events):
        self.events |= {event.id: event for event in events}

    async def books(self, shard, now_ms):
        assert now_ms
        checkpoints = defaultdict(int)
        sums = defaultdict(lambda: defaultdict(int))
        for event in self.events.values():
            event_id = parse_event_id(event.id)
            if event_id.shard == shard:
                checkpoints[event_id.producer] += 1
                for period in periods_of(event.time):
                    for entity in (event.data.key_id, event.data.team_id, event.data.customer_id):
                        if entity is not None:
                            sums[period][entity] += event.data.billed_nano_usd
        return ShardBooks(sums=sums, checkpoints=checkpoints)

    async def checkpoints(self):
        found = defaultdict(int)
        for event_id in map(parse_event_id, self.events):
            found[event_id.producer, event_id.shard] += 1
        return found


@asynccontextmanager
async def shipping(state_dir, server, *, shards=1, source=None, keep_s=3600):
    client = await connect_control(server.address)
    shipper = Shipper(
        state_dir / "journal",
        RedisBooks(client, shards),
        machine=MACHINE,
        shards=shards,
        source=source,
        keep_s=keep_s,
        now_ms=lambda: STARTED_MS,
    )
    try:
        yield shipper
    finally:
        shipper.close()
        await client.aclose()


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - a server has no event to wait for
            await asyncio.sleep(0.01)


def write(state_dir, count, *, shards=1, first=0):
    books = books_in(state_dir, shards=shards)
    for number in range(first, first + count):
        key = TEAM_KEY if number % 3 else KEY
        finish(books, begin(books, number, key=key), number, key=key, completion_tokens=number % 50)
    books.shut()


def in_redis(server, shards=1):
    """Return the events in the streams, and the balances, as one dict each."""
    events, balances = [], defaultdict(dict)
    with server.client() as client:
        for shard in range(shards):
            keys = ShardKeys(shard)
            entries = client.xrange(keys.stream)
            events += [decode_event(fields[b"e"]) for _, fields in entries]
            for event in events:
                for period in periods_of(event.time):
                    found = client.hgetall(keys.sums(period))
                    balances[period] |= {name.decode(): int(held) for name, held in found.items()}
    return events, dict(balances)


def expected(events):
    balances = defaultdict(lambda: defaultdict(int))
    for event in events:
        for period in periods_of(event.time):
            for entity in (event.data.key_id, event.data.team_id, event.data.customer_id):
                if entity is not None:
                    balances[period][entity] += event.data.billed_nano_usd
    return {period: dict(entities) for period, entities in balances.items()}


def assert_books_balance(state_dir, server, shards=1):
    journal = events_in(state_dir)
    events, balances = in_redis(server, shards)
    assert len(journal) == len({event.id for event in events}) == len(events)
    assert {event.id: event for event in journal} == {event.id: event for event in events}
    assert expected(journal) == balances


@pytest.mark.parametrize("shards", [1, 4])
async def test_every_event_arrives_once_and_every_period_has_its_sums(
    tmp_path, redis_server, shards
):
    for start in range(3):
        write(tmp_path, 700, shards=shards, first=1_000 * start)
    async with shipping(tmp_path, redis_server, shards=shards) as shipper:
        assert await shipper.drain(20)
        assert 2_100 == shipper.counts["shipped"]
        assert await shipper.drain(20)
    async with shipping(tmp_path, redis_server, shards=shards) as again:
        assert await again.drain(20)
        assert 0 == again.counts["shipped"]

    assert_books_balance(tmp_path, redis_server, shards)
    with redis_server.client() as client:
        keys = ShardKeys(shard_of(KEY.key_id, shards))
        assert -1 == client.ttl(keys.balance)
        assert all(client.ttl(keys.sums(p)) > 0 for p in periods_of("2025-11-26T12:00:00.1Z")[1:])


async def test_events_are_shipped_while_they_are_written(tmp_path, redis_server):
    books = books_in(tmp_path)
    async with shipping(tmp_path, redis_server) as shipper:
        running = asyncio.create_task(shipper.run())
        for number in range(400):
            finish(books, begin(books, number), number)
            if number % 40 == 0:
                await asyncio.sleep(0.02)
        await until(lambda: shipper.counts["shipped"] == 400)
        shipper.stop()
        await running
    books.shut()

    assert_books_balance(tmp_path, redis_server)


async def test_windows_that_were_taken_are_skipped_and_gaps_refused(tmp_path, redis_server):
    write(tmp_path, 300)
    ((folder, producer),) = find_producers(tmp_path / "journal")
    frames = Tail(folder, producer).read(1_000)
    async with shipping(tmp_path, redis_server) as shipper:
        books = shipper._books
        assert (await books.take(producer.name, 0, frames[:5])).taken is Taken.NO_BOOKS
        await books.begin(0)
        assert (await books.take(producer.name, 0, frames[5:9])).taken is Taken.GAP
        dice, last = random.Random(1), 0
        while last < 300:
            first = dice.randrange(0, last + 1)
            reply = await books.take(producer.name, 0, frames[first : first + 40])
            assert reply.taken is (
                Taken.ALL
                if first == last
                else Taken.BEFORE
                if min(first + 40, 300) <= last
                else Taken.OVERLAP
            )
            last = reply.last

    assert_books_balance(tmp_path, redis_server)


async def test_a_batch_over_several_hours_adds_to_every_period_of_each(redis_server):
    hour_ms = 3_600_000
    moments = [NOON_MS, NOON_MS + 1, NOON_MS + hour_ms, NOON_MS + 24 * hour_ms, NOON_MS - hour_ms]
    moments.append(NOON_MS + 31 * 24 * hour_ms)
    payloads = [
        an_event(n, time_ms=moment, team_id="tm_1" if n % 2 else None)
        for n, moment in enumerate(moments, 1)
    ]
    frames = [
        Frame(number=n, shard=0, kind=KIND_EVENT, payload=payload, end=0)
        for n, payload in enumerate(payloads, 1)
    ]
    client = await connect_control(redis_server.address)
    try:
        books = RedisBooks(client, 1)
        await books.begin(0)
        assert (await books.take("m0123456789ab-w00-e1", 0, frames)).taken is Taken.ALL
        ttls = {
            period: await client.ttl(ShardKeys(0).sums(period))
            for period in ("", "2026-11", "2026-12", "2026-11-27", "2026-11-26T11")
        }
    finally:
        await client.aclose()

    events, balances = in_redis(redis_server)
    assert [decode_event(payload) for payload in payloads] == events
    assert expected(events) == balances
    assert {period: period == "" for period in ttls} == {p: ttl < 0 for p, ttl in ttls.items()}


async def test_sums_of_one_hour_are_sent_once_for_all_of_its_periods():
    sent = []

    class Client:
        async def execute_command(self, *command):
            sent.extend(command)
            return [1, 1]

    frame = Frame(number=1, shard=0, kind=KIND_EVENT, payload=an_event(1), end=0)
    await RedisBooks(Client(), 1).take("m0123456789ab-w00-e1", 0, [frame])

    assert 1 == sent.count("vk_alice")
    assert {ShardKeys(0).sums(period) for period in periods_of("2026-11-26T12")} <= set(sent)


async def test_a_redis_that_went_back_in_time_is_brought_up_to_date(tmp_path, redis_server):
    write(tmp_path, 500)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
        redis_server.stop()
        older = redis_server.copy_data(tmp_path / "older")
        redis_server.start()
        write(tmp_path, 333, first=1_000)
        assert await shipper.drain(20)
        assert 833 == shipper.counts["shipped"]
        redis_server.kill()
        redis_server.start(older)
        write(tmp_path, 20, first=2_000)
        assert await shipper.drain(20)

    assert_books_balance(tmp_path, redis_server)


async def test_a_redis_that_went_back_further_than_the_journals_is_rebuilt(tmp_path, redis_server):
    ledger = FakeLedger()
    write(tmp_path, 20)
    async with shipping(tmp_path, redis_server, source=ledger, keep_s=-1e10) as shipper:
        assert await shipper.drain(20)
        redis_server.stop()
        older = redis_server.copy_data(tmp_path / "older")
        redis_server.start()
        write(tmp_path, 30, first=1_000)
        assert await shipper.drain(20)
        every_event = events_in(tmp_path)
        ledger.book(every_event)
        await shipper._keep_house()
        redis_server.kill()
        redis_server.start(older)
        write(tmp_path, 7, first=2_000)
        assert await shipper.drain(20)
        assert 1 == shipper.counts["rebuilds"]

    assert expected(every_event + events_in(tmp_path)) == in_redis(redis_server)[1]


async def test_an_emptied_redis_is_rebuilt_from_the_ledger(tmp_path, redis_server):
    ledger = FakeLedger()
    write(tmp_path, 400)
    async with shipping(tmp_path, redis_server, source=ledger) as shipper:
        assert await shipper.drain(20)
        ledger.book(events_in(tmp_path))
        write(tmp_path, 50, first=1_000)
        all_events = events_in(tmp_path)
        # What the ledger has is no longer in any journal.
        shutil.rmtree(tmp_path / "journal" / "w00" / "gone", ignore_errors=True)
        (tmp_path / "journal" / "w00" / "e00000001-00000001.journal").unlink()
        for path in (tmp_path / "journal" / "w00").glob("e00000001-*"):
            path.unlink()
        with redis_server.client() as client:
            client.flushall()
        write(tmp_path, 7, first=2_000)
        assert await shipper.drain(20)
        assert 1 == shipper.counts["rebuilds"]

    events, balances = in_redis(redis_server)
    assert expected(all_events + events_in(tmp_path)[-7:]) == balances
    assert 57 == len(events)


async def test_an_emptied_redis_without_a_ledger_takes_nothing(tmp_path, redis_server, caplog):
    write(tmp_path, 10)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
        with redis_server.client() as client:
            client.flushall()
        write(tmp_path, 10, first=100)
        while "ledger.url" not in caplog.text:
            assert not await shipper.drain(0.5)

    assert ([], {}) == in_redis(redis_server)


async def test_redis_may_be_away_and_come_back(tmp_path, redis_server):
    write(tmp_path, 10)
    async with shipping(tmp_path, redis_server) as shipper:
        running = asyncio.create_task(shipper.run())
        await until(lambda: shipper.counts["shipped"] == 10)
        redis_server.kill()
        write(tmp_path, 200, first=100)
        await until(lambda: not shipper.redis_up)
        assert shipper.counts["shipped"] == 10
        redis_server.start()
        await until(lambda: shipper.counts["shipped"] + shipper.counts["duplicates"] >= 210)
        shipper.stop()
        await running

    assert_books_balance(tmp_path, redis_server)


async def test_what_the_ledger_has_is_deleted_after_a_while(tmp_path, redis_server):
    ledger = FakeLedger()
    write(tmp_path, 100)
    async with shipping(tmp_path, redis_server, source=ledger, keep_s=-1e10) as shipper:
        assert await shipper.drain(20)
        await shipper._keep_house()
        assert 0 == shipper.counts["removed_segments"]
        ledger.book(events_in(tmp_path))
        await shipper._keep_house()
        assert 1 < shipper.counts["removed_segments"]

    assert [] == list((tmp_path / "journal").glob("w*/e*.journal"))


async def test_a_ledger_that_is_away_keeps_nothing_up_and_is_told_once(
    tmp_path, redis_server, caplog
):
    async def away():
        raise BooksUnreachableError("the database is away")

    ledger = FakeLedger()
    write(tmp_path, 100)
    async with shipping(tmp_path, redis_server, source=ledger) as shipper:
        assert await shipper.drain(20)
        ledger.checkpoints = away
        for _ in range(3):
            await shipper._keep_house()
        assert shipper.redis_up

    assert 0 == shipper.counts["removed_segments"]
    assert 1 == caplog.text.count("the database is away")


async def test_a_hold_ends_with_its_event_or_with_its_producer(tmp_path, redis_server):
    books = books_in(tmp_path)
    finish(books, begin(books, 1, hold=True), 1, hold=True)
    name = books.producer.name
    keys = ShardKeys(0)
    with redis_server.client() as client:
        ids = [event.data.request_id for event in events_in(tmp_path)]
        client.hset(keys.hold, ids[0], f"{name}|5000|vk_1,tm_1|1")
        client.hset(keys.hold, "req_lost", f"{name}|300|vk_1|1")
        client.hset(keys.hold, "req_other", "mffffffffffff-w00-e1|20|vk_1|1")
        client.hset(keys.held, mapping={"vk_1": 5320, "tm_1": 5000})
        client.hset(keys.open, mapping={"vk_1": 3, "tm_1": 1})
        async with shipping(tmp_path, redis_server) as shipper:
            assert await shipper.drain(20)
            await shipper._keep_house()
            assert {b"vk_1": b"320"} == client.hgetall(keys.held)
            assert {b"vk_1": b"2"} == client.hgetall(keys.open)
            books.shut()
            assert await shipper.drain(20)
            await shipper._keep_house()
        assert {b"req_other"} == set(client.hkeys(keys.hold))
        assert {b"vk_1": b"20"} == client.hgetall(keys.held)
        assert {b"vk_1": b"1"} == client.hgetall(keys.open)


async def test_another_number_of_shards_is_refused(tmp_path, redis_server, caplog):
    write(tmp_path, 5)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
    async with shipping(tmp_path, redis_server, shards=2) as other:
        running = asyncio.create_task(other.run())
        await until(lambda: "begun with 1 shards" in caplog.text)
        other.stop()
        await running
