"""From token counts to a charge: price, usage, rating."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import korad
from bench.micro.work import Work
from korad.billing.pricebook import PriceBook
from korad.billing.rating import rate
from korad.domain.money import Charge, price_from_usd_per_mtok
from korad.domain.usage import Usage
from korad.metering import settle_usage

_TODAY = "2026-11-22"
_BILLED_NANO_USD = 57_000


def price() -> Iterator[Work]:
    """Find a dated model's price in the shipped list."""
    listed = Path(korad.__file__).parent / "data" / "prices.json"
    book = PriceBook.parse(listed.read_bytes(), {}, today=_TODAY)
    expected = book.find("openai", "gpt-4o-mini")
    assert expected is not None
    yield Work(
        lambda: book.find("openai", "gpt-4o-mini-2024-07-18"), lambda found: found == expected
    )


def charge() -> Iterator[Work]:
    """Rate the documented example: 10 and 9 tokens at $2, margin 1.50."""
    listed = price_from_usd_per_mtok({"input": 2, "output": 2})
    usage = Usage(prompt_tokens=10, completion_tokens=9, cached_prompt_tokens=0)

    def is_right(found: object) -> bool:
        return isinstance(found, Charge) and found.billed_nano_usd == _BILLED_NANO_USD

    yield Work(lambda: rate(usage, listed, 15_000), is_right)


def usage() -> Iterator[Work]:
    """Say what a cut answer used, of the provider's report and korad's count."""
    reported = Usage(prompt_tokens=100, completion_tokens=1, cached_prompt_tokens=40)

    def is_right(found: object) -> bool:
        return isinstance(found, Usage) and (found.prompt_tokens, found.completion_tokens) == (
            100,
            9,
        )

    yield Work(
        lambda: settle_usage(reported, final=False, counted_prompt=7, counted_completion=9),
        is_right,
    )
