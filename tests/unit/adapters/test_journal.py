"""The journal: rotation, a full disk, a failing one, and what waits for it."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from korad.adapters import journal as module
from korad.adapters.journal import Journal
from korad.adapters.journal_folder import JournalInUseError, lock_folder, next_epoch
from korad.adapters.recovery import frames_of
from korad.billing.frames import KIND_EVENT, encode_frame, read_segment_header
from korad.domain.event import Producer

PRODUCER = Producer(machine="m0123456789ab", worker=0, epoch=1)
SEGMENT_BYTES = 4_096


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path, PRODUCER, segment_bytes=SEGMENT_BYTES)
    yield opened
    opened.close()


def append(journal, *numbers):
    for number in numbers:
        journal.append((encode_frame(number, 0, KIND_EVENT, b"%d" % number * 50),))


def synced(journal):
    done = threading.Event()
    journal.when_synced(done.set)
    assert done.wait(10)


def until(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def numbers_in(folder):
    """Return the numbers in all segments; the same number again counts once, as for a reader."""
    found = []
    for path in sorted(folder.glob("*.journal")):
        assert PRODUCER == read_segment_header(path.read_bytes())[0]
        found += [
            frame.number for frame in frames_of(path) if not found or frame.number > found[-1]
        ]
    return found


def test_segments_follow_each_other_and_one_is_always_in_reserve(journal, tmp_path):
    for number in range(1, 201):
        append(journal, number)
        until(lambda: journal._reserve >= 0)
    synced(journal)

    assert list(range(1, 201)) == numbers_in(tmp_path)
    assert 2 < len(list(tmp_path.glob("*.journal")))
    assert SEGMENT_BYTES == (tmp_path / "reserve").stat().st_size
    assert journal.bytes_written > 200 * 50


def test_what_is_closed_takes_no_more_disk_than_it_holds(journal, tmp_path):
    append(journal, 1)
    journal.close()

    (path,) = tmp_path.glob("*.journal")
    assert path.stat().st_size < 500
    assert not (tmp_path / "reserve").exists()
    journal._thread.join()
    journal._descriptor = journal._reserve = -1


def test_a_full_disk_is_told_before_the_last_event_has_no_place(journal, tmp_path, monkeypatch):
    def no_space(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "RESERVE_RETRY_S", 0.01)
    monkeypatch.setattr(module, "allocate", no_space)
    number = 0
    while not journal.full:
        append(journal, number := number + 1)
        until(lambda: journal._reserve >= 0 or journal.full)
    # All of the last segment is still there for what is under way.
    room = [number := number + 1 for _ in range(10)]
    append(journal, *room)
    assert list(range(1, number + 1)) == numbers_in(tmp_path)
    # More than there is room for waits, in order, and is written when there is space again.
    waiting = threading.Event()
    journal.when_synced(waiting.set)
    append(journal, *(number := number + 1 for _ in range(60)))
    monkeypatch.undo()
    until(lambda: not journal.full)
    append(journal, number := number + 1)
    until(lambda: not journal._stuck)
    assert waiting.wait(10)

    assert list(range(1, number + 1)) == numbers_in(tmp_path)


def test_after_a_failed_sync_all_that_may_be_lost_is_written_again_elsewhere(
    journal, tmp_path, monkeypatch
):
    append(journal, 1, 2)
    synced(journal)
    real, failed = os.fdatasync, []

    def failing(descriptor):
        if not failed:
            failed.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")
        assert descriptor not in failed
        real(descriptor)

    monkeypatch.setattr(os, "fdatasync", failing)
    append(journal, 3, 4)
    synced(journal)
    append(journal, 5)
    synced(journal)

    first, second = sorted(tmp_path.glob("*.journal"))
    assert [1, 2, 3, 4] == [frame.number for frame in frames_of(first)]
    assert {3, 4, 5} == {frame.number for frame in frames_of(second)} - {1, 2}
    assert 1 == journal.sync_failures


def test_a_write_that_fails_goes_into_another_segment(journal, tmp_path, monkeypatch):
    append(journal, 1)
    real, broken = os.pwrite, journal._descriptor

    def failing(descriptor, data, at):
        if descriptor == broken:
            raise OSError(errno.EIO, "Input/output error")
        return real(descriptor, data, at)

    monkeypatch.setattr(os, "pwrite", failing)
    append(journal, 2, 3)
    synced(journal)

    assert [1, 2, 3] == numbers_in(tmp_path)


def test_an_epoch_is_never_used_twice(tmp_path):
    assert [1, 2] == [next_epoch(tmp_path), next_epoch(tmp_path)]
    (tmp_path / "e00000007-00000001.journal").touch()
    assert 8 == next_epoch(tmp_path)
    (tmp_path / "epoch").unlink()
    assert 8 == next_epoch(tmp_path)


def test_a_folder_has_one_writer(tmp_path):
    held = lock_folder(tmp_path / "w00")
    with pytest.raises(JournalInUseError):
        lock_folder(tmp_path / "w00")
    os.close(held)
    os.close(lock_folder(tmp_path / "w00"))
