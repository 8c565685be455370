"""From an entry of the stream to a row of the ledger."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from korad.domain.event import (
    EVENT_TYPE,
    SCHEMA_VERSION,
    Event,
    EventId,
    EventStatus,
    decode_event,
    parse_event_id,
)

NUMBER_MAX = 2**63 - 1
"""Largest integer of both databases."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUL = rb"\u0000"
_STATUS_TEXT = {status: status.value for status in EventStatus}


class StreamEntry(msgspec.Struct, frozen=True, gc=False):
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


FIGURES_AT = slice(Row._fields.index("input_tokens"), 1 + Row._fields.index("savings_nano_usd"))
"""The columns that are summed, as `schema.FIGURES` names them."""


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
    row = _row(event, place, payload)
    _refuse_out_of_range(row)
    return _without_nul(row) if _NUL in payload else row


def milliseconds(time: str) -> int:
    """Return an RFC 3339 time as Unix milliseconds. Raises ValueError."""
    moment = datetime.fromisoformat(time)
    if moment.tzinfo is None:
        raise ValueError(f"a time without a zone: {time[:40]!r}")
    return (moment - _EPOCH) // _MILLISECOND


def day_of(time_ms: int) -> str:
    """Return the UTC day of Unix milliseconds: "2026-11-26"."""
    return (_EPOCH + timedelta(milliseconds=time_ms)).strftime("%Y-%m-%d")


def _row(event: Event, place: EventId, payload: bytes) -> Row:
    data = event.data
    # Positional, in the order of the fields: naming them costs as much as decoding the event.
    return Row(
        event.id,
        place.producer,
        place.shard,
        place.number,
        milliseconds(event.time),
        event.subject,
        data.key_id,
        data.team_id,
        data.customer_id,
        data.provider,
        data.request_model,
        _STATUS_TEXT[data.status],
        data.usage_source,
        data.input_tokens,
        data.output_tokens,
        data.cached_tokens or 0,
        max(data.saved_input_tokens, 0),
        data.cost_nano_usd,
        data.billed_nano_usd,
        data.savings_nano_usd,
        data.request_id,
        data.client_request_id,
        payload.decode(),
    )


def _refuse_out_of_range(row: Row) -> None:
    counts = (
        row.number,
        row.time_ms,
        row.input_tokens,
        row.output_tokens,
        row.cached_tokens,
        row.saved_tokens,
        row.cost_nano_usd,
        row.billed_nano_usd,
    )
    # Savings may be negative; nothing else may.
    if min(counts) >= 0 and max(*counts, abs(row.savings_nano_usd)) <= NUMBER_MAX:
        return
    for name, figure in zip(row._fields, row, strict=True):
        least = -NUMBER_MAX if name == "savings_nano_usd" else 0
        if isinstance(figure, int) and not least <= figure <= NUMBER_MAX:
            raise ValueError(f"{name} is out of range: {figure}")


def _without_nul(row: Row) -> Row:
    # PostgreSQL has no NUL in texts; the payload keeps what was said, escaped.
    clean = (
        each.replace("\x00", "\N{REPLACEMENT CHARACTER}") if isinstance(each, str) else each
        for each in row
    )
    return Row._make(clean)
