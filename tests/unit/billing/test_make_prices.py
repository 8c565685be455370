"""The shipped list against the package it is made from."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib.metadata import version
from pathlib import Path

import genai_prices
import orjson
import pytest
from genai_prices import data as source

import korad
from korad.billing import PriceBook, rate
from korad.domain.usage import Usage
from scripts import make_prices

LIST = Path(korad.__file__).parent / "data" / "prices.json"
HEAD = orjson.loads(LIST.read_bytes())

if HEAD["version"] != version("genai-prices"):
    pytest.skip(
        f"the list is of genai-prices {HEAD['version']}, installed is {version('genai-prices')}",
        allow_module_level=True,
    )

DAYS = ("2025-10-01", "2026-08-20", HEAD["date"], "2027-02-01")
MOMENTS = [
    datetime.fromisoformat(f"{day}T{hour:02}:30:00+00:00") for day in DAYS for hour in (2, 12)
]
USAGES = [
    {"input_tokens": 10, "output_tokens": 9},
    {"input_tokens": 5_000, "output_tokens": 700, "cache_read_tokens": 4_096},
    {
        "input_tokens": 5_000,
        "output_tokens": 1,
        "cache_read_tokens": 11,
        "cache_write_tokens": 4_000,
    },
    {"input_tokens": 200_000, "output_tokens": 123},
    {"input_tokens": 200_001, "output_tokens": 123, "cache_read_tokens": 150_000},
    {"input_tokens": 272_001, "output_tokens": 31_999, "cache_write_tokens": 5},
]
MODELS = [
    ("openai", "gpt-4o-mini"),
    ("openai", "gpt-5.6"),
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-opus-5"),
    ("deepseek", "deepseek-chat"),
    ("deepseek", "deepseek-v4-flash"),
    ("gemini", "gemini-3-pro-preview"),
    ("gemini", "gemini-2.5-flash"),
]


@pytest.fixture(scope="module")
def books():
    return {day: PriceBook.parse(LIST.read_bytes(), {}, today=day) for day in DAYS}


def our_cost_pico_usd(price, tokens, service_tier=None):
    usage = Usage(
        prompt_tokens=tokens["input_tokens"],
        completion_tokens=tokens["output_tokens"],
        cached_prompt_tokens=tokens.get("cache_read_tokens"),
        cache_write_tokens=tokens.get("cache_write_tokens"),
        cache_write_1h_tokens=tokens.get("cache_write_1h_tokens"),
        audio_prompt_tokens=tokens.get("input_audio_tokens"),
        audio_completion_tokens=tokens.get("output_audio_tokens"),
        service_tier=service_tier,
    )
    return rate(usage, price, 10_000).cost_pico_usd


def their_cost_pico_usd(provider, model, tokens, moment, context=None):
    calculation = genai_prices.calc_price(
        genai_prices.Usage(**tokens),
        model,
        provider_id=make_prices.PROVIDERS[provider],
        genai_request_timestamp=moment,
        price_context=context,
    )
    return calculation.total_price.scaleb(12)


def minute_of(moment):
    return moment.hour * 60 + moment.minute


@pytest.mark.parametrize(("provider", "model"), MODELS)
def test_a_known_model_costs_what_the_package_says_on_any_day(books, provider, model):
    ours = []
    theirs = []
    for moment in MOMENTS:
        price = books[moment.date().isoformat()].find(provider, model, minute_of(moment))
        ours += [our_cost_pico_usd(price, tokens) for tokens in USAGES]
        theirs += [their_cost_pico_usd(provider, model, tokens, moment) for tokens in USAGES]

    assert theirs == ours


@pytest.mark.parametrize(
    ("provider", "model", "served", "context"),
    [
        ("openai", "gpt-5.6", "flex", {"service_tier": "flex"}),
        ("openai", "gpt-5.6", "priority", {"service_tier": "priority"}),
        ("openai", "gpt-4o", "priority", {"service_tier": "priority"}),
        ("openai", "gpt-4o", "default", {"service_tier": "default"}),
        ("anthropic", "claude-opus-5", "fast", {"speed": "fast"}),
    ],
)
def test_a_service_tier_costs_what_the_package_says(books, provider, model, served, context):
    ours = []
    theirs = []
    for moment in MOMENTS:
        price = books[moment.date().isoformat()].find(provider, model)
        ours += [our_cost_pico_usd(price, tokens, served) for tokens in USAGES]
        theirs += [their_cost_pico_usd(provider, model, t, moment, context) for t in USAGES]

    assert theirs == ours


@pytest.mark.parametrize(
    ("provider", "model", "tokens"),
    [
        (
            "openai",
            "gpt-4o-audio-preview",
            {
                "input_tokens": 90,
                "input_audio_tokens": 40,
                "output_tokens": 30,
                "output_audio_tokens": 20,
            },
        ),
        (
            "anthropic",
            "claude-sonnet-4-5",
            {
                "input_tokens": 90,
                "cache_read_tokens": 20,
                "cache_write_tokens": 50,
                "cache_write_1h_tokens": 30,
                "output_tokens": 30,
            },
        ),
    ],
)
def test_audio_and_cache_lifetimes_cost_what_the_package_says(books, provider, model, tokens):
    price = books[HEAD["date"]].find(provider, model)
    moment = datetime.fromisoformat(HEAD["date"]).replace(tzinfo=UTC)

    assert their_cost_pico_usd(provider, model, tokens, moment) == our_cost_pico_usd(price, tokens)


@pytest.mark.parametrize("provider", make_prices.PROVIDERS)
def test_every_model_of_the_list_costs_what_the_package_says(books, provider):
    prices = books[HEAD["date"]]
    moment = datetime.fromisoformat(HEAD["date"] + "T12:30:00+00:00")
    tokens = {"input_tokens": 3_000, "cache_read_tokens": 2_000, "output_tokens": 100}
    wrong = []
    for model in prices.models(provider):
        ours = our_cost_pico_usd(prices.find(provider, model, minute_of(moment)), tokens)
        theirs = their_cost_pico_usd(provider, model, tokens, moment)
        if theirs != ours:
            wrong.append((model, theirs, ours))

    assert wrong == []


def test_making_the_list_again_gives_the_same_bytes():
    assert make_prices.build(date.fromisoformat(HEAD["date"])) == LIST.read_bytes()


def test_the_list_carries_its_licence_and_is_small():
    assert HEAD["license"].startswith("The MIT License")
    assert "Pydantic Services" in HEAD["license"]
    assert len(LIST.read_bytes()) < 400_000


def test_every_provider_of_the_list_is_in_the_package():
    known = {provider.id for provider in source.providers}

    assert set(make_prices.PROVIDERS.values()) <= known
    assert list(make_prices.PROVIDERS) == list(HEAD["providers"])
