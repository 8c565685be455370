"""What a tail tells of a journal: whole prefixes only, whatever has become of the files."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings, strategies as st

from korad.adapters.journal_folder import EPOCH_FILE, lock_folder
from korad.adapters.journal_gathering import gather
from korad.adapters.journal_producers import find_producers
from korad.adapters.journal_tail import READ_BYTES, READ_BYTES_FIRST, Tail
from korad.billing.frames import (
    KIND_EVENT,
    KIND_EVENT_WITH_HOLD,
    PAYLOAD_BYTES_MAX,
    SEGMENT_HEADER_BYTES,
    encode_frame,
    segment_header,
)
from korad.domain.event import Producer

PRODUCER = Producer(machine="m0123456789ab", worker=0, epoch=1)
SHARDS = 3

events = st.lists(
    st.tuples(st.integers(0, SHARDS - 1), st.integers(0, 400)), min_size=1, max_size=40
)


class Written:
    """A journal of some segments, as it was written."""

    def __init__(self, folder: Path, events, per_segment, zeros=4_096):
        self.folder = folder
        folder.mkdir(parents=True)
        (folder / EPOCH_FILE).write_text("1\n")
        self.frames = []
        """(segment, offset, end, shard, number, payload)"""
        numbers = [0] * SHARDS
        for segment, at in enumerate(range(0, len(events), per_segment), 1):
            data = segment_header(PRODUCER, segment)
            for shard, size in events[at : at + per_segment]:
                numbers[shard] += 1
                payload = b'{"specversion":"1.0","n":"' + b"x" * size + b'"}'
                begin = len(data)
                data += encode_frame(numbers[shard], shard, 1, payload)
                self.frames.append((segment, begin, len(data), shard, numbers[shard], payload))
            self.path(segment).write_bytes(data + bytes(zeros))
            self.segments = segment

    def path(self, segment):
        return self.folder / f"e00000001-{segment:08d}.journal"

    def told(self, tail, frames_max=7):
        found = []
        while frames := tail.read(frames_max):
            found += frames
        return found

    def of_shard(self, shard):
        return [(number, payload) for *_, of, number, payload in self.frames if of == shard]


def assert_prefixes(written, found):
    """Each shard's frames are the first of those written; return how many per shard."""
    counts = []
    for shard in range(SHARDS):
        frames = [(frame.number, frame.payload) for frame in found if frame.shard == shard]
        assert frames == written.of_shard(shard)[: len(frames)]
        counts.append(len(frames))
    return counts


@given(events=events, per_segment=st.integers(1, 12), frames_max=st.integers(1, 50))
@settings(deadline=None, max_examples=60)
def test_all_is_told_once_in_order_and_then_the_producer_is_done(events, per_segment, frames_max):
    with TemporaryDirectory() as temporary:
        written = Written(Path(temporary) / "w00", events, per_segment)
        tail = Tail(written.folder, PRODUCER)
        found = written.told(tail, frames_max)

        assert len(written.frames) == sum(assert_prefixes(written, found))
        assert tail.done
        assert tail.damaged is None
        assert [(written.folder, PRODUCER)] == list(find_producers(Path(temporary)))


@given(events=events, per_segment=st.integers(1, 12), data=st.data())
@settings(deadline=None, max_examples=100)
def test_a_tail_cut_off_anywhere_loses_only_what_is_not_whole(events, per_segment, data):
    with TemporaryDirectory() as temporary:
        written = Written(Path(temporary) / "w00", events, per_segment)
        last = written.segments
        ends = [end for segment, _, end, *_ in written.frames if segment == last]
        cut = data.draw(st.integers(SEGMENT_HEADER_BYTES, ends[-1]))
        filled = data.draw(st.booleans())
        whole = written.path(last).read_bytes()
        written.path(last).write_bytes(whole[:cut] + (bytes(len(whole) - cut) if filled else b""))
        tail = Tail(written.folder, PRODUCER)
        found = written.told(tail)

        # A cut through a zero that belongs to a frame leaves it whole: none of these has one.
        lost = sum(end > cut for end in ends)
        assert len(written.frames) - lost == sum(assert_prefixes(written, found))
        assert tail.done
        assert tail.damaged is None


@given(events=events, per_segment=st.integers(1, 12), data=st.data())
@settings(deadline=None, max_examples=200)
def test_a_flipped_bit_never_lets_a_hole_through(events, per_segment, data):
    with TemporaryDirectory() as temporary:
        written = Written(Path(temporary) / "w00", events, per_segment)
        at_frame = data.draw(st.integers(0, len(written.frames) - 1))
        segment, begin, end, shard, number, _ = written.frames[at_frame]
        content = bytearray(written.path(segment).read_bytes())
        content[data.draw(st.integers(begin, end - 1))] ^= 1 << data.draw(st.integers(0, 7))
        written.path(segment).write_bytes(content)
        tail = Tail(written.folder, PRODUCER)
        counts = assert_prefixes(written, written.told(tail))

        assert tail.done
        for other in range(SHARDS):
            intact = number - 1 if other == shard else len(written.of_shard(other))
            assert intact == counts[other]
        assert (number < len(written.of_shard(shard))) == (tail.damaged is not None)


def test_a_frame_that_is_being_written_is_waited_for(tmp_path):
    written = Written(tmp_path / "w00", [(0, 100)] * 3, 3)
    _, begin, end, *_ = written.frames[-1]
    whole = written.path(1).read_bytes()
    descriptor = lock_folder(written.folder)
    with closing(os.fdopen(descriptor)):
        tail = Tail(written.folder, PRODUCER)
        found = []
        for cut in range(begin, end):
            written.path(1).write_bytes(whole[:cut] + bytes(len(whole) - cut))
            found += written.told(tail)
            assert 2 == len(found)
            assert not tail.done
        written.path(1).write_bytes(whole)
        assert [3] == [frame.number for frame in written.told(tail)]
        assert not tail.done
    assert [] == tail.read(10)
    assert tail.done


def test_a_frame_written_again_in_a_later_segment_heals_the_hole(tmp_path):
    written = Written(tmp_path / "w00", [(0, 50)] * 6, 6)
    _, begin, *_ = written.frames[2]
    content = bytearray(written.path(1).read_bytes())
    content[begin + 30] ^= 1
    written.path(1).write_bytes(content)
    again = b"".join(
        encode_frame(number, shard, 1, payload) for *_, shard, number, payload in written.frames[1:]
    )
    written.path(2).write_bytes(segment_header(PRODUCER, 2) + again + bytes(100))
    tail = Tail(written.folder, PRODUCER)

    assert [6, 0, 0] == assert_prefixes(written, written.told(tail))
    assert tail.damaged is None


def test_what_redis_lacks_is_told_again_and_what_it_has_is_not(tmp_path):
    written = Written(tmp_path / "w00", [(n % 2, 20) for n in range(20)], 4)
    tail = Tail(written.folder, PRODUCER)
    assert 20 == len(written.told(tail))
    tail.compare(0, 10)
    tail.compare(1, 3)
    tail.fall_in_step()

    assert list(range(4, 11)) == [frame.number for frame in written.told(tail)]


@pytest.mark.parametrize("damaged", [False, True])
def test_only_what_is_booked_old_and_whole_is_removed(tmp_path, damaged):
    written = Written(tmp_path / "w00", [(0, 20)] * 12, 4)
    if damaged:
        content = bytearray(written.path(3).read_bytes())
        content[SEGMENT_HEADER_BYTES + 40] ^= 1
        written.path(3).write_bytes(content)
    tail = Tail(written.folder, PRODUCER)
    written.told(tail)
    newer = written.path(1).stat().st_mtime - 10

    assert 0 == tail.remove_shipped({0: 12}, newer)
    assert 0 == tail.remove_shipped({0: 3}, newer + 100)
    assert (0 if damaged else 2) == tail.remove_shipped({0: 11}, newer + 100)
    assert damaged == written.path(1).exists()
    assert (0 if damaged else 1) == tail.remove_shipped({0: 12}, newer + 100)
    assert tail.is_empty != damaged


def test_events_longer_than_what_is_read_at_first_are_told(tmp_path):
    longest = PAYLOAD_BYTES_MAX - 30
    sizes = [10, longest, 10, *[READ_BYTES_FIRST] * 12, 10]
    written = Written(tmp_path / "w00", [(0, size) for size in sizes], len(sizes))
    found = written.told(Tail(written.folder, PRODUCER), 100)

    assert sum(sizes) > READ_BYTES
    assert written.of_shard(0) == [(frame.number, frame.payload) for frame in found]


def test_events_wait_for_a_full_batch_or_the_end_of_a_hold(tmp_path):
    folder = tmp_path / "w00"
    folder.mkdir()
    kinds = [KIND_EVENT] * 3 + [KIND_EVENT_WITH_HOLD] + [KIND_EVENT] * 3
    path = folder / "e00000001-00000001.journal"
    path.write_bytes(segment_header(PRODUCER, 1))
    tail, told = Tail(folder, PRODUCER), []
    for number, kind in enumerate(kinds, 1):
        with path.open("ab") as file:
            file.write(encode_frame(number, 0, kind, b"{}"))
        if gather([tail], 3, looks_on=False):
            told.append([frame.number for frame in tail.take_waiting()])

    assert told == [[1, 2, 3], [4], [5, 6, 7]]
    assert tail.take_waiting() == []


def test_what_waited_when_the_numbers_were_compared_is_told_again(tmp_path):
    written = Written(tmp_path / "w00", [(0, 10)] * 5, 5)
    tail = Tail(written.folder, PRODUCER)
    gather([tail], 3, looks_on=False)
    tail.compare(0, 1)
    tail.fall_in_step()
    gather([tail], 10, looks_on=False)

    assert [2, 3, 4, 5] == [frame.number for frame in tail.take_waiting()]


def test_known_producers_are_not_opened(tmp_path):
    written = Written(tmp_path / "w00", [(0, 10)], 1)
    written.path(1).write_bytes(b"what is no header")

    assert [] == list(find_producers(tmp_path, {(written.folder, 1)}))
