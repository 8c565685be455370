"""What a worker writes down: journal and slots."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from bench.micro.work import Work
from korad.adapters.inflight import FLAG_STREAM, Inflight
from korad.adapters.journal import Journal
from korad.billing.frames import KIND_EVENT, encode_frame
from korad.domain.event import Producer
from tests.support.books import MACHINE, STARTED_MS, begin, books_in, finish, request_id

_PRODUCER = Producer(machine=MACHINE, worker=0, epoch=1)
_SEGMENT_BYTES = 64 * 1024 * 1024
_EVENT_BYTES = 1_000
_TURN = 16
"""Events that end in one turn of the event loop."""


def _journal(events: int) -> Iterator[Work]:
    """Append the events of a turn; the thread syncs them meanwhile, as in a worker."""
    made = (encode_frame(1, 0, KIND_EVENT, b"x" * _EVENT_BYTES),) * events
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder), _PRODUCER, segment_bytes=_SEGMENT_BYTES)
        before = journal.bytes_written
        try:
            yield Work(
                lambda: journal.append(made),
                lambda found: found is True and journal.bytes_written >= before + len(made[0]),
                events,
            )
        finally:
            journal.close()


def append_one() -> Iterator[Work]:
    """Append one event of 1,000 bytes to the journal: a turn in which one exchange ends."""
    yield from _journal(1)


def append_turn() -> Iterator[Work]:
    """Append 16 events to the journal in one write; an operation is an event."""
    yield from _journal(_TURN)


def slot() -> Iterator[Work]:
    """Take a slot in the in-flight file and give it back."""
    with tempfile.TemporaryDirectory() as folder:
        slots = Inflight(Path(folder) / "inflight", slots=64, epoch=1)
        name = request_id(1)

        def call() -> int:
            at = slots.open(
                context=1,
                request_id=name,
                client_request_id=None,
                level="medium",
                started_ms=STARTED_MS,
                flags=FLAG_STREAM,
            )
            slots.close(at)
            return slots.in_use

        try:
            yield Work(call, lambda found: found == 0)
        finally:
            slots.shut()


def slot_count() -> Iterator[Work]:
    """Note in a slot how many tokens were passed on: once a piece of a stream."""
    with tempfile.TemporaryDirectory() as folder:
        books = books_in(Path(folder))
        at = begin(books, 1)
        try:
            note = books.counter(at)
            yield Work(lambda: note(7), lambda found: found is None)
        finally:
            books.shut()


def whole() -> Iterator[Work]:
    """Keep the books of one exchange: slot, prompt's count, event, journal, slot."""
    with tempfile.TemporaryDirectory() as folder:
        books = books_in(Path(folder), segment_bytes=_SEGMENT_BYTES)
        numbers = count(1)
        done: list[int] = []

        def call() -> int:
            number = next(numbers)
            at = begin(books, number)
            books.note_prompt(at, 10, 12)
            books.note_sent(at, sent=True)
            finish(books, at, number, then=lambda: done.append(number))
            return done.pop() - number

        try:
            yield Work(call, lambda found: found == 0 and not books.open_slots)
        finally:
            books.shut()
