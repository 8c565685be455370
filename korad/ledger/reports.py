"""What the ledger tells people: sums by day, key and model, and the events themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from korad.domain.value import value
from korad.ledger.entries import Row
from korad.ledger.schema import FIGURES
from korad.ledger.store import Ledger

DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PAGE: Final = 1_000
_TIME_MS_MAX: Final = 2**63 - 1
_PARTS: Final = ("key_id", "team_id", "customer_id", "provider", "model")
_FROM_ROLLUP: Final = (
    f"SELECT day, {', '.join(_PARTS)}, events, {', '.join(FIGURES)} FROM rollup "  # noqa: S608
    "WHERE day >= ? AND day < ?"
)
_FROM_EVENTS: Final = (
    f"SELECT time_ms / {DAY_MS}, COALESCE(key_id, ''), COALESCE(team_id, ''), "  # noqa: S608
    f"COALESCE(customer_id, ''), provider, model, COUNT(*), "
    f"{', '.join(f'SUM({name})' for name in FIGURES)} "
    "FROM events WHERE time_ms >= ? AND time_ms < ?"
)


class Line(NamedTuple):
    """What one key did with one model on one UTC day; "" for no key, team or customer."""

    day: str
    key_id: str
    team_id: str
    customer_id: str
    provider: str
    model: str
    events: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    saved_tokens: int
    cost_nano_usd: int
    billed_nano_usd: int
    savings_nano_usd: int


@value
class Period:
    """From `since_ms` to before `until_ms`, Unix milliseconds; None is open."""

    since_ms: int | None = None
    until_ms: int | None = None

    @property
    def bounds(self) -> tuple[int, int]:
        """Both ends as numbers."""
        since = 0 if self.since_ms is None else self.since_ms
        return since, _TIME_MS_MAX if self.until_ms is None else self.until_ms

    @property
    def of_whole_days(self) -> bool:
        """Whether the rollup by day can answer."""
        return not (self.since_ms or 0) % DAY_MS and not (self.until_ms or 0) % DAY_MS


def lines(ledger: Ledger, period: Period, key_id: str | None = None) -> list[Line]:
    """Return the sums of a period, in the order of day, key and model."""
    since, until = period.bounds
    chosen: tuple[Any, ...] = () if key_id is None else (key_id,)
    where = "" if key_id is None else " AND key_id = ?"
    if period.of_whole_days:
        last = "9999-12-31" if period.until_ms is None else _day(until // DAY_MS)
        found = _query(ledger, _FROM_ROLLUP + where, (_day(since // DAY_MS), last, *chosen))
    else:
        grouped = f"{_FROM_EVENTS}{where} GROUP BY 1, 2, 3, 4, 5, 6"
        found = [
            (_day(int(bucket)), *rest)
            for bucket, *rest in _query(ledger, grouped, (since, until, *chosen))
        ]
    # PostgreSQL sums whole numbers to decimal ones.
    return sorted(Line(*row[:6], *(int(figure) for figure in row[6:])) for row in found)


def payloads(ledger: Ledger, period: Period, key_id: str | None = None) -> Iterator[str]:
    """Yield the events of a period as they stood in the stream, in the order of their time."""
    for _, _, payload in _pages(ledger, ("payload",), period, key_id):
        yield payload


def newest(ledger: Ledger, period: Period, count: int, key_id: str | None = None) -> list[str]:
    """Return the last `count` events of a period as they stood in the stream, newest first."""
    since, until = period.bounds
    chosen: tuple[Any, ...] = () if key_id is None else (key_id,)
    sql = (
        "SELECT payload FROM events WHERE time_ms >= ? AND time_ms < ?"  # noqa: S608 - own words
        f"{'' if key_id is None else ' AND key_id = ?'} ORDER BY time_ms DESC, entry DESC LIMIT ?"
    )
    return [payload for (payload,) in _query(ledger, sql, (since, until, *chosen, count))]


def of_request(ledger: Ledger, request_id: str) -> str | None:
    """Return the event of a request as it stood in the stream, None where none is booked."""
    sql = "SELECT payload FROM events WHERE request_id = ? ORDER BY entry"
    found = _query(ledger, sql, (request_id,))
    return found[0][0] if found else None


def of_price(ledger: Ledger, price_id: str, period: Period, key_id: str) -> tuple[int, int]:
    """Return how many events of a key were rated at a price, and what they bill in nano-USD.

    The payloads of the period are read for it: no column has the price.
    """
    sql = (
        "SELECT COUNT(*), COALESCE(SUM(billed_nano_usd), 0) FROM events "
        "WHERE time_ms >= ? AND time_ms < ? AND key_id = ? AND payload LIKE ?"
    )
    pattern = f'%"price_id":"{price_id}"%'
    ((events, billed),) = _query(ledger, sql, (*period.bounds, key_id, pattern))
    return int(events), int(billed)


def rows(
    ledger: Ledger, columns: tuple[str, ...], period: Period, key_id: str | None = None
) -> Iterator[tuple[Any, ...]]:
    """Yield columns of the events of a period, in the order of their time."""
    assert set(columns) <= set(Row._fields)
    for _, _, *figures in _pages(ledger, columns, period, key_id):
        yield tuple(figures)


def _pages(
    ledger: Ledger, columns: tuple[str, ...], period: Period, key_id: str | None
) -> Iterator[tuple[Any, ...]]:
    since, until = period.bounds
    # What is booked meanwhile is left out, or a page could miss what comes before it in time.
    last_entry = _query(ledger, "SELECT entries FROM book", ())[0][0]
    chosen: tuple[Any, ...] = () if key_id is None else (key_id,)
    sql = (
        f"SELECT time_ms, entry, {', '.join(columns)} FROM events "  # noqa: S608 - own columns
        "WHERE time_ms < ? AND entry <= ? AND (time_ms, entry) > (?, ?)"
        f"{'' if key_id is None else ' AND key_id = ?'} ORDER BY time_ms, entry LIMIT {_PAGE}"
    )
    at = (since - 1, _TIME_MS_MAX)
    while True:
        page = _query(ledger, sql, (until, last_entry, *at, *chosen))
        yield from page
        if len(page) < _PAGE:
            return
        at = (page[-1][0], page[-1][1])


def _query(ledger: Ledger, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    with ledger.lock:
        return ledger.database.execute(sql, parameters)


def _day(days: int) -> str:
    return (_EPOCH + timedelta(days=days)).strftime("%Y-%m-%d")
