"""Going back to where Redis is: no further than to the segment that it has not all of."""

from __future__ import annotations

import pytest

from korad.adapters.journal_folder import EPOCH_FILE
from korad.adapters.journal_tail import Tail
from korad.billing.frames import encode_frame, segment_header
from korad.domain.event import Producer

PRODUCER = Producer(machine="m0123456789ab", worker=0, epoch=1)


def path_of(folder, segment):
    return folder / f"e00000001-{segment:08d}.journal"


@pytest.fixture
def tail(tmp_path):
    """Give the tail of three segments of four events, of two shards in turn, all of them read."""
    (tmp_path / EPOCH_FILE).write_text("1\n")
    frames = [encode_frame(1 + n // 2, n % 2, 1, b'{"specversion":"1.0"}') for n in range(12)]
    for segment in (1, 2, 3):
        content = b"".join(frames[4 * segment - 4 : 4 * segment])
        path_of(tmp_path, segment).write_bytes(segment_header(PRODUCER, segment) + content)
    tail = Tail(tmp_path, PRODUCER)
    assert len(told(tail)) == 12
    return tail


def told(tail):
    found = []
    while frames := tail.read(100):
        found += [(frame.shard, frame.number) for frame in frames]
    return found


def go_back(tail, *taken):
    for shard, number in enumerate(taken):
        tail.compare(shard, number)
    tail.fall_in_step()


@pytest.mark.parametrize(
    ("taken", "spoiled"), [((2, 2), 1), ((3, 2), 1), ((5, 4), 2), ((1, 6), 0), ((0, 0), 0)]
)
def test_segments_that_redis_has_all_of_are_not_read_again(tail, taken, spoiled):
    for segment in range(1, spoiled + 1):
        path_of(tail.folder, segment).write_bytes(b"what is no journal")

    go_back(tail, *taken)

    lacking = [(shard, n) for n in range(1, 7) for shard in (0, 1) if n > taken[shard]]
    assert told(tail) == lacking
    assert tail.damaged is None
    assert tail.done


def test_it_goes_back_further_when_redis_does(tail):
    go_back(tail, 6, 6)
    assert told(tail) == []
    go_back(tail, 5, 5)
    assert told(tail) == [(0, 6), (1, 6)]
    go_back(tail, 0, 6)
    assert told(tail) == [(0, n) for n in range(1, 7)]


def test_a_hole_behind_what_is_left_out_is_still_one(tail):
    path_of(tail.folder, 2).write_bytes(segment_header(PRODUCER, 2))

    go_back(tail, 2, 2)

    assert told(tail) == []
    assert "5 follows 2 of shard" in tail.damaged
