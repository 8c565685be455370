"""From an exchange's final record to its billing event, as bytes."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from korad.domain.event import (
    EVENT_TYPE,
    SCHEMA_VERSION,
    Event,
    EventData,
    EventStatus,
    Producer,
)
from korad.domain.exchange import ExchangeRecord, Outcome
from korad.domain.usage import UsageSource
from korad.domain.value import value

_STATUS = {
    Outcome.COMPLETED: EventStatus.OK,
    Outcome.REFUSED: EventStatus.REFUSED,
    Outcome.UPSTREAM_REFUSED: EventStatus.UPSTREAM_ERROR,
    Outcome.UPSTREAM_FAILED: EventStatus.UPSTREAM_ERROR,
    Outcome.CLIENT_ABORTED: EventStatus.CLIENT_DISCONNECT,
}
_MILLISECONDS = tuple(f".{ms:03d}Z" for ms in range(1_000))
_COUNTED = UsageSource.COUNTED.value
_SOURCE_TEXT = {source: source.value for source in UsageSource}


@value
class Party:
    """Whose exchange it is and whom it went to: the same for many."""

    account: str
    key_id: str
    team_id: str | None
    customer_id: str | None
    provider: str
    model: str


class EventWriter:
    """Write the events of one producer."""

    __slots__ = ("_encode", "_prefixes", "_second", "_second_text", "_source")

    def __init__(self, producer: Producer, shards: int) -> None:
        self._prefixes = [f"{producer.name}-s{shard:02d}-" for shard in range(shards)]
        self._source = producer.source
        self._encode = msgspec.json.Encoder().encode
        self._second = -1
        self._second_text = ""

    def event(
        self,
        record: ExchangeRecord,
        party: Party,
        *,
        shard: int,
        number: int,
        status: EventStatus | None = None,
    ) -> bytes:
        """Return the event of `record`; `status` replaces the one that follows from its outcome."""
        usage, charge = record.usage, record.charge
        original, sent = record.original_tokens, record.optimized_tokens
        started_s, started_ms = divmod(record.started_ms, 1_000)
        first_byte_us = record.first_byte_us
        # Positional, in the order of the fields: naming thirty of them costs as much as encoding.
        data = EventData(
            SCHEMA_VERSION,
            record.request_id,
            record.client_request_id,
            party.key_id,
            party.team_id,
            party.customer_id,
            status or _STATUS[record.outcome],
            record.error_code,
            record.status,
            record.stream,
            _COUNTED if usage is None else _SOURCE_TEXT[usage.source],
            "chat",
            party.provider,
            party.model,
            0 if usage is None else usage.prompt_tokens,
            0 if usage is None else usage.completion_tokens,
            None if usage is None else usage.cached_prompt_tokens,
            None if usage is None else usage.cache_write_tokens,
            None if usage is None else usage.reasoning_tokens,
            None if usage is None else usage.service_tier,
            record.level,
            record.strategy,
            original,
            0 if original is None or sent is None else original - sent,
            record.savings_nano_usd,
            None if charge is None else charge.price_id,
            0 if charge is None else charge.cost_nano_usd,
            0 if charge is None else charge.margin_bp,
            0 if charge is None else charge.billed_nano_usd,
            record.upstream_request_id,
            None if first_byte_us is None else first_byte_us // 1_000,
            record.duration_us // 1_000,
        )
        return self._encode(
            Event(
                "1.0",
                "%s%09d" % (self._prefixes[shard], number),  # noqa: UP031 - half the time of format
                self._source,
                EVENT_TYPE,
                party.account,
                (self._second_text if started_s == self._second else self._time(started_s))
                + _MILLISECONDS[started_ms],
                "application/json",
                data,
            )
        )

    def _time(self, unix_s: int) -> str:
        self._second = unix_s
        self._second_text = datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return self._second_text
