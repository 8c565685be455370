"""What an exchange consumed: the provider's report where it is final, korad's count elsewhere."""

from __future__ import annotations

from korad.domain.usage import Usage, UsageSource


def settle_usage(
    reported: Usage | None, *, final: bool, counted_prompt: int, counted_completion: int
) -> Usage:
    """Return the usage to bill.

    `final`: the answer was complete, so that the report is the provider's last word. A report of
    an answer cut short (Anthropic sends the prompt's at the start) keeps its prompt side; its
    completion side is at least what was counted on the way.
    """
    if reported is None:
        return Usage(
            prompt_tokens=counted_prompt,
            completion_tokens=counted_completion,
            source=UsageSource.COUNTED,
        )
    if final or reported.completion_tokens >= counted_completion:
        return reported
    return Usage(
        prompt_tokens=reported.prompt_tokens,
        completion_tokens=counted_completion,
        cached_prompt_tokens=reported.cached_prompt_tokens,
        cache_write_tokens=reported.cache_write_tokens,
        cache_write_1h_tokens=reported.cache_write_1h_tokens,
        audio_prompt_tokens=reported.audio_prompt_tokens,
        service_tier=reported.service_tier,
        source=UsageSource.COUNTED,
    )
