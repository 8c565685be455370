"""A billing event: built, and framed for the journal."""

from __future__ import annotations

from collections.abc import Iterator

from bench.micro.work import Work
from korad.billing.event_writer import EventWriter, Party
from korad.billing.frames import KIND_EVENT, encode_frame, read_frame
from korad.domain.event import Producer, decode_event
from tests.support.books import MACHINE, record, request_id

_PRODUCER = Producer(machine=MACHINE, worker=0, epoch=1)
_PARTY = Party(
    account="vk_1",
    key_id="vk_1",
    team_id=None,
    customer_id=None,
    provider="openai",
    model="gpt-4o-mini",
)
_EVENT_BYTES = 1_000


def event() -> Iterator[Work]:
    """Build the billing event of a completed exchange."""
    write, ended = EventWriter(_PRODUCER, 1).event, record(1)

    def is_right(found: object) -> bool:
        return isinstance(found, bytes) and decode_event(found).data.request_id == request_id(1)

    yield Work(lambda: write(ended, _PARTY, shard=0, number=1), is_right)


def frame() -> Iterator[Work]:
    """Frame an event of 1,000 bytes: length and checksum."""
    payload = b"x" * _EVENT_BYTES

    def is_right(found: object) -> bool:
        if not isinstance(found, bytes):
            return False
        read = read_frame(found, 0)
        return read is not None and read.payload == payload

    yield Work(lambda: encode_frame(1, 0, KIND_EVENT, payload), is_right)
