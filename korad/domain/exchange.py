"""The nouns of one exchange: what came in, what goes upstream, how it ended."""

from __future__ import annotations

from enum import Enum

import msgspec

from korad.domain.money import Charge
from korad.domain.upstream import Provider
from korad.domain.usage import Usage
from korad.domain.value import Fact
from korad.errors import KoradError


class Outcome(Enum):
    """How an exchange ended."""

    COMPLETED = "completed"
    REFUSED = "refused"
    """korad itself answered with an error; nothing was asked of a provider."""
    UPSTREAM_REFUSED = "upstream_refused"
    """The provider answered with an error status."""
    UPSTREAM_FAILED = "upstream_failed"
    """Unreachable, broken off or timed out."""
    CLIENT_ABORTED = "client_aborted"

    # Members are singletons; Enum's own hash is a call into Python, once a request.
    __hash__ = object.__hash__


class RequestHead(Fact, frozen=True):
    """What a request's head says to korad, read once and shared by requests with the same head."""

    credential_digest: bytes | None
    """Keyed digest of the virtual key presented; None when there was none."""
    level: str | None
    client_request_id: str | None
    forwarded: bytes
    """Header lines that go upstream as they are (trace context, the caller's request id)."""
    error: KoradError | None
    """A header that must be refused once the key is known to be good."""
    cache: bool | None = None
    """Whether the response cache is asked for; None leaves it to the key."""


class UpstreamCall(Fact, frozen=True):
    """One HTTP request to a provider, ready to be written."""

    provider: Provider
    head: bytes
    body: bytes


class ExchangeRecord(msgspec.Struct, gc=False):
    """The final figures of one exchange: log line, and answer of `GET /v1/korad/requests/{id}`.

    Times are whole microseconds (`_us`) or Unix milliseconds (`_ms`), money is nano-USD.
    """

    request_id: str
    client_request_id: str | None
    key_id: str | None
    provider: str | None
    model: str | None
    stream: bool
    status: int
    outcome: Outcome
    error_code: str | None
    level: str | None
    strategy: str | None
    original_tokens: int | None
    optimized_tokens: int | None
    savings_nano_usd: int
    """At the list price of uncached prompts, as the header says."""
    realized_savings_nano_usd: int
    """The same at what the prompt's tokens really cost: much of what was removed would have been
    read from the provider's cache."""
    usage: Usage | None
    """What was consumed, as far as it is owed; None where nothing is."""
    charge: Charge | None
    upstream_request_id: str | None
    started_ms: int
    first_byte_us: int | None
    """From the request's arrival to the first byte of the upstream's answer."""
    overhead_us: int | None
    """Time korad itself took of a non-streaming exchange: total minus waiting for the upstream."""
    duration_us: int
