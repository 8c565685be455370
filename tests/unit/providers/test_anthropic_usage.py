"""Token counts in OpenAI's terms."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from korad.domain.usage import Usage
from korad.providers.anthropic_events import ReportedUsage
from korad.providers.anthropic_usage import fold, merge, usage_object


def reported(**members: Any) -> ReportedUsage:
    return msgspec.convert(members, ReportedUsage)


FULL = {
    "input_tokens": 10,
    "output_tokens": 7,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 1000,
    "cache_creation": {"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
    "output_tokens_details": {"thinking_tokens": 3},
    "service_tier": "standard",
}


def test_the_prompt_is_the_sum_of_its_three_classes() -> None:
    assert Usage(
        prompt_tokens=1110,
        completion_tokens=7,
        cached_prompt_tokens=100,
        cache_write_tokens=1000,
        cache_write_1h_tokens=400,
        reasoning_tokens=3,
        service_tier="default",
    ) == fold(reported(**FULL))


def test_what_is_not_reported_is_none() -> None:
    assert Usage(prompt_tokens=10, completion_tokens=7) == fold(
        reported(input_tokens=10, output_tokens=7)
    )


def test_lifetimes_without_their_sum_are_summed() -> None:
    usage = fold(reported(input_tokens=1, cache_creation=FULL["cache_creation"]))

    assert (1001, 1000) == (usage.prompt_tokens, usage.cache_write_tokens)


@pytest.mark.parametrize(
    ("tier", "expected"), [("standard", "default"), ("priority", "priority"), ("batch", "batch")]
)
def test_tiers_have_openais_names(tier: str, expected: str) -> None:
    assert expected == fold(reported(service_tier=tier)).service_tier


@pytest.mark.parametrize(
    "later",
    [
        {"output_tokens": 50},
        {
            "input_tokens": None,
            "output_tokens": 50,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": None,
        },
        {**FULL, "output_tokens": 50},
    ],
)
def test_a_later_report_adds_to_the_earlier_and_never_takes_away(later: dict[str, Any]) -> None:
    expected = fold(reported(**{**FULL, "output_tokens": 50}))

    assert expected == fold(merge(reported(**FULL), reported(**later)))


def test_a_later_report_may_bring_everything() -> None:
    assert fold(reported(**FULL)) == fold(merge(reported(), reported(**FULL)))


def test_the_total_is_prompt_plus_completion() -> None:
    assert {
        "prompt_tokens": 1110,
        "completion_tokens": 7,
        "total_tokens": 1117,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 1000},
        "completion_tokens_details": {"reasoning_tokens": 3},
    } == usage_object(fold(reported(**FULL)))
