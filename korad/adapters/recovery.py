"""What a killed worker leaves: exchanges under way, to be told as far as they were counted."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from korad.adapters.contexts import Context
from korad.adapters.inflight import OpenSlot
from korad.billing.frames import SEGMENT_HEADER_BYTES, CorruptFrameError, Frame, read_frame
from korad.billing.rating import rate, savings_nano_usd
from korad.domain.event import decode_event
from korad.domain.exchange import ExchangeRecord, Outcome
from korad.domain.usage import Usage, UsageSource

_log = logging.getLogger("korad")


def interrupted_records(
    slots: Sequence[OpenSlot], contexts: Sequence[Context | None], told: Collection[str]
) -> Iterator[tuple[ExchangeRecord, Context, bool]]:
    """Yield the record, context and hold flag of each exchange whose event is still owed.

    `told` are the request ids whose event is in the journal: a process may be killed between an
    event and the freeing of its slot.
    """
    for slot in slots:
        if slot.request_id in told:
            continue
        context = contexts[slot.context] if slot.context < len(contexts) else None
        if context is None:
            # Only a power cut can lose the line that a slot refers to.
            _log.error("what request %s was about is lost; it is not billed", slot.request_id)
            continue
        yield _record(slot, context), context, slot.hold


def _record(slot: OpenSlot, context: Context) -> ExchangeRecord:
    usage = charge = None
    if slot.sent:
        usage = Usage(
            prompt_tokens=slot.prompt_tokens,
            completion_tokens=slot.tokens,
            source=UsageSource.COUNTED,
        )
        charge = rate(usage, context.price, context.margin_bp)
    original = max(slot.original_tokens, slot.prompt_tokens)
    return ExchangeRecord(
        request_id=slot.request_id,
        client_request_id=slot.client_request_id,
        key_id=context.party.key_id,
        provider=context.party.provider,
        model=context.party.model,
        stream=slot.stream,
        status=0,
        outcome=Outcome.CLIENT_ABORTED,
        error_code="interrupted",
        level=slot.level,
        strategy=None,
        original_tokens=original,
        optimized_tokens=slot.prompt_tokens,
        savings_nano_usd=savings_nano_usd(original, slot.prompt_tokens, context.price),
        realized_savings_nano_usd=0,
        usage=usage,
        charge=charge,
        upstream_request_id=None,
        started_ms=slot.started_ms,
        first_byte_us=None,
        overhead_us=None,
        duration_us=0,
    )


def request_ids_since(folder: Path, epoch: int) -> frozenset[str]:
    """Return the request ids of all events written by this epoch of a worker and later ones."""
    return frozenset(
        request_id
        for path in sorted(folder.glob("e*-*.journal"))
        if int(path.name[1:9]) >= epoch
        for request_id in _request_ids(path)
    )


def _request_ids(path: Path) -> Iterator[str]:
    try:
        for frame in frames_of(path):
            yield decode_event(frame.payload).data.request_id
    except CorruptFrameError:
        # A kill may tear the last write; whether more than that is damaged, the shipper finds out.
        _log.warning("%s ends in a frame that cannot be read", path)


def frames_of(path: Path) -> Iterator[Frame]:
    """Yield the frames of a segment that nobody writes any more. Raises CorruptFrameError."""
    data = path.read_bytes()
    at = SEGMENT_HEADER_BYTES
    while (frame := read_frame(data, at)) is not None:
        yield frame
        at = frame.end
