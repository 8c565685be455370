"""What a worker writes down, and what its successor makes of it after a kill."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from korad.adapters.books_opening import SPARE_SLOTS, adopt_orphans
from korad.adapters.inflight import read_open_slots
from korad.adapters.journal_folder import JournalInUseError
from korad.adapters.recovery import frames_of
from korad.admission import shard_of
from korad.billing.frames import KIND_EVENT, KIND_EVENT_WITH_HOLD
from korad.domain.event import EventStatus
from korad.errors import ServerError
from tests.support.books import (
    DESTINATION,
    KEY,
    MACHINE,
    begin,
    books_in,
    events_in,
    finish,
    request_id,
)


def killed(tmp_path, work):
    """Let a process of its own do `work` with the books, and kill it in the middle."""
    process_id = os.fork()
    if not process_id:
        try:
            work(books_in(tmp_path))
            os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    _, status = os.waitpid(process_id, 0)
    assert -signal.SIGKILL == os.waitstatus_to_exitcode(status)


def test_an_event_says_everything_in_the_documented_shape(tmp_path):
    books = books_in(tmp_path)
    key = replace(KEY, team_id="tm_1", customer_id="cu_1")
    finish(books, begin(books, 1, key=key), 1, key=key)
    books.shut()

    (event,) = events_in(tmp_path)
    assert ("1.0", f"{MACHINE}-w00-e1-s00-000000001") == (event.specversion, event.id)
    assert (f"/korad/{MACHINE}/w00", "cu_1") == (event.source, event.subject)
    assert "2025-11-26T12:00:00.123Z" == event.time
    data = event.data
    assert ("vk_1", "tm_1", "cu_1") == (data.key_id, data.team_id, data.customer_id)
    assert ("openai", "gpt-4o-mini", "chat") == (data.provider, data.request_model, data.operation)
    assert (EventStatus.OK, "provider", 200) == (data.status, data.usage_source, data.http_status)
    assert (10, 5, 12, 2) == (
        data.input_tokens,
        data.output_tokens,
        data.original_input_tokens,
        data.saved_input_tokens,
    )
    assert (40_000, 60_000, 15_000) == (data.cost_nano_usd, data.billed_nano_usd, data.margin_bp)
    assert (DESTINATION.price.price_id, 'up"1', 2, 7) == (
        data.price_id,
        data.upstream_request_id,
        data.ttft_ms,
        data.duration_ms,
    )


def test_numbers_have_no_gap_per_shard_and_begin_anew_with_each_start(tmp_path):
    keys = [replace(KEY, key_id=f"vk_{number}") for number in range(6)]
    for start in (1, 2):
        books = books_in(tmp_path, shards=4)
        for number, key in enumerate(keys * 3):
            finish(books, None, start * 100 + number, key=key)
        books.shut()

    by_shard = {}
    for event in events_in(tmp_path):
        producer, shard, number = event.id.rsplit("-", 2)
        assert f"s{shard_of(event.subject, 4):02d}" == shard
        by_shard.setdefault((producer, shard), []).append(int(number))
    assert {f"{MACHINE}-w00-e1", f"{MACHINE}-w00-e2"} == {producer for producer, _ in by_shard}
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_shard.values())
    assert 36 == sum(len(numbers) for numbers in by_shard.values())


def test_an_event_that_ends_a_hold_is_marked(tmp_path):
    books = books_in(tmp_path)
    finish(books, begin(books, 1, hold=True), 1, hold=True)
    finish(books, begin(books, 2), 2)
    books.shut()

    (path,) = (tmp_path / "journal").glob("w00/e*.journal")
    assert [KIND_EVENT_WITH_HOLD, KIND_EVENT] == [frame.kind for frame in frames_of(path)]


def test_what_was_under_way_at_a_kill_is_told_once_with_what_was_counted(tmp_path):
    def work(books):
        finish(books, begin(books, 1), 1)
        stream = begin(books, 2, client_request_id='mine "2"')
        books.note_sent(stream, sent=True)
        books.note_prompt(stream, 20, 30)
        books.counter(stream)(7)
        whole = begin(books, 3, stream=False, hold=True)
        books.note_sent(whole, sent=True)
        begin(books, 4)

    killed(tmp_path, work)
    books = books_in(tmp_path)
    again = books_in(tmp_path)  # another worker's books meanwhile
    assert (3, 0) == (books.recovered, again.recovered)
    books.shut()
    again.shut()
    once_more = books_in(tmp_path)
    assert 0 == once_more.recovered
    once_more.shut()

    events = {event.data.request_id: event for event in events_in(tmp_path)}
    assert 4 == len(events_in(tmp_path)) == len(events)
    told = events[request_id(2)].data
    assert (EventStatus.INTERRUPTED, "counted", 'mine "2"') == (
        told.status,
        told.usage_source,
        told.client_request_id,
    )
    assert (20, 7, 30, 10) == (
        told.input_tokens,
        told.output_tokens,
        told.original_input_tokens,
        told.saved_input_tokens,
    )
    assert (20 * 2_000 + 7 * 4_000) * 3 // 2 == told.billed_nano_usd
    # Nothing of these was counted: nothing is billed, and their holds end.
    for number in (3, 4):
        data = events[request_id(number)].data
        assert (EventStatus.INTERRUPTED, 0, 0) == (
            data.status,
            data.output_tokens,
            data.billed_nano_usd,
        )


def test_a_kill_between_the_event_and_its_slot_tells_it_once(tmp_path):
    def work(books):
        slot = begin(books, 1)
        finish(books, None, 1)
        assert slot

    killed(tmp_path, work)
    books = books_in(tmp_path)
    assert 0 == books.recovered
    books.shut()

    assert [request_id(1)] == [event.data.request_id for event in events_in(tmp_path)]


def test_a_kill_during_the_recovery_tells_nothing_twice(tmp_path):
    def work(books):
        for number in range(1, 6):
            books.note_sent(begin(books, number), sent=True)

    killed(tmp_path, work)
    folder = tmp_path / "journal" / "w00"
    inflight = (folder / "inflight").read_bytes()
    contexts = {path.name: path.read_bytes() for path in folder.glob("contexts-*")}
    books_in(tmp_path).shut()
    # As if it had been killed with two told: the former files are still there, three not told.
    (folder / "inflight").write_bytes(inflight)
    for name, content in contexts.items():
        (folder / name).write_bytes(content)
    segment = folder / "e00000002-00000001.journal"
    with segment.open("r+b") as file:
        file.truncate(list(frames_of(segment))[1].end)
    books = books_in(tmp_path)
    assert 3 == books.recovered
    books.shut()

    told = [event.data.request_id for event in events_in(tmp_path)]
    assert [request_id(number) for number in range(1, 6)] == sorted(told)


def test_the_books_of_a_worker_without_successor_are_told_by_another_process(tmp_path):
    held = books_in(tmp_path)
    begin(held, 9)

    def work(books):
        books.note_sent(begin(books, 1), sent=True)

    killed(tmp_path, work)
    assert 1 == adopt_orphans(tmp_path / "journal", MACHINE, shards=1, segment_bytes=65_536)
    assert 0 == adopt_orphans(tmp_path / "journal", MACHINE, shards=1, segment_bytes=65_536)
    assert 1 == held.open_slots
    held.shut()

    (event,) = events_in(tmp_path)
    assert f"/korad/{MACHINE}/w01" == event.source


def test_slots_are_used_again_and_run_out(tmp_path):
    books = books_in(tmp_path)
    for number in range(1_000):
        finish(books, begin(books, number), number)
    slots = [begin(books, number, client_request_id="x" * 512) for number in range(8 + SPARE_SLOTS)]
    with pytest.raises(ServerError) as refused:
        begin(books, 1)
    assert (503, "overloaded", len(slots)) == (
        refused.value.status,
        refused.value.code,
        books.open_slots,
    )
    assert len(slots) == len(read_open_slots(books.journal.folder / "inflight")[1])
    books.abandon(slots.pop())
    assert "x" * 512 == read_open_slots(books.journal.folder / "inflight")[1][0].client_request_id
    books.shut()


def test_all_journals_may_be_in_use(tmp_path, monkeypatch):
    monkeypatch.setattr("korad.adapters.books_opening.WORKERS_MAX", 1)
    held = books_in(tmp_path)
    with pytest.raises(JournalInUseError):
        books_in(tmp_path)
    held.shut()


def test_a_torn_inflight_file_is_refused_loudly(tmp_path):
    books_in(tmp_path).shut()
    path = tmp_path / "journal" / "w00" / "inflight"
    path.write_bytes(path.read_bytes()[:40])

    with pytest.raises(ValueError, match="inflight"):
        books_in(tmp_path)
    shutil.rmtree(tmp_path / "journal")


def test_what_ends_in_one_turn_is_written_together_and_only_then_answered(tmp_path, monkeypatch):
    turns, done = [], []
    books = books_in(tmp_path)
    monkeypatch.setattr(books, "_call_soon", turns.append)
    slots = [begin(books, number) for number in range(5)]
    for number, slot in enumerate(slots):
        finish(books, slot, number, then=lambda number=number: done.append(number))
    assert ([], 5, 1) == (done, books.open_slots, len(turns))
    assert [] == events_in(tmp_path)
    turns.pop()()

    assert ([0, 1, 2, 3, 4], 0) == (done, books.open_slots)
    assert 5 == len(events_in(tmp_path))
    books.shut()


def test_an_event_that_cannot_be_encoded_leaves_no_hole_and_is_told_at_the_next_start(
    tmp_path, monkeypatch, caplog
):
    books = books_in(tmp_path)
    real = books._writer.event

    def failing(record, *args, **kwargs):
        if record.request_id == request_id(2):
            raise TypeError
        return real(record, *args, **kwargs)

    monkeypatch.setattr(books, "_writer", SimpleNamespace(event=failing))
    done = []
    for number in (1, 2, 3):
        finish(books, begin(books, number), number, then=lambda: done.append(1))
    assert (3, 1) == (len(done), books.open_slots)
    assert request_id(2) in caplog.text
    books.shut()
    again = books_in(tmp_path)
    assert 1 == again.recovered
    again.shut()

    events = events_in(tmp_path)
    assert [1, 2, 1] == [int(event.id[-9:]) for event in events]
    assert [request_id(1), request_id(3), request_id(2)] == [
        event.data.request_id for event in events
    ]


def test_strict_answers_wait_for_the_disk(tmp_path, monkeypatch):
    synced = threading.Event()
    real = os.fdatasync
    order = []

    def slow(descriptor):
        synced.wait(10)
        real(descriptor)
        order.append("synced")

    monkeypatch.setattr(os, "fdatasync", slow)
    books = books_in(tmp_path, durability="strict")
    answered = threading.Event()
    finish(books, begin(books, 1), 1, then=lambda: (order.append("answered"), answered.set()))
    assert not answered.wait(0.1)
    synced.set()
    assert answered.wait(10)
    assert ["synced", "answered"] == order[:2]
    books.shut()
