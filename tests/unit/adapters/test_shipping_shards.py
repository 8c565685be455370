"""One shard that cannot be written, on a node that is away or full: the others go on."""

from __future__ import annotations

import asyncio
from collections import defaultdict

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError, OutOfMemoryError

from korad.adapters import shipping
from korad.adapters.journal_folder import EPOCH_FILE
from korad.adapters.redis_books import Reply, Taken
from korad.adapters.shipping import Shipper
from korad.billing.frames import encode_frame, segment_header
from korad.domain.event import Producer

SHARDS = 3
EACH = 40
PRODUCER = Producer(machine="m0123456789ab", worker=0, epoch=1)
ALL = list(range(1, EACH + 1))


class Nodes:
    """The books of some shards, each on a node of its own."""

    def __init__(self):
        self.taken = defaultdict(list)
        self.away: set[int] = set()
        self.full: set[int] = set()
        self.refused = 0

    async def generation(self, _):
        return "g"

    async def numbers(self, shard):
        await asyncio.sleep(0)
        if shard in self.away:
            raise RedisConnectionError("the node is away")
        return {PRODUCER.name: len(self.taken[shard])}

    async def take(self, _, shard, frames):
        await asyncio.sleep(0)
        if shard in self.away | self.full:
            self.refused += 1
            raise (RedisConnectionError if shard in self.away else OutOfMemoryError)("no")
        taken = self.taken[shard]
        if frames[0].number != len(taken) + 1:
            return Reply(taken=Taken.GAP, last=len(taken))
        taken += [frame.number for frame in frames]
        return Reply(taken=Taken.ALL, last=len(taken))

    async def holds(self, shard):
        if shard in self.away:
            raise RedisConnectionError("the node is away")
        return []


@pytest.fixture
def nodes():
    return Nodes()


@pytest.fixture
def shipper(tmp_path, nodes, monkeypatch):
    """Give the shipper of a journal whose events are of all shards in turn."""
    monkeypatch.setattr(shipping, "COMPARE_S", 0.1)
    monkeypatch.setattr(shipping, "GATHER_S", 0.01)
    monkeypatch.setattr(shipping, "BATCH_FRAMES", 7)
    folder = tmp_path / "journal" / "w00"
    folder.mkdir(parents=True)
    (folder / EPOCH_FILE).write_text("1\n")
    frames = [
        encode_frame(number, shard, 1, b'{"specversion":"1.0"}')
        for number in ALL
        for shard in range(SHARDS)
    ]
    path = folder / "e00000001-00000001.journal"
    path.write_bytes(segment_header(PRODUCER, 1) + b"".join(frames) + bytes(4096))
    made = Shipper(
        tmp_path / "journal",
        nodes,
        machine=PRODUCER.machine,
        shards=SHARDS,
        source=None,
        keep_s=0,
        now_ms=lambda: 1,
    )
    yield made
    made.close()


async def until(holds):
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - another task's state
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("trouble", ["away", "full"])
@pytest.mark.parametrize("shard", range(SHARDS))
async def test_what_one_shard_cannot_take_waits_alone(shipper, nodes, trouble, shard, caplog):
    getattr(nodes, trouble).add(shard)
    others = [each for each in range(SHARDS) if each != shard]
    running = asyncio.create_task(shipper.run())
    try:
        await until(lambda: all(nodes.taken[each] == ALL for each in others))
        assert nodes.taken[shard] == []
        refused = nodes.refused
        if trouble == "full":
            await until(lambda: nodes.refused > refused + 1)
        assert shipper.waiting_since_ms == 1

        getattr(nodes, trouble).clear()
        await until(lambda: nodes.taken[shard] == ALL)
        await until(lambda: shipper.redis_up)
        await until(lambda: shipper.waiting_since_ms is None)
        assert all(nodes.taken[each] == ALL for each in others)
        assert len(caplog.messages) == 1, "it is told once"
    finally:
        shipper.stop()
        await running


async def test_a_shard_that_goes_away_under_way_is_left_out_until_it_is_back(shipper, nodes):
    running = asyncio.create_task(shipper.run())
    try:
        await until(lambda: len(nodes.taken[1]) > 7)
        nodes.away.add(1)
        await until(lambda: nodes.taken[0] == nodes.taken[2] == ALL)
        await until(lambda: not shipper.redis_up)
        asked = nodes.refused
        await asyncio.sleep(0.3)
        assert nodes.refused == asked

        nodes.away.clear()
        await until(lambda: nodes.taken[1] == ALL)
    finally:
        shipper.stop()
        await running


async def test_the_last_shipping_is_not_done_while_a_shard_is_away(shipper, nodes):
    nodes.away.add(2)

    assert not await shipper.drain(0.2)
    assert nodes.taken[0] == nodes.taken[1] == ALL
    nodes.away.clear()
    assert await shipper.drain(20)
    assert nodes.taken[2] == ALL
