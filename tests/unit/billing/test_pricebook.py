"""Which price a model has: names, overrides, dates, hours."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

import korad
from korad.billing import PriceBook, pricebook
from korad.domain.money import new_price

LIST = Path(korad.__file__).parent / "data" / "prices.json"
TODAY = "2026-11-22"


def flat(pico_usd):
    return new_price({"input": pico_usd, "output": pico_usd})


def row(pico_usd, **more):
    return {"price": [pico_usd, pico_usd], **more}


def listed(*models, fallback=()):
    return {"fallback": list(fallback), "models": list(models)}


def model(name, match, *rows):
    return {"id": name, "match": match, "rows": list(rows)}


def book(overrides=None, *, today=TODAY, **providers):
    data = orjson.dumps({"date": "2026-11-01", "providers": providers})
    return PriceBook.parse(data, overrides or {}, today=today)


@pytest.fixture(scope="module")
def shipped():
    return PriceBook.parse(LIST.read_bytes(), {}, today=TODAY)


@pytest.mark.parametrize(
    ("provider", "name", "same_as"),
    [
        ("openai", "GPT-4o-Mini", ("openai", "gpt-4o-mini")),
        ("OpenAI", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai", "gpt-4o-mini-2024-07-18", ("openai", "gpt-4o-mini")),
        ("openai", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("openai", "gpt-5.2-20251211", ("openai", "gpt-5.2")),
        ("openai", "gpt-4.1-2031-01-01", ("openai", "gpt-4.1")),
        ("anthropic", "claude-sonnet-4-5-20250929", ("anthropic", "claude-sonnet-4-5")),
        ("anthropic", "claude-sonnet-4-5@20250929", ("anthropic", "claude-sonnet-4-5")),
        ("anthropic", "anthropic/claude-sonnet-4.5", ("anthropic", "claude-sonnet-4-5")),
        ("anthropic", "claude-opus-5-5-latest", ("anthropic", "claude-opus-5-5")),
        (
            "openrouter",
            "anthropic/claude-sonnet-4-5",
            ("openrouter", "anthropic/claude-sonnet-4.5"),
        ),
        ("gemini", "models/gemini-2.5-flash", ("gemini", "gemini-2.5-flash")),
        ("fireworks", "deepseek-v3p2", ("fireworks", "accounts/fireworks/models/deepseek-v3p2")),
        ("together", "qwen/qwen3.7-max", ("together", "Qwen/Qwen3.7-Max")),
        ("azure", "gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("my-gateway", "openai/gpt-4o-mini", ("openai", "gpt-4o-mini")),
        ("my-gateway", "google/gemini-2.5-flash", ("gemini", "gemini-2.5-flash")),
        ("my-gateway", "x-ai/grok-4", ("xai", "grok-4")),
        ("my-gateway", "openrouter/openai/gpt-4o", ("openrouter", "openai/gpt-4o")),
    ],
)
def test_a_model_has_one_price_under_all_its_names(shipped, provider, name, same_as):
    price = shipped.find(*same_as)

    assert price is not None
    assert price == shipped.find(provider, name)


def test_every_provider_of_the_list_has_a_well_known_model(shipped):
    known = {
        "openai": "gpt-4o",
        "anthropic": "claude-opus-5",
        "groq": "llama-3.3-70b-versatile",
        "mistral": "mistral-large-latest",
        "deepseek": "deepseek-v4-flash",
        "together": "Qwen/Qwen3.7-Max",
        "fireworks": "glm-5p2",
        "openrouter": "openai/gpt-4o-mini",
        "xai": "grok-4.5",
        "gemini": "gemini-3-pro-preview",
        "azure": "gpt-5.6",
    }
    unpriced = [f"{p}/{name}" for p, name in known.items() if shipped.find(p, name) is None]

    assert unpriced == []


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("openai", "gpt-nothing"),
        ("openai", ""),
        ("openai", "text-embedding-3-small"),
        ("openai", "whisper-1"),
        ("my-gateway", "gpt-4o"),
        ("my-gateway", "nobody/gpt-4o"),
        ("vllm", "openai/gpt-4o"),
        ("ollama", "deepseek/deepseek-chat"),
        ("openrouter", "openai/gpt-4o-mini:unheard-of"),
        ("anthropic", "x" * 1_000_000),
    ],
)
def test_a_model_that_is_not_known_has_no_price(shipped, provider, name):
    assert shipped.find(provider, name) is None


def test_a_snapshot_with_a_price_of_its_own_keeps_it(shipped):
    assert shipped.find("openai", "gpt-4o-2024-05-13") != shipped.find("openai", "gpt-4o")


def test_only_openrouters_free_models_cost_nothing(shipped):
    free = [
        f"{provider}/{name}"
        for provider in ("openai", "anthropic", "gemini", "deepseek", "xai", "together")
        for name in shipped.models(provider)
        if shipped.find(provider, name).output_pico_usd == 0
    ]

    assert free == []


def test_the_book_says_how_old_its_list_is(shipped):
    assert orjson.loads(LIST.read_bytes())["date"] == shipped.date


def test_the_longest_override_wins_and_beats_the_list():
    patterns = {
        "*": flat(1),
        "openai/*": flat(2),
        "openai/gpt-4o*": flat(3),
        "openai/gpt-4o": flat(4),
        "OpenAI/GPT-5": flat(5),
    }
    prices = book(patterns, openai=listed(model("gpt-4o", "=gpt-4o", row(9))))
    found = {
        name: prices.find(*name.split("/")).input_pico_usd
        for name in ("groq/any", "openai/o1", "openai/gpt-4o-mini", "openai/gpt-4o", "openai/gpt-5")
    }

    assert found == {
        "groq/any": 1,
        "openai/o1": 2,
        "openai/gpt-4o-mini": 3,
        "openai/gpt-4o": 4,
        "openai/gpt-5": 5,
    }


def test_local_inference_has_the_price_it_is_given():
    prices = book({"vllm/*": flat(7)})

    assert flat(7) == prices.find("vllm", "openai/gpt-oss-20b")
    assert prices.find("ollama", "openai/gpt-oss-20b") is None


@pytest.mark.parametrize(
    ("today", "pico_usd"),
    [("2026-01-01", 1), ("2026-05-31", 1), ("2026-06-01", 2), ("2026-12-31", 2), ("2027-01-01", 3)],
)
def test_the_row_in_force_today_counts(today, pico_usd):
    rows = (row(1), row(2, **{"from": "2026-06-01"}), row(3, **{"from": "2027-01-01"}))
    prices = book(today=today, openai=listed(model("m", "=m", *rows)))

    assert flat(pico_usd) == prices.find("openai", "m")


def test_a_model_before_its_first_row_or_after_its_last_has_no_price():
    rows = (row(1, **{"from": "2026-06-01"}), {"from": "2026-09-01", "price": None})
    days = ("2026-05-31", "2026-06-01", "2026-09-01")
    books = [book(today=day, openai=listed(model("m", "=m", *rows))) for day in days]

    assert [None, flat(1), None] == [prices.find("openai", "m") for prices in books]
    assert [prices.models("openai") for prices in books] == [[], ["m"], []]


def test_an_hour_with_a_price_of_its_own_costs_that_and_an_unknown_hour_the_dearest():
    day = row(2, hours=[[60, 120, row(3)], [1_380, 30, row(1)]])
    prices = book(openai=listed(model("m", "=m", day)))
    minutes = (None, 0, 29, 30, 60, 119, 120, 1_379, 1_380)

    assert [prices.find("openai", "m", minute).input_pico_usd for minute in minutes] == [
        3,
        1,
        1,
        2,
        3,
        3,
        2,
        2,
        1,
    ]


@pytest.mark.parametrize(
    ("rule", "takes", "leaves"),
    [
        ("=a-b", "a-b", "a-b-c"),
        ("^a-b", "a-b-c", "x-a-b"),
        ("$a-b", "x-a-b", "a-b-c"),
        ("~a-b", "x-a-b-c", "a-c"),
        (r"/^a-\d$", "a-1", "a-12"),
        (["=x", ["^y", "=z"]], "yy", "zz"),
        ({"all": ["^a", ["$c", "$d"]]}, "abd", "abe"),
    ],
)
def test_each_kind_of_rule_takes_what_it_says(rule, takes, leaves):
    prices = book(openai=listed(model("id", rule, row(1))))

    assert flat(1) == prices.find("openai", takes)
    assert prices.find("openai", leaves) is None


def test_the_first_model_whose_rule_takes_a_name_has_it():
    models = [
        model("a", "^m-", row(1)),
        model("b", ["=m-1", "=n"], row(2)),
        model("c", "^n", row(3)),
    ]
    prices = book(openai=listed(*models))

    assert flat(1) == prices.find("openai", "m-1")
    assert flat(2) == prices.find("openai", "n")
    assert flat(3) == prices.find("openai", "n-1")


def test_a_listed_model_without_a_price_is_not_looked_for_elsewhere():
    azure = listed(model("m", "=m"), fallback=["openai"])
    prices = book(azure=azure, openai=listed(model("m", "=m", row(1)), model("n", "=n", row(2))))

    assert prices.find("azure", "m") is None
    assert flat(2) == prices.find("azure", "n")


def test_the_models_to_offer_are_concrete_names_with_a_price():
    models = [
        model("gpt-5.1", ["=gpt-5.1", "=gpt-5-1", "=gpt-5.1-2025-11-13"], row(1)),
        model("Qwen/Big", "=qwen/big", row(1)),
        model("family", "^family", row(1)),
        model("tuned-", "^tuned-", row(1)),
        model("pattern", "^other-", row(1)),
        model("speech", "=speech"),
        model("nickname", "=vendor/full-name", row(1)),
    ]
    prices = book({"openai/mine": flat(1), "openai/some*": flat(1)}, openai=listed(*models))

    assert (prices.models("OpenAI")) == [
        "Qwen/Big",
        "family",
        "gpt-5.1",
        "gpt-5.1-2025-11-13",
        "mine",
        "vendor/full-name",
    ]
    assert prices.models("nobody") == []


def test_every_offered_model_has_a_price(shipped):
    providers = orjson.loads(LIST.read_bytes())["providers"]
    offered = [(provider, name) for provider in providers for name in shipped.models(provider)]

    assert len(offered) > 1_000
    assert [pair for pair in offered if shipped.find(*pair) is None] == []


def test_look_ups_are_kept_up_to_a_bound(monkeypatch):
    monkeypatch.setattr(pricebook, "LOOKUPS_MAX", 3)
    prices = book({"openai/*": flat(1)})
    found = [prices.find("openai", f"m{n}") for n in (0, 1, 2, 3, 4, 0)]

    assert [flat(1)] * 6 == found
    assert list(prices._lookups) == [("openai", "m3"), ("openai", "m4"), ("openai", "m0")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"date": "2026-11-01", "providers": []}',
        b'{"date": "2026-11-01", "providers": {"openai": {"models": 1, "fallback": []}}}',
        b'{"date": "d", "providers": {"p": {"fallback": [], "models": [{"id": "m"}]}}}',
        orjson.dumps({"date": "d", "providers": {"p": listed(model("m", "?m"))}}),
        orjson.dumps({"date": "d", "providers": {"p": listed(model("m", "/("))}}),
    ],
)
def test_what_is_not_a_price_list_is_refused(data):
    with pytest.raises(ValueError):  # noqa: PT011 - each way of being wrong words it differently
        PriceBook.parse(data, {}, today=TODAY)
