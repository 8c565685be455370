"""The billing event: what one exchange consumed and what it is charged, told once.

It is a CloudEvents 1.0 envelope whose `data` uses OpenTelemetry's `gen_ai.*` names; see
`docs/events.md`. Its id says who made it and in which order:

    m0123456789ab-w03-e17-s07-000000123
    └─ machine    │   │   │   └─ number, from 1 without a gap, per producer and shard
                  │   │   └─ shard of the account
                  │   └─ epoch: one start of the worker
                  └─ worker
"""

from __future__ import annotations

from enum import Enum

import msgspec

from korad.domain.value import Fact

EVENT_TYPE = "io.korad.llm.usage.v1"
SCHEMA_VERSION = 1


class EventStatus(Enum):
    """How the exchange of an event ended."""

    OK = "ok"
    CLIENT_DISCONNECT = "client_disconnect"
    UPSTREAM_ERROR = "upstream_error"
    """The provider refused, broke off, took too long or could not be reached."""
    INTERRUPTED = "interrupted"
    """korad was killed before the end; a later start told what had been counted."""
    REFUSED = "refused"
    """korad refused after it had asked for a hold whose answer is unknown; nothing is owed."""


class Producer(Fact, frozen=True):
    """Who numbers events: one start of one worker of one machine."""

    machine: str
    """"m" and 12 hex digits, made once per state folder."""
    worker: int
    epoch: int

    @property
    def name(self) -> str:
        """The part of an event's id before the shard: "m0123456789ab-w03-e17"."""
        return f"{self.machine}-w{self.worker:02d}-e{self.epoch}"

    @property
    def source(self) -> str:
        """The event's `source`: "/korad/m0123456789ab/w03"."""
        return f"/korad/{self.machine}/w{self.worker:02d}"


class EventData(msgspec.Struct, frozen=True, gc=False):
    """`data` of an event. Amounts are integers of nano-USD, times whole milliseconds."""

    schema: int
    request_id: str
    client_request_id: str | None
    key_id: str | None
    team_id: str | None
    customer_id: str | None
    status: EventStatus
    error_code: str | None
    http_status: int
    stream: bool
    usage_source: str
    """"provider", "counted" or "cache"."""
    operation: str = msgspec.field(name="gen_ai.operation.name")
    provider: str = msgspec.field(name="gen_ai.provider.name")
    request_model: str = msgspec.field(name="gen_ai.request.model")
    input_tokens: int = msgspec.field(name="gen_ai.usage.input_tokens")
    output_tokens: int = msgspec.field(name="gen_ai.usage.output_tokens")
    cached_tokens: int | None = msgspec.field(name="gen_ai.usage.cache_read.input_tokens")
    cache_write_tokens: int | None = msgspec.field(name="gen_ai.usage.cache_creation.input_tokens")
    reasoning_tokens: int | None = msgspec.field(name="gen_ai.usage.reasoning.output_tokens")
    service_tier: str | None
    level: str | None
    strategy: str | None
    original_input_tokens: int | None
    saved_input_tokens: int
    savings_nano_usd: int
    price_id: str | None
    cost_nano_usd: int
    margin_bp: int
    billed_nano_usd: int
    upstream_request_id: str | None
    ttft_ms: int | None
    duration_ms: int


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event as it stands in the journal, the stream and the ledger."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str | None
    """The account: customer, else team, else key."""
    time: str
    """When the request came, RFC 3339 in UTC with milliseconds."""
    datacontenttype: str
    data: EventData


class EventId(Fact, frozen=True):
    """An event's id, taken apart."""

    producer: str
    shard: int
    number: int


_decode = msgspec.json.Decoder(Event).decode


def decode_event(payload: bytes | str) -> Event:
    """Return the event that `payload` is. Raises ValueError for what is none."""
    try:
        return _decode(payload)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a billing event: {error}") from error


def parse_event_id(event_id: str) -> EventId:
    """Take an event's id apart. Raises ValueError for what is none."""
    producer, shard, number = event_id.rsplit("-", 2)
    if not shard.startswith("s"):
        raise ValueError(f"not an event id: {event_id[:80]!r}")
    return EventId(producer=producer, shard=int(shard[1:]), number=int(number))
