"""A key's invoice for a month: net of tax, rounded once, nothing lost in rounding."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final

from korad.config.demo import DEMO_PRICE
from korad.domain.value import value
from korad.ledger.amounts import to_cents
from korad.ledger.reports import Line, Period, lines, of_price
from korad.ledger.store import Ledger

_MONTH: Final = re.compile(r"(?:19[7-9]|2[0-9]{2})[0-9]-(?:0[1-9]|1[0-2])")
_FIGURES: Final = Line._fields.index("events")


@value
class InvoiceLine:
    """What one model, or one day, comes to."""

    name: str
    events: int
    input_tokens: int
    output_tokens: int
    saved_tokens: int
    billed_nano_usd: int
    savings_nano_usd: int


@value
class Invoice:
    """Amounts are net of tax."""

    key_id: str
    month: str
    models: list[InvoiceLine]
    days: list[InvoiceLine]
    billed_nano_usd: int
    """What the month's events come to, exactly."""
    carried_in_nano_usd: int
    """What rounding left over of the months before."""
    due_cents: int
    """Both together, rounded once to cents, ties to even."""
    carried_out_nano_usd: int
    """What rounding leaves over for the next month."""
    savings_nano_usd: int
    """What korad saved, at list price; for information, it is no part of the sum."""
    demo_events: int
    """Of the month's events, those rated at the demo's price: their answers were made up, unless a
    price of one's own is the same. An event tells no more of where its answer came from."""
    demo_billed_nano_usd: int
    """What these come to; it is part of the sum."""


def invoice_of(ledger: Ledger, key_id: str, month: str) -> Invoice:
    """Return the invoice of a month, "2026-11". Raises ValueError for what is no month."""
    whole_month = _period(month)
    found = lines(ledger, Period(until_ms=whole_month.until_ms), key_id)
    carried_in = 0
    # Each month's rounding follows from the months before: every copy of an invoice is the same.
    for _, former in groupby(
        (line for line in found if line.day[:7] < month), lambda line: line.day[:7]
    ):
        amount = carried_in + sum(line.billed_nano_usd for line in former)
        carried_in = to_cents(amount).residue_nano_usd
    of_month = [line for line in found if line.day[:7] == month]
    billed = sum(line.billed_nano_usd for line in of_month)
    due = to_cents(carried_in + billed)
    demo_events, demo_billed = of_price(ledger, DEMO_PRICE.price_id, whole_month, key_id)
    return Invoice(
        key_id=key_id,
        month=month,
        models=_grouped(of_month, lambda line: f"{line.provider}/{line.model}"),
        days=_grouped(of_month, lambda line: line.day),
        billed_nano_usd=billed,
        carried_in_nano_usd=carried_in,
        due_cents=due.cents,
        carried_out_nano_usd=due.residue_nano_usd,
        savings_nano_usd=sum(line.savings_nano_usd for line in of_month),
        demo_events=demo_events,
        demo_billed_nano_usd=demo_billed,
    )


def grouped_figures(
    found: Iterable[Line], name: Callable[[Line], str]
) -> list[tuple[str, dict[str, int]]]:
    """Return the sums of all figures by what `name` says of a line, in the order of the names."""
    groups: dict[str, dict[str, int]] = {}
    for line in found:
        figures: dict[str, Any] = dict(zip(Line._fields[_FIGURES:], line[_FIGURES:], strict=True))
        former = groups.get(name(line))
        groups[name(line)] = (
            figures if former is None else {key: former[key] + figures[key] for key in figures}
        )
    return sorted(groups.items())


def _grouped(found: list[Line], name: Callable[[Line], str]) -> list[InvoiceLine]:
    wanted = InvoiceLine.__annotations__.keys() - {"name"}
    return [
        InvoiceLine(name=label, **{key: figures[key] for key in wanted})
        for label, figures in grouped_figures(found, name)
    ]


def is_month(text: str) -> bool:
    """Return whether `text` is a month such as "2026-11"."""
    return _MONTH.fullmatch(text) is not None


def _period(month: str) -> Period:
    if not is_month(month):
        raise ValueError(f"not a month such as 2026-11: {month!r}")
    first = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(
        since_ms=int(first.timestamp()) * 1_000, until_ms=int(following.timestamp()) * 1_000
    )
