"""Money as integers: what tokens cost, what a request is charged, and how both are shown.

1 USD per million tokens is 1,000,000 pico-USD per token, so a published price is a whole number
and a provider cost is exact. Amounts of a whole request are in nano-USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from korad.domain.value import Fact, value

PICO_USD_PER_NANO_USD = 1_000
NANO_USD_PER_USD = 1_000_000_000
PICO_USD_PER_USD_PER_MTOK = 1_000_000
MARGIN_BP_ONE = 10_000
"""A margin of 1.00x, in basis points."""
USD_PER_MTOK_MAX = 1_000_000
PRICE_DECIMALS = 6
"""Decimals of USD per million tokens that pico-USD can hold."""

CLASSES = (
    "input",
    "output",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "reasoning",
    "audio_input",
    "audio_output",
)
"""The classes of tokens, in the order of a price row; the first two always have a price."""


@value
class Price:
    """One row of the price list: pico-USD per token of each class; None follows a wider class.

    `cached_input` and `cache_write` follow `input`, `cache_write_1h` follows `cache_write`,
    `reasoning` follows `output`, and audio follows `input` or `output`. Build rows with
    `new_price`, which derives `price_id`.
    """

    price_id: str
    """"p_" and 12 hex digits of a hash over everything below: equal rows have equal ids."""
    input_pico_usd: int
    output_pico_usd: int
    cached_input_pico_usd: int | None = None
    cache_write_pico_usd: int | None = None
    cache_write_1h_pico_usd: int | None = None
    reasoning_pico_usd: int | None = None
    audio_input_pico_usd: int | None = None
    audio_output_pico_usd: int | None = None
    tiers: tuple[PriceTier, ...] = ()
    """Prices of long prompts, by rising threshold."""
    service_tiers: tuple[tuple[str, Price], ...] = ()
    """Prices of the provider's service tiers by name ("flex", "priority", "fast")."""


@value
class PriceTier:
    """Prices of a whole request whose prompt is strictly longer than `prompt_tokens_above`."""

    prompt_tokens_above: int
    price: Price
    """The tier's row; it has neither tiers nor service tiers of its own."""


class Charge(Fact, frozen=True):
    """What one request costs us and what its virtual key is charged."""

    price_id: str
    """The row it was rated with: a service tier's own row where one was served."""
    cost_pico_usd: int
    """Exact provider cost at list price."""
    cost_nano_usd: int
    """The same for display and sums, rounded half-even."""
    billed_nano_usd: int
    """cost_pico_usd times the margin, rounded once, half-even."""
    margin_bp: int


def new_price(
    pico_usd: Mapping[str, int],
    *,
    tiers: tuple[PriceTier, ...] = (),
    service_tiers: tuple[tuple[str, Price], ...] = (),
) -> Price:
    """Return the price row of `pico_usd` (pico-USD per token by class name).

    `input` and `output` are required. Raises ValueError naming a missing or unknown class.
    """
    for name in ("input", "output"):
        if name not in pico_usd:
            raise ValueError(f"price without {name!r}")
    unknown = set(pico_usd).difference(CLASSES)
    if unknown:
        raise ValueError(f"unknown price key {min(unknown)!r}")
    facts = (
        tuple(pico_usd.get(name) for name in CLASSES),
        tuple((tier.prompt_tokens_above, tier.price.price_id) for tier in tiers),
        tuple((name, price.price_id) for name, price in service_tiers),
    )
    return Price(
        price_id="p_" + sha256(repr(facts).encode()).hexdigest()[:12],
        input_pico_usd=pico_usd["input"],
        output_pico_usd=pico_usd["output"],
        cached_input_pico_usd=pico_usd.get("cached_input"),
        cache_write_pico_usd=pico_usd.get("cache_write"),
        cache_write_1h_pico_usd=pico_usd.get("cache_write_1h"),
        reasoning_pico_usd=pico_usd.get("reasoning"),
        audio_input_pico_usd=pico_usd.get("audio_input"),
        audio_output_pico_usd=pico_usd.get("audio_output"),
        tiers=tiers,
        service_tiers=service_tiers,
    )


def price_from_usd_per_mtok(row: Mapping[str, Any]) -> Price:
    """Return the price row of a configured table: USD per million tokens by class name.

    Values may be int, float, str or Decimal and mean the decimal number they are written as.
    Raises ValueError naming the key that is missing, unknown, negative or not whole in pico-USD.
    """
    return new_price({name: pico_usd_per_token(usd, name) for name, usd in row.items()})


def pico_usd_per_token(usd_per_mtok: Any, name: str) -> int:
    """Convert USD per million tokens exactly to pico-USD per token.

    Raises ValueError naming the class `name` for what is not a number from 0 with six decimals.
    """
    try:
        usd = Decimal(str(usd_per_mtok))
    except InvalidOperation:
        raise ValueError(f"price {name!r} is not a number") from None
    if not usd.is_finite() or not 0 <= usd <= USD_PER_MTOK_MAX:
        raise ValueError(
            f"price {name!r} must be from 0 to {USD_PER_MTOK_MAX} USD per million tokens"
        )
    # A number of any length is compared exactly; Decimal arithmetic would round it to 28 digits.
    digits, divisor = (
        (0, 1) if not usd or usd.adjusted() < -PRICE_DECIMALS else usd.as_integer_ratio()
    )
    pico_usd, rest = divmod(digits * PICO_USD_PER_USD_PER_MTOK, divisor)
    if rest or (usd and not pico_usd):
        raise ValueError(f"price {name!r} has more than {PRICE_DECIMALS} decimals")
    return pico_usd


def divide_half_even(dividend: int, divisor: int) -> int:
    """Return dividend / divisor (divisor > 0) rounded to the nearest integer, ties to even."""
    # With half a divisor added, a tie is exactly what leaves no rest (an odd divisor has none).
    quotient, rest = divmod(dividend + (divisor >> 1), divisor)
    return quotient - 1 if not rest and quotient & 1 and not divisor & 1 else quotient


def format_usd(nano_usd: int) -> str:
    """Return an amount as "$0.000057": six decimals, half-even; "-$0.000001" below zero."""
    micro_usd = divide_half_even(nano_usd, 1_000)
    sign = "-" if micro_usd < 0 else ""
    usd, rest = divmod(abs(micro_usd), 1_000_000)
    return f"{sign}${usd}.{rest:06d}"


def format_margin(margin_bp: int) -> str:
    """Return a margin in basis points as "1.50x": two decimals, half-even."""
    whole, hundredths = divmod(divide_half_even(margin_bp, 100), 100)
    return f"{whole}.{hundredths:02d}x"
