"""Read several journals on, until what was read is worth a batch or must not wait for more."""

from __future__ import annotations

from collections.abc import Iterable

from korad.adapters.journal_tail import Tail
from korad.billing.frames import KIND_EVENT_WITH_HOLD


def gather(tails: Iterable[Tail], frames_max: int, *, looks_on: bool) -> bool:
    """Let up to `frames_max` events wait in each tail; return whether to send them at once.

    So it is for a full batch, and for an event that ends a hold: the hold keeps others out.
    """
    at_once = False
    for tail in tails:
        frames = tail.read(frames_max - len(tail.waiting), looks_on=looks_on)
        tail.waiting += frames
        at_once = (
            at_once
            or len(tail.waiting) >= frames_max
            or any(frame.kind == KIND_EVENT_WITH_HOLD for frame in frames)
        )
    return at_once
