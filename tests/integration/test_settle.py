"""What must never happen between journals and Redis: holes shipped over, books rebuilt in turns."""

from __future__ import annotations

import random
import re
from contextlib import asynccontextmanager

import pytest

from korad.adapters.redis_books import RedisBooks
from korad.adapters.redis_control import RedisUnavailableError, connect_control
from korad.adapters.redis_keys import ShardKeys
from korad.adapters.shipping import Shipper
from korad.billing.frames import SEGMENT_HEADER_BYTES, encode_frame, read_frame
from korad.domain.event import decode_event, parse_event_id
from tests.integration.test_shipping import FakeLedger, expected, in_redis, write
from tests.support.books import MACHINE, STARTED_MS, begin, books_in, events_in, finish
from tests.support.redis import redis_server, server_binaries

__all__ = ["redis_server"]
HUGE = 2**53 + 1
"""The first amount that a Lua number does not tell from its neighbour."""
OTHER_MACHINE = "mffffffffffff"


@pytest.fixture(params=sorted(server_binaries().values()) or [""])
def redis_binary(request):
    if not request.param:
        pytest.skip("needs a Redis server")
    return request.param


@asynccontextmanager
async def shipping(state_dir, server, *, source=None, machine=MACHINE, keep_s=3600, shards=1):
    client = await connect_control(server.address)
    shipper = Shipper(
        state_dir / "journal",
        RedisBooks(client, shards),
        machine=machine,
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


def segments(state_dir):
    return sorted((state_dir / "journal").glob("w*/e*.journal"))


def offsets(path):
    data = path.read_bytes()
    at, found = SEGMENT_HEADER_BYTES, []
    while (frame := read_frame(data, at)) is not None:
        found.append((at, frame))
        at = frame.end
    return found


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def assert_only_up_to(server, number):
    """Nothing is taken but events 1 to `number`, and the sums are theirs."""
    events, balances = in_redis(server)
    assert list(range(1, number + 1)) == [parse_event_id(event.id).number for event in events]
    assert expected(events) == balances
    with server.client() as client:
        assert [str(number).encode()] == client.hvals(ShardKeys(0).sequence)


@pytest.mark.parametrize("damage", ["flipped", "zeroed", "last of a segment", "cut off"])
async def test_a_hole_is_never_shipped_over(tmp_path, redis_server, damage):
    write(tmp_path, 150)
    path = segments(tmp_path)[0]
    frames = offsets(path)
    place = len(frames) - 1 if damage in ("last of a segment", "cut off") else 30
    at, frame = frames[place]
    if damage == "zeroed":
        data = bytearray(path.read_bytes())
        data[at : frame.end] = bytes(frame.end - at)
        path.write_bytes(data)
    elif damage == "cut off":
        path.write_bytes(path.read_bytes()[: frame.end - 5])
    else:
        flip(path, at + 40)

    async with shipping(tmp_path, redis_server, source=FakeLedger()) as shipper:
        assert await shipper.drain(20)
        assert await shipper.drain(20)
        assert_only_up_to(redis_server, place)
        assert shipper.damaged
        # What stands before the hole comes back whenever Redis loses it.
        with redis_server.client() as client:
            client.flushall()
        assert await shipper.drain(20)
        assert await shipper.drain(20)
        assert_only_up_to(redis_server, place)
    assert 150 > place
    with redis_server.client() as client:
        assert place == client.xlen(ShardKeys(0).stream)


async def test_a_damaged_journal_is_kept_whatever_the_ledger_has(tmp_path, redis_server):
    ledger = FakeLedger()
    write(tmp_path, 150)
    path = segments(tmp_path)[0]
    flip(path, offsets(path)[30][0] + 40)
    ledger.book(events_in_front(path))
    async with shipping(tmp_path, redis_server, source=ledger, keep_s=-1e10) as shipper:
        assert await shipper.drain(20)
        with redis_server.client() as client:
            client.flushall()
        assert await shipper.drain(20)
        await shipper._keep_house()
        assert 0 == shipper.counts["removed_segments"]
    assert path.exists()


def events_in_front(path):
    data, at, found = path.read_bytes(), SEGMENT_HEADER_BYTES, []
    while len(found) < 30:
        frame = read_frame(data, at)
        found.append(decode_event(frame.payload))
        at = frame.end
    return found


async def test_two_machines_rebuild_an_emptied_redis_once(tmp_path, redis_server):
    ledger = FakeLedger()
    one, two = tmp_path / "one", tmp_path / "two"
    write(one, 20)
    write(two, 20)
    async with (
        shipping(one, redis_server, source=ledger) as first,
        shipping(two, redis_server, source=ledger, machine=OTHER_MACHINE) as second,
    ):
        assert await first.drain(20)
        assert await second.drain(20)
        with redis_server.client() as client:
            client.flushall()
        for _ in range(4):
            assert await first.drain(20)
            assert await second.drain(20)
        assert 1 == first.counts["rebuilds"] + second.counts["rebuilds"]


async def test_events_that_the_journal_no_longer_has_are_asked_of_the_ledger_each_time(
    tmp_path, redis_server
):
    ledger = FakeLedger()
    books = books_in(tmp_path, segment_bytes=8_192)
    all_events = {}

    def more(first):
        for number in range(first, first + 60):
            finish(books, begin(books, number), number)
        all_events.update({event.id: event for event in events_in(tmp_path)})

    more(0)
    async with shipping(tmp_path, redis_server, source=ledger) as shipper:
        assert await shipper.drain(20)
        for turn in range(1, 3):
            redis_server.stop()
            older = redis_server.copy_data(tmp_path / f"older{turn}")
            redis_server.start()
            more(turn * 1_000)
            assert await shipper.drain(20)
            ledger.book(all_events.values())
            for path in segments(tmp_path)[:-1]:
                path.unlink()
            redis_server.kill()
            redis_server.start(older)
            more(turn * 1_000 + 500)
            assert await shipper.drain(20)
            _, balances = in_redis(redis_server)
            assert expected(all_events.values()) == balances
        assert [] == shipper.damaged
        assert 2 == shipper.counts["rebuilds"]
    books.shut()


async def test_a_hold_of_a_worker_that_has_just_begun_stands(tmp_path, redis_server):
    write(tmp_path, 3)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
        books = books_in(tmp_path)  # after the shipper has looked around
        with redis_server.client() as client:
            client.hset(ShardKeys(0).hold, "req_1", f"{books.producer.name}|300|vk_1|1")
            await shipper._keep_house()
            assert client.hexists(ShardKeys(0).hold, "req_1")
        books.shut()


@pytest.mark.parametrize("seed", range(3))
async def test_any_order_of_accidents_ends_in_equal_sums(tmp_path, redis_server, seed):
    """Writes, older copies, kills, emptied Redis, a ledger that lags: the sums agree in the end."""
    dice, ledger, written, copies = random.Random(seed), FakeLedger(), 0, 0
    older = None
    async with shipping(tmp_path, redis_server, source=ledger) as shipper:
        for _ in range(12):
            write(tmp_path, dice.randrange(1, 120), first=written)
            written += 1_000
            what = dice.choice(["nothing", "copy", "back", "flush", "book", "kill"])
            if what == "copy":
                redis_server.stop()
                older = redis_server.copy_data(tmp_path / f"copy{copies}")
                copies += 1
                redis_server.start()
            elif what == "back" and older is not None:
                redis_server.kill()
                redis_server.start(older)
                older = None
            elif what == "flush":
                with redis_server.client() as client:
                    client.flushall()
            elif what == "book":
                ledger.book(in_redis(redis_server)[0])
            elif what == "kill":
                redis_server.kill()
                redis_server.start()
            assert await shipper.drain(20)
    events, balances = in_redis(redis_server)
    journal = events_in(tmp_path)
    assert expected(journal) == balances
    assert {event.id for event in journal} == {event.id for event in events} | set(ledger.events)


@pytest.mark.parametrize("seed", range(2))
async def test_a_lost_command_or_reply_bills_nothing_twice(tmp_path, redis_server, seed):
    dice = random.Random(seed)
    write(tmp_path, 900)
    async with shipping(tmp_path, redis_server) as shipper:
        run = shipper._books._scripts.run

        async def lossy(name, keys, args):
            before, after = dice.random() < 0.3, dice.random() < 0.3
            if before:
                raise RedisUnavailableError("lost on the way there")
            reply = await run(name, keys, args)
            if after:
                raise RedisUnavailableError("lost on the way back")
            return reply

        shipper._books._scripts.run = lossy
        assert await shipper.drain(30)
    events, balances = in_redis(redis_server)
    assert 900 == len(events)
    assert expected(events_in(tmp_path)) == balances


async def test_amounts_no_double_can_hold_are_exact(tmp_path, redis_server):
    write(tmp_path, 9)
    for path in segments(tmp_path):
        data = path.read_bytes()[:SEGMENT_HEADER_BYTES]
        for _, frame in offsets(path):
            payload = re.sub(rb'("billed_nano_usd":)\d+', rb"\g<1>%d" % HUGE, frame.payload)
            data += encode_frame(frame.number, frame.shard, frame.kind, payload)
        path.write_bytes(data)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
    _, balances = in_redis(redis_server)

    assert 9 * HUGE == balances[""]["vk_1"] + balances[""]["vk_2"]


async def test_an_intact_frame_that_is_no_event_stops_its_shard_and_nothing_else(
    tmp_path, redis_server
):
    write(tmp_path, 5)
    (path,) = segments(tmp_path)
    *_, (_, last) = offsets(path)
    strange = encode_frame(6, 0, 1, b'{"specversion":"9"}') + encode_frame(7, 0, 1, last.payload)
    path.write_bytes(path.read_bytes()[: last.end] + strange)
    write(tmp_path, 5, first=100)
    async with shipping(tmp_path, redis_server) as shipper:
        assert await shipper.drain(20)
        assert 1 == len(shipper.damaged)
    events, balances = in_redis(redis_server)

    assert 10 == len(events)
    assert expected(events) == balances
