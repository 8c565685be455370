"""What an exchange asks for, which periods count, and what a refusal says."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest

from korad.adapters.books import shard_of as shard_of_books
from korad.admission import (
    COMPLETION_TOKENS_DEFAULT,
    MODELS_MAX,
    CompletionSizes,
    budget_exceeded,
    concurrency_limited,
    hold_sizes,
    hour_of,
    limits_unavailable,
    periods,
    request_limited,
    running_cost_nano_usd,
    shard_of,
    token_limited,
)
from korad.billing.rating import rate
from korad.domain.limits import Budget, Reset
from korad.domain.money import new_price
from korad.domain.usage import Usage


def at(text: str):
    moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    return periods(hour_of(int(moment.timestamp() * 1000)))


def sizes(**changes):
    terms = {
        "prompt_tokens": 100,
        "max_tokens": None,
        "choices": 1,
        "stream": False,
        "input_pico_usd": 1_000_000,
        "output_pico_usd": 2_000_000,
        "margin_bp": 10_000,
        "slice_tokens": 256,
        "expected_completion": 1024,
    }
    return hold_sizes(**{**terms, **changes})


# ── windows ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("moment", "reset", "window"),
    [
        ("2026-11-26T12:34:56", Reset.NEVER, ()),
        ("2026-11-26T23:59:59", Reset.DAY, ("2026-11-26",)),
        ("2026-11-27T00:00:00", Reset.DAY, ("2026-11-27",)),
        ("2026-11-30T23:59:59", Reset.MONTH, ("2026-11",)),
        ("2026-12-01T00:00:00", Reset.MONTH, ("2026-12",)),
        ("2026-11-22T23:59:59", Reset.WEEK, tuple(f"2026-11-{d}" for d in range(22, 15, -1))),
        ("2026-11-23T00:00:00", Reset.WEEK, ("2026-11-23",)),
        ("2026-12-02T08:00:00", Reset.WEEK, ("2026-12-02", "2026-12-01", "2026-11-30")),
        ("2024-03-01T00:00:00", Reset.LAST_7D, (
            "2024-03-01", "2024-02-29", "2024-02-28", "2024-02-27", "2024-02-26", "2024-02-25",
            "2024-02-24",
        )),
    ],
)  # fmt: skip
def test_a_window_is_the_periods_since_the_reset(moment, reset, window):
    assert window == at(moment).window(reset)


def test_a_rolling_day_is_this_hour_and_the_23_before():
    hours = at("2027-01-01T01:30:00").window(Reset.LAST_24H)

    assert ("2027-01-01T01", "2027-01-01T00", "2026-12-31T23") == hours[:3]
    assert 24 == len(hours)
    assert "2026-12-31T02" == hours[-1]


def test_a_rolling_month_is_today_and_the_29_before():
    days = at("2026-03-01T00:00:00").window(Reset.LAST_30D)

    assert (30, "2026-03-01", "2026-01-31") == (len(days), days[0], days[-1])


def test_an_account_decides_on_the_shard_of_its_events():
    for account in ("vk_1", "tm_a", "cu_ü"):
        assert shard_of_books(account, 16) == shard_of(account, 16)


# ── sizes ────────────────────────────────────────────────────────────────────────────────────


def test_a_stream_begins_with_a_slice_of_each_choice():
    held = sizes(stream=True, max_tokens=4000, choices=2)

    assert (100 * 1000 + 512 * 2000) == held.amount_nano_usd == held.least_nano_usd
    assert 100 + 8000 == held.tokens


def test_a_short_stream_begins_with_all_of_it():
    assert 100 * 1000 + 10 * 2000 == sizes(stream=True, max_tokens=10).amount_nano_usd


def test_a_stream_without_a_maximum_may_use_what_is_expected():
    held = sizes(stream=True)

    assert (100_000 + 256 * 2000, 100 + 1024) == (held.amount_nano_usd, held.tokens)


def test_an_answer_with_a_maximum_needs_all_of_it():
    held = sizes(max_tokens=500, choices=3)

    assert 100_000 + 1500 * 2000 == held.amount_nano_usd == held.least_nano_usd
    assert 1600 == held.tokens


def test_an_answer_without_a_maximum_may_begin_with_a_slice():
    held = sizes(expected_completion=1000)

    assert (100_000 + 2_000_000, 100_000 + 512_000) == (held.amount_nano_usd, held.least_nano_usd)


def test_the_least_is_at_most_the_amount():
    held = sizes(expected_completion=10)

    assert held.amount_nano_usd == held.least_nano_usd == 100_000 + 20_000


@pytest.mark.parametrize("margin_bp", [0, 1, 9_999, 10_000, 15_000])
@pytest.mark.parametrize(("prompt", "completion"), [(0, 0), (1, 0), (0, 1), (1234, 567)])
def test_a_running_cost_is_the_charge_rounded_up(prompt, completion, margin_bp):
    price = new_price({"input": 150_001, "output": 600_007})
    usage = Usage(prompt_tokens=prompt, completion_tokens=completion)
    charge = rate(usage, price, margin_bp).billed_nano_usd

    cost = running_cost_nano_usd(prompt, completion, 150_001, 600_007, margin_bp)

    assert charge <= cost <= charge + 1


def test_a_model_of_which_little_is_known_is_expected_to_answer_the_default():
    completions = CompletionSizes()
    for _ in range(15):
        completions.note("m", 7)

    assert COMPLETION_TOKENS_DEFAULT == completions.expected("m") == completions.expected("other")
    completions.note("m", 7)
    assert 14 == completions.expected("m")


def test_expected_is_twice_what_nearly_all_recent_answers_stay_within():
    completions = CompletionSizes()
    for tokens in [9_999] * 50 + list(range(1, 65)):
        completions.note("m", tokens)

    assert 2 * 61 == completions.expected("m")
    for _ in range(4):
        completions.note("m", 500)
    assert 1000 == completions.expected("m")


def test_only_so_many_models_are_remembered():
    completions = CompletionSizes()
    for number in range(MODELS_MAX + 5):
        completions.note(f"m{number}", 1)

    assert MODELS_MAX == len(completions._recent)
    assert "m4" not in completions._recent


# ── refusals ─────────────────────────────────────────────────────────────────────────────────


def test_a_budget_refusal_names_whose_how_much_and_when():
    error = budget_exceeded("tm_7", Budget(limit_nano_usd=10_000_000_000, reset=Reset.MONTH))

    assert (402, "insufficient_quota", "budget_exceeded") == (error.status, error.kind, error.code)
    assert "team tm_7" in error.message
    assert "$10.000000 per month" in error.message
    assert (("x-should-retry", "false"),) == error.headers


@pytest.mark.parametrize(
    ("reset", "renewal"),
    [
        (Reset.NEVER, "It does not begin anew."),
        (Reset.DAY, "It begins anew at 00:00 UTC."),
        (Reset.WEEK, "It begins anew on Monday at 00:00 UTC."),
        (Reset.MONTH, "It begins anew on the first of next month at 00:00 UTC."),
        (Reset.LAST_24H, "What was spent leaves it hour by hour."),
        (Reset.LAST_7D, "What was spent leaves it day by day, at 00:00 UTC."),
        (Reset.LAST_30D, "What was spent leaves it day by day, at 00:00 UTC."),
    ],
)
def test_a_budget_refusal_tells_when_there_is_more(reset, renewal):
    message = budget_exceeded("vk_1", Budget(limit_nano_usd=1, reset=reset)).message

    assert f". {renewal} Requests under way count" in message


def test_a_budget_refusal_need_not_know_whose():
    assert "budget" in orjson.loads(budget_exceeded().body())["error"]["message"]


@pytest.mark.parametrize(
    ("wait_ms", "headers"),
    [
        (1, {"retry-after": "1", "retry-after-ms": "1"}),
        (0, {"retry-after": "1", "retry-after-ms": "1"}),
        (1000, {"retry-after": "1", "retry-after-ms": "1000"}),
        (1001, {"retry-after": "2", "retry-after-ms": "1001"}),
    ],
)
def test_a_rate_refusal_says_when_to_come_again(wait_ms, headers):
    for error, code in (
        (request_limited("vk_1", 60, wait_ms), "request_limited"),
        (token_limited("cu_1", 60, wait_ms), "token_limited"),
    ):
        assert (429, "rate_limit_error", code) == (error.status, error.kind, error.code)
        assert headers == dict(error.headers)


def test_a_concurrency_refusal_is_worth_another_try_in_a_second():
    error = concurrency_limited("cu_1", 3)

    assert (429, "concurrency_limited") == (error.status, error.code)
    assert "Customer cu_1 may have 3 requests" in error.message
    assert "1" == dict(error.headers)["retry-after"]


def test_unavailable_limits_are_ours_to_answer_for():
    error = limits_unavailable()

    assert (503, "server_error", "limits_unavailable") == (error.status, error.kind, error.code)
    assert (("retry-after", "1"),) == error.headers
