"""From an entry of the stream to a row of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from korad.domain.event import EVENT_TYPE, SCHEMA_VERSION, Event, decode_event, parse_event_id
from korad.domain.value import value

NUMBER_MAX = 2**63 - 1
"""Largest integer of both databases."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@value
class StreamEntry:
    """One entry as Redis gave it."""

    shard: int
    stream_id: str
    payload: bytes | None
    """The field "e", or None where the entry has no such field."""


class Row(NamedTuple):
    """One event as a row of the table `events`, less its place in the order of booking."""

    event_id: str
    producer: str
    shard: int
    number: int
    time_ms: int
    subject: str | None
    key_id: str | None
    team_id: str | None
    customer_id: str | None
    provider: str
    model: str
    status: str
    usage_source: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    saved_tokens: int
    cost_nano_usd: int
    billed_nano_usd: int
    savings_nano_usd: int
    request_id: str
    client_request_id: str | None
    payload: str


def read_row(payload: bytes, shard: int) -> Row:
    """Return the row of an event that stands in the stream of `shard`.

    Raises ValueError, in words, for what is not a billing event that this version can book.
    """
    event = decode_event(payload)
    place = parse_event_id(event.id)
    if event.type != EVENT_TYPE or event.data.schema != SCHEMA_VERSION:
        raise ValueError(f"an event of type {event.type[:80]!r}, schema {event.data.schema}")
    if event.id != f"{place.producer}-s{place.shard:02d}-{place.number:09d}" or place.number < 1:
        raise ValueError(f"not an event id: {event.id[:80]!r}")
    if place.shard != shard:
        raise ValueError(f"an event of shard {place.shard} in the stream of shard {shard}")
    row = _row(event, payload)
    for name, figure in zip(row._fields, row, strict=True):
        # Savings may be negative; nothing else may.
        least = -NUMBER_MAX if name == "savings_nano_usd" else 0
        if isinstance(figure, int) and not least <= figure <= NUMBER_MAX:
            raise ValueError(f"{name} is out of range: {figure}")
    return row


def milliseconds(time: str) -> int:
    """Return an RFC 3339 time as Unix milliseconds. Raises ValueError."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {time[:40]!r}")
    return (moment - _EPOCH) // _MILLISECOND


def day_of(time_ms: int) -> str:
    """Return the UTC day of Unix milliseconds: "2026-11-26"."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%d")


def _row(event: Event, payload: bytes) -> Row:
    place, data = parse_event_id(event.id), event.data
    return Row(
        event_id=_clean(event.id),
        producer=_clean(place.producer),
        shard=place.shard,
        number=place.number,
        time_ms=milliseconds(event.time),
        subject=_optional(event.subject),
        key_id=_optional(data.key_id),
        team_id=_optional(data.team_id),
        customer_id=_optional(data.customer_id),
        provider=_clean(data.provider),
        model=_clean(data.request_model),
        status=data.status.value,
        usage_source=_clean(data.usage_source),
        input_tokens=data.input_tokens,
        output_tokens=data.output_tokens,
        cached_tokens=data.cached_tokens or 0,
        saved_tokens=max(data.saved_input_tokens, 0),
        cost_nano_usd=data.cost_nano_usd,
        billed_nano_usd=data.billed_nano_usd,
        savings_nano_usd=data.savings_nano_usd,
        request_id=_clean(data.request_id),
        client_request_id=_optional(data.client_request_id),
        payload=payload.decode(),
    )


def _optional(text: str | None) -> str | None:
    return None if text is None else _clean(text)


def _clean(text: str) -> str:
    # PostgreSQL has no NUL in texts; the payload keeps what was said, escaped.
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
