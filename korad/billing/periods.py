"""The periods that balances are kept for: ever, and the UTC month, day and hour of an event."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

MONTHS_KEPT = timedelta(days=70)
DAYS_KEPT = timedelta(days=40)
HOURS_KEPT = timedelta(hours=50)
AHEAD = timedelta(hours=24)
"""How far the clocks of other machines may be ahead."""

HOUR_CHARS = len("2026-11-26T12")
"""How much of an event's `time` names its hour."""
EVER = ""
"""The period without an end, among the names of periods."""


def periods_of(time: str) -> tuple[str, str, str, str]:
    """Return the periods of an event's `time` ("2026-11-26T12:00:00.123Z"), the widest first.

    Its hour is enough.
    """
    return EVER, time[:7], time[:10], time[:HOUR_CHARS]


def keep_s(period: str) -> int | None:
    """Return how many seconds a period's sums are kept after they last changed; None: for ever."""
    kept = {7: MONTHS_KEPT, 10: DAYS_KEPT, 13: HOURS_KEPT}.get(len(period))
    return None if kept is None else int(kept.total_seconds())


def kept_periods(now_ms: int) -> Iterator[str]:
    """Yield every period that may be kept at `now_ms` (Unix milliseconds)."""
    newest = datetime.fromtimestamp(now_ms / 1_000, UTC) + AHEAD
    yield EVER
    days_ago = (newest - timedelta(days=days) for days in range((AHEAD + MONTHS_KEPT).days + 1))
    yield from sorted({day.strftime("%Y-%m") for day in days_ago})
    for days in range((AHEAD + DAYS_KEPT).days + 1):
        yield (newest - timedelta(days=days)).strftime("%Y-%m-%d")
    for hours in range((AHEAD + HOURS_KEPT) // timedelta(hours=1) + 1):
        yield (newest - timedelta(hours=hours)).strftime("%Y-%m-%dT%H")
