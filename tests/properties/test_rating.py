"""Rating holds for any usage and price: exact, monotone, additive, never negative."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from hypothesis import given, strategies as st
from msgspec.structs import replace

from korad.billing import price_prompt, rate, savings_nano_usd
from korad.domain.money import CLASSES, new_price
from korad.domain.usage import Usage

PICO_USD = st.integers(0, 10**9)
MARGINS_BP = st.integers(0, 100_000)
TOKENS = st.integers(0, 10**7)
PARTS = (
    "cached_prompt_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_prompt_tokens",
    "audio_completion_tokens",
)


@st.composite
def prices(draw):
    optional = dict.fromkeys(CLASSES[2:], PICO_USD)
    required = {"input": PICO_USD, "output": PICO_USD}
    return new_price(draw(st.fixed_dictionaries(required, optional=optional)))


@st.composite
def usages(draw, tokens=TOKENS):
    """Any counts at all: parts may be larger than their whole."""
    required = {"prompt_tokens": tokens, "completion_tokens": tokens}
    optional = {name: st.none() | tokens for name in PARTS}
    return Usage(**draw(st.fixed_dictionaries(required, optional=optional)))


@st.composite
def partitions(draw):
    """Return tokens by class with the usage that reports them."""
    count = {name: draw(st.integers(0, 10**6)) for name in CLASSES}
    prompt_parts = ("input", "cached_input", "cache_write", "cache_write_1h", "audio_input")
    usage = Usage(
        prompt_tokens=sum(count[name] for name in prompt_parts),
        completion_tokens=count["output"] + count["reasoning"] + count["audio_output"],
        cached_prompt_tokens=count["cached_input"],
        cache_write_tokens=count["cache_write"] + count["cache_write_1h"],
        cache_write_1h_tokens=count["cache_write_1h"],
        reasoning_tokens=count["reasoning"],
        audio_prompt_tokens=count["audio_input"],
        audio_completion_tokens=count["audio_output"],
    )
    return count, usage


@given(partitions(), st.fixed_dictionaries(dict.fromkeys(CLASSES, PICO_USD)), MARGINS_BP)
def test_a_charge_equals_exact_decimal_arithmetic(partition, pico_usd, margin_bp):
    count, usage = partition
    charge = rate(usage, new_price(pico_usd), margin_bp)

    with localcontext(prec=60):
        usd = sum(
            (Decimal(count[name]) * Decimal(pico_usd[name]).scaleb(-12) for name in CLASSES),
            Decimal(0),
        )
        billed = (usd * margin_bp / 10_000).quantize(Decimal("1e-9"), ROUND_HALF_EVEN)
        cost = usd.quantize(Decimal("1e-9"), ROUND_HALF_EVEN)

        assert usd.scaleb(12) == charge.cost_pico_usd
        assert cost.scaleb(9) == charge.cost_nano_usd
        assert billed.scaleb(9) == charge.billed_nano_usd


@given(usages(tokens=st.integers(-(10**6), 10**7)), prices(), MARGINS_BP)
def test_no_usage_is_ever_billed_below_zero(usage, price, margin_bp):
    charge = rate(usage, price, margin_bp)

    assert charge.cost_pico_usd >= 0
    assert charge.billed_nano_usd >= 0


@given(usages(), prices(), MARGINS_BP, st.sampled_from(["prompt_tokens", "completion_tokens"]))
def test_one_more_token_never_makes_an_answer_cheaper(usage, price, margin_bp, grown):
    before = rate(usage, price, margin_bp)
    after = rate(replace(usage, **{grown: getattr(usage, grown) + 1}), price, margin_bp)

    assert before.cost_pico_usd <= after.cost_pico_usd
    assert before.billed_nano_usd <= after.billed_nano_usd


@given(partitions(), partitions(), prices(), MARGINS_BP)
def test_two_answers_cost_what_their_sum_costs_up_to_one_rounding(first, second, price, margin_bp):
    usages_apart = [first[1], second[1]]
    names = ("prompt_tokens", "completion_tokens", *PARTS)
    together = Usage(**{n: sum(getattr(u, n) for u in usages_apart) for n in names})
    apart = [rate(usage, price, margin_bp) for usage in usages_apart]
    whole = rate(together, price, margin_bp)

    assert whole.cost_pico_usd == sum(charge.cost_pico_usd for charge in apart)
    assert abs(whole.billed_nano_usd - sum(charge.billed_nano_usd for charge in apart)) <= 1


@given(TOKENS, TOKENS, prices())
def test_savings_never_have_the_wrong_sign_and_undo_themselves(original, optimized, price):
    saved = savings_nano_usd(original, optimized, price)

    assert saved == -savings_nano_usd(optimized, original, price)
    assert (price_prompt(original, price) - price_prompt(optimized, price)) * saved >= 0
