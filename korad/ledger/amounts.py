"""Money in reports: exact decimals of whole nano-USD, and cents rounded once."""

from __future__ import annotations

from typing import Final

from korad.domain.money import NANO_USD_PER_USD, divide_half_even
from korad.domain.value import value

NANO_USD_PER_CENT: Final = NANO_USD_PER_USD // 100


@value
class Cents:
    """An amount in whole cents, and what rounding left over."""

    cents: int
    residue_nano_usd: int
    """The exact amount less the cents: from minus half a cent to half a cent."""


def exact_usd(nano_usd: int) -> str:
    """Return an amount with all its nine decimals: "0.000787950"."""
    usd, rest = divmod(abs(nano_usd), NANO_USD_PER_USD)
    return f"{'-' if nano_usd < 0 else ''}{usd}.{rest:09d}"


def cents_usd(cents: int) -> str:
    """Return whole cents as "12.34"."""
    usd, rest = divmod(abs(cents), 100)
    return f"{'-' if cents < 0 else ''}{usd}.{rest:02d}"


def to_cents(nano_usd: int) -> Cents:
    """Round an amount to cents, ties to even."""
    cents = divide_half_even(nano_usd, NANO_USD_PER_CENT)
    return Cents(cents=cents, residue_nano_usd=nano_usd - cents * NANO_USD_PER_CENT)
