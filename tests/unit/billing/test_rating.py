"""What an answer costs: classes, tiers, service tiers, nonsense, rounding."""

from __future__ import annotations

import pytest

from korad.billing import price_prompt, rate, savings_nano_usd
from korad.domain.money import (
    PriceTier,
    format_margin,
    format_usd,
    new_price,
    price_from_usd_per_mtok,
)
from korad.domain.usage import Usage

FULL = new_price(
    {
        "input": 1_000,
        "output": 10_000,
        "cached_input": 100,
        "cache_write": 1_250,
        "cache_write_1h": 2_000,
        "reasoning": 20_000,
        "audio_input": 3_000,
        "audio_output": 40_000,
    }
)
BARE = new_price({"input": 1_000, "output": 10_000})


def cost(price=FULL, **tokens):
    usage = Usage(**{"prompt_tokens": 0, "completion_tokens": 0} | tokens)
    return rate(usage, price, 10_000).cost_pico_usd


def test_the_documented_example_is_charged_as_documented():
    price = price_from_usd_per_mtok({"input": "2.00", "output": "2.00"})
    usage = Usage(prompt_tokens=10, completion_tokens=9, cached_prompt_tokens=0)
    charge = rate(usage, price, 15_000)

    assert (
        format_usd(charge.billed_nano_usd),
        format_margin(charge.margin_bp),
    ) == ("$0.000057", "1.50x")
    assert format_usd(savings_nano_usd(10, 10, price)) == "$0.000000"
    assert (38_000_000, 38_000, price.price_id) == (
        charge.cost_pico_usd,
        charge.cost_nano_usd,
        charge.price_id,
    )


@pytest.mark.parametrize(
    ("tokens", "pico_usd"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, 7_000 + 30_000),
        ({"prompt_tokens": 7, "cached_prompt_tokens": 5}, 2_000 + 500),
        ({"prompt_tokens": 7, "cache_write_tokens": 5}, 2_000 + 6_250),
        (
            {"prompt_tokens": 7, "cache_write_tokens": 5, "cache_write_1h_tokens": 2},
            2_000 + 3_750 + 4_000,
        ),
        ({"prompt_tokens": 7, "audio_prompt_tokens": 7}, 21_000),
        ({"completion_tokens": 7, "reasoning_tokens": 5}, 20_000 + 100_000),
        (
            {"completion_tokens": 7, "audio_completion_tokens": 5, "reasoning_tokens": 1},
            10_000 + 200_000 + 20_000,
        ),
    ],
)
def test_each_class_of_tokens_has_its_price(tokens, pico_usd):
    assert pico_usd == cost(**tokens)


@pytest.mark.parametrize(
    "part",
    ["cached_prompt_tokens", "cache_write_tokens", "cache_write_1h_tokens", "audio_prompt_tokens"],
)
def test_a_prompt_class_without_a_price_costs_what_input_costs(part):
    assert cost(BARE, prompt_tokens=9) == cost(BARE, prompt_tokens=9, **{part: 4})


@pytest.mark.parametrize("part", ["reasoning_tokens", "audio_completion_tokens"])
def test_a_completion_class_without_a_price_costs_what_output_costs(part):
    assert cost(BARE, completion_tokens=9) == cost(BARE, completion_tokens=9, **{part: 4})


def test_an_hour_of_cache_without_a_price_costs_what_writing_costs():
    price = new_price({"input": 1_000, "output": 1, "cache_write": 1_250})

    assert cost(price, prompt_tokens=4, cache_write_tokens=4, cache_write_1h_tokens=3) == 5_000


def test_a_class_priced_at_zero_is_free():
    price = new_price({"input": 1_000, "output": 1, "cached_input": 0})

    assert cost(price, prompt_tokens=5, cached_prompt_tokens=3) == 2_000


@pytest.mark.parametrize(
    ("tokens", "pico_usd"),
    [
        ({"prompt_tokens": -5, "completion_tokens": -5}, 0),
        ({"prompt_tokens": -5, "cached_prompt_tokens": 5, "reasoning_tokens": 5}, 0),
        ({"prompt_tokens": 5, "cached_prompt_tokens": 9}, 500),
        ({"prompt_tokens": 5, "cached_prompt_tokens": -9}, 5_000),
        ({"prompt_tokens": 5, "cached_prompt_tokens": 4, "cache_write_tokens": 4}, 400 + 1_250),
        ({"prompt_tokens": 5, "cache_write_1h_tokens": 2}, 3_000 + 4_000),
        ({"completion_tokens": 5, "reasoning_tokens": 9}, 100_000),
        (
            {"completion_tokens": 5, "reasoning_tokens": -9, "audio_completion_tokens": 2},
            30_000 + 80_000,
        ),
    ],
)
def test_nonsense_is_cut_down_to_the_tokens_there_are(tokens, pico_usd):
    assert pico_usd == cost(**tokens)


def test_a_long_prompt_puts_the_whole_request_at_the_prices_of_its_tier():
    first = PriceTier(prompt_tokens_above=100, price=new_price({"input": 2, "output": 20}))
    second = PriceTier(prompt_tokens_above=200, price=new_price({"input": 3, "output": 30}))
    price = new_price({"input": 1, "output": 10}, tiers=(first, second))

    assert cost(price, prompt_tokens=100, completion_tokens=1) == 100 + 10
    assert cost(price, prompt_tokens=101, completion_tokens=1) == 202 + 20
    assert cost(price, prompt_tokens=200, completion_tokens=1) == 400 + 20
    assert cost(price, prompt_tokens=201, completion_tokens=1) == 603 + 30


def test_the_service_tier_that_was_served_sets_price_and_price_id():
    flex = new_price({"input": 1, "output": 1})
    price = new_price({"input": 2, "output": 2}, service_tiers=(("flex", flex),))
    usages = [
        Usage(prompt_tokens=3, completion_tokens=0, service_tier=tier)
        for tier in ("flex", "default", None)
    ]
    charges = [rate(usage, price, 10_000) for usage in usages]

    assert [charge.cost_pico_usd for charge in charges] == [3, 6, 6]
    assert [flex.price_id, price.price_id, price.price_id] == [c.price_id for c in charges]


@pytest.mark.parametrize(
    ("pico_usd", "margin_bp", "nano_usd"),
    [
        (500, 10_000, 0),
        (1_500, 10_000, 2),
        (2_500, 10_000, 2),
        (2_501, 10_000, 3),
        (1_000, 15_000, 2),
        (3_000, 15_000, 4),
        (1_499, 10_007, 2),
        (1_000, 0, 0),
    ],
)
def test_the_bill_is_rounded_once_half_even_after_the_margin(pico_usd, margin_bp, nano_usd):
    price = new_price({"input": pico_usd, "output": 0})
    usage = Usage(prompt_tokens=1, completion_tokens=0)

    assert nano_usd == rate(usage, price, margin_bp).billed_nano_usd


def test_savings_are_the_difference_of_two_prices_across_a_tier():
    tier = PriceTier(prompt_tokens_above=100, price=new_price({"input": 8_000, "output": 0}))
    price = new_price({"input": 4_000, "output": 0}, tiers=(tier,))

    assert price_prompt(120, price) == 120 * 8_000
    assert savings_nano_usd(120, 90, price) == 120 * 8 - 90 * 4
    assert savings_nano_usd(90, 120, price) == -(120 * 8 - 90 * 4)
