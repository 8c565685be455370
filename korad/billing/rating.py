"""What an answer costs and is charged: integers from end to end, one rounding.

The classes of tokens are disjoint. A prompt token is cached, cache-written (for five minutes or
an hour), audio or plain; a completion token is audio, reasoning or plain. Usage that claims more
tokens of a class than there are is cut down in that order, so nonsense never bills below zero.
"""

from __future__ import annotations

from korad.domain.money import (
    MARGIN_BP_ONE,
    PICO_USD_PER_NANO_USD,
    Charge,
    Price,
    divide_half_even,
)
from korad.domain.usage import Usage

_STANDARD = (None, "default")

_BILL_DIVISOR = MARGIN_BP_ONE * PICO_USD_PER_NANO_USD


def rate(usage: Usage, price: Price, margin_bp: int) -> Charge:
    """Return the charge of `usage` at `price` with a margin in basis points (>= 0)."""
    if usage.service_tier not in _STANDARD and price.service_tiers:
        price = _served_price(price, usage.service_tier)
    if price.tiers:
        price = _tier_price(price, usage.prompt_tokens)
    cost_pico_usd = _cost_pico_usd(usage, price)
    return Charge(
        price_id=price.price_id,
        cost_pico_usd=cost_pico_usd,
        cost_nano_usd=divide_half_even(cost_pico_usd, PICO_USD_PER_NANO_USD),
        billed_nano_usd=divide_half_even(cost_pico_usd * margin_bp, _BILL_DIVISOR),
        margin_bp=margin_bp,
    )


def price_prompt(tokens: int, price: Price) -> int:
    """Return the list price of an uncached prompt of `tokens`, in pico-USD."""
    return tokens * _tier_price(price, tokens).input_pico_usd


def token_prices(prompt_tokens: int, price: Price) -> tuple[int, int]:
    """Return pico-USD per plain prompt token and per completion token, for a prompt so long."""
    row = _tier_price(price, prompt_tokens)
    return row.input_pico_usd, max(row.output_pico_usd, row.reasoning_pico_usd or 0)


def savings_nano_usd(original_tokens: int, optimized_tokens: int, price: Price) -> int:
    """Return price(original) - price(optimized) in nano-USD, half-even; negative if it grew.

    Each side is priced at its own tier, so crossing a threshold counts in full.
    """
    saved_pico_usd = price_prompt(original_tokens, price) - price_prompt(optimized_tokens, price)
    return divide_half_even(saved_pico_usd, PICO_USD_PER_NANO_USD)


def realized_savings_nano_usd(original_tokens: int, usage: Usage, price: Price) -> int:
    """Return what the tokens removed from a prompt would really have cost, in nano-USD, half-even.

    They are priced at the mean of those that stayed, as the provider reported them: cached, written
    to its cache, plain. `price` is the list price; a service tier's own is taken from it.
    """
    if usage.service_tier not in _STANDARD and price.service_tiers:
        price = _served_price(price, usage.service_tier)
    price = _tier_price(price, usage.prompt_tokens)
    if usage.prompt_tokens <= 0:
        return 0
    removed = original_tokens - usage.prompt_tokens
    return divide_half_even(
        removed * _mixed_prompt_pico_usd(usage, price),
        usage.prompt_tokens * PICO_USD_PER_NANO_USD,
    )


def _served_price(price: Price, service_tier: str | None) -> Price:
    for name, served in price.service_tiers:
        if name == service_tier:
            return served
    return price


def _tier_price(price: Price, prompt_tokens: int) -> Price:
    row = price
    for tier in price.tiers:
        if prompt_tokens <= tier.prompt_tokens_above:
            break
        row = tier.price
    return row


def _cost_pico_usd(usage: Usage, price: Price) -> int:
    prompt = usage.prompt_tokens
    if (
        usage.cached_prompt_tokens
        or usage.cache_write_tokens
        or usage.cache_write_1h_tokens
        or usage.audio_prompt_tokens
    ):
        cost_pico_usd = _mixed_prompt_pico_usd(usage, price)
    else:
        cost_pico_usd = prompt * price.input_pico_usd if prompt > 0 else 0
    completion = usage.completion_tokens
    if usage.reasoning_tokens or usage.audio_completion_tokens:
        return cost_pico_usd + _mixed_completion_pico_usd(usage, price)
    if completion > 0:
        cost_pico_usd += completion * price.output_pico_usd
    return cost_pico_usd


def _mixed_prompt_pico_usd(usage: Usage, price: Price) -> int:
    plain = max(usage.prompt_tokens, 0)
    cached = _part(usage.cached_prompt_tokens, plain)
    plain -= cached
    claimed_1h = usage.cache_write_1h_tokens or 0
    written = _part(max(usage.cache_write_tokens or 0, claimed_1h), plain)
    plain -= written
    written_1h = _part(claimed_1h, written)
    audio = _part(usage.audio_prompt_tokens, plain)
    plain -= audio
    input_pico_usd = price.input_pico_usd
    write_pico_usd = _either(price.cache_write_pico_usd, input_pico_usd)
    return (
        plain * input_pico_usd
        + cached * _either(price.cached_input_pico_usd, input_pico_usd)
        + (written - written_1h) * write_pico_usd
        + written_1h * _either(price.cache_write_1h_pico_usd, write_pico_usd)
        + audio * _either(price.audio_input_pico_usd, input_pico_usd)
    )


def _mixed_completion_pico_usd(usage: Usage, price: Price) -> int:
    plain = max(usage.completion_tokens, 0)
    audio = _part(usage.audio_completion_tokens, plain)
    plain -= audio
    reasoning = _part(usage.reasoning_tokens, plain)
    plain -= reasoning
    output_pico_usd = price.output_pico_usd
    return (
        plain * output_pico_usd
        + audio * _either(price.audio_output_pico_usd, output_pico_usd)
        + reasoning * _either(price.reasoning_pico_usd, output_pico_usd)
    )


def _part(claimed: int | None, available: int) -> int:
    if not claimed or claimed < 0:
        return 0
    return min(claimed, available)


def _either(pico_usd: int | None, fallback_pico_usd: int) -> int:
    # A price of 0 is a price.
    return fallback_pico_usd if pico_usd is None else pico_usd
