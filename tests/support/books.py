"""Books in a temporary folder, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from korad.adapters.books import Books
from korad.adapters.books_opening import open_books
from korad.adapters.recovery import frames_of
from korad.billing.rating import rate
from korad.domain.event import Event, decode_event
from korad.domain.exchange import ExchangeRecord, Outcome
from korad.domain.identity import VirtualKey
from korad.domain.money import Price, price_from_usd_per_mtok
from korad.domain.upstream import AuthScheme, Dialect, Origin, Provider, Timeouts
from korad.domain.usage import Usage
from korad.domain.value import value

MACHINE = "m0123456789ab"
STARTED_MS = 1_764_158_400_123
MARGIN_BP = 15_000


@value
class Somewhere:
    """A destination as far as a bill is concerned."""

    provider: Provider
    upstream_model: str
    price: Price


PROVIDER = Provider(
    name="openai",
    dialect=Dialect.OPENAI,
    origin=Origin(scheme="http", host="127.0.0.1", port=1),
    base_path="/v1",
    auth=AuthScheme.NONE,
    credential=None,
    timeouts=Timeouts(),
)
DESTINATION = Somewhere(
    provider=PROVIDER,
    upstream_model="gpt-4o-mini",
    price=price_from_usd_per_mtok({"input": 2, "output": 4}),
)
KEY = VirtualKey(key_id="vk_1", name="one", digest=b"1" * 32)


def books_in(
    state_dir: Path,
    *,
    shards: int = 1,
    segment_bytes: int = 65_536,
    durability: str = "machine",
) -> Books:
    """Open the books of a state folder."""
    return open_books(
        state_dir / "journal",
        MACHINE,
        slots=8,
        shards=shards,
        segment_bytes=segment_bytes,
        durability=durability,
        call_soon=lambda flush: flush(),
        from_thread=lambda then: then(),
    )


def request_id(number: int) -> str:
    """Return an id of the usual length."""
    return f"req_{number:032x}"


def begin(
    books: Books,
    number: int,
    *,
    key: VirtualKey = KEY,
    client_request_id: str | None = None,
    hold: bool = False,
    stream: bool = True,
) -> int:
    """Open a slot."""
    return books.open(
        key=key,
        destination=DESTINATION,
        margin_bp=MARGIN_BP,
        request_id=request_id(number),
        client_request_id=client_request_id,
        level="medium",
        started_ms=STARTED_MS,
        stream=stream,
        hold=hold,
    )


def record(number: int, *, prompt_tokens: int = 10, completion_tokens: int = 5) -> ExchangeRecord:
    """Return the final figures of a completed exchange."""
    usage = Usage(prompt_tokens=prompt_tokens, completion_tokens=completion_tokens)
    return ExchangeRecord(
        request_id=request_id(number),
        client_request_id=None,
        key_id=KEY.key_id,
        provider="openai",
        model="gpt-4o-mini",
        stream=True,
        status=200,
        outcome=Outcome.COMPLETED,
        error_code=None,
        level="medium",
        strategy="JSON minify (medium)",
        original_tokens=prompt_tokens + 2,
        optimized_tokens=prompt_tokens,
        savings_nano_usd=4_000,
        realized_savings_nano_usd=4_000,
        usage=usage,
        charge=rate(usage, DESTINATION.price, MARGIN_BP),
        upstream_request_id='up"1',
        started_ms=STARTED_MS,
        first_byte_us=2_500,
        overhead_us=None,
        duration_us=7_900,
    )


def finish(
    books: Books,
    slot: int | None,
    number: int,
    *,
    key: VirtualKey = KEY,
    hold: bool = False,
    then: Callable[[], None] = lambda: None,
    **tokens: int,
) -> None:
    """Write the event of a completed exchange."""
    books.close(
        slot,
        record(number, **tokens),
        key=key,
        destination=DESTINATION,
        margin_bp=MARGIN_BP,
        hold=hold,
        then=then,
    )


def events_in(state_dir: Path) -> list[Event]:
    """Return every event of every journal of a state folder, in order of folder and file."""
    return [
        decode_event(frame.payload)
        for path in sorted((state_dir / "journal").glob("w*/e*.journal"))
        for frame in frames_of(path)
    ]
