"""Whose word counts: the provider's where it is final, korad's count elsewhere."""

from __future__ import annotations

import pytest

from korad.domain.usage import Usage, UsageSource
from korad.metering import settle_usage

START = Usage(
    prompt_tokens=100,
    completion_tokens=1,
    cached_prompt_tokens=40,
    cache_write_tokens=30,
    cache_write_1h_tokens=20,
    audio_prompt_tokens=5,
    service_tier="priority",
)


def settled(reported, *, final, prompt=7, completion=9):
    return settle_usage(reported, final=final, counted_prompt=prompt, counted_completion=completion)


@pytest.mark.parametrize("final", [True, False])
def test_without_a_report_everything_is_counted(final):
    assert settled(None, final=final) == Usage(
        prompt_tokens=7, completion_tokens=9, source=UsageSource.COUNTED
    )


def test_a_final_report_is_the_last_word_also_below_the_count():
    assert settled(START, final=True) is START


@pytest.mark.parametrize("completion", [0, 1])
def test_a_report_of_a_cut_answer_stands_if_it_is_not_below_the_count(completion):
    assert settled(START, final=False, completion=completion) is START


def test_a_report_of_a_cut_answer_keeps_its_prompt_side_and_gets_the_counted_completion():
    assert settled(START, final=False) == Usage(
        prompt_tokens=100,
        completion_tokens=9,
        cached_prompt_tokens=40,
        cache_write_tokens=30,
        cache_write_1h_tokens=20,
        audio_prompt_tokens=5,
        service_tier="priority",
        source=UsageSource.COUNTED,
    )
