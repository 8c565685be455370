"""Anthropic's token counts in OpenAI's terms.

Anthropic's `input_tokens` leaves out what was read from and written to the cache; OpenAI's
`prompt_tokens` is everything. Leaving a class out bills a cached prompt at nothing.
"""

from __future__ import annotations

from typing import Any

from korad.domain.usage import TIER_CHARS_MAX, Usage
from korad.providers.anthropic_events import CacheCreation, OutputDetails, ReportedUsage

_TIERS = {"standard": "default"}


def merge(earlier: ReportedUsage, later: ReportedUsage) -> ReportedUsage:
    """Return both reports of one stream as one.

    The counters are cumulative, and the last report may leave out, null or zero what
    `message_start` told: the larger figure is the true one.
    """
    return ReportedUsage(
        input_tokens=_larger(earlier.input_tokens, later.input_tokens),
        output_tokens=_larger(earlier.output_tokens, later.output_tokens),
        cache_read_input_tokens=_larger(
            earlier.cache_read_input_tokens, later.cache_read_input_tokens
        ),
        cache_creation_input_tokens=_larger(
            earlier.cache_creation_input_tokens, later.cache_creation_input_tokens
        ),
        cache_creation=later.cache_creation or earlier.cache_creation,
        output_tokens_details=later.output_tokens_details or earlier.output_tokens_details,
        service_tier=later.service_tier or earlier.service_tier,
    )


def fold(reported: ReportedUsage) -> Usage:
    """Return the report as korad's usage, both cache classes inside the prompt."""
    lifetimes = reported.cache_creation or CacheCreation()
    written = reported.cache_creation_input_tokens
    if written is None and reported.cache_creation is not None:
        written = (lifetimes.ephemeral_5m_input_tokens or 0) + (
            lifetimes.ephemeral_1h_input_tokens or 0
        )
    details = reported.output_tokens_details or OutputDetails()
    tier = reported.service_tier
    return Usage(
        prompt_tokens=(reported.input_tokens or 0)
        + (reported.cache_read_input_tokens or 0)
        + (written or 0),
        completion_tokens=reported.output_tokens or 0,
        cached_prompt_tokens=reported.cache_read_input_tokens,
        cache_write_tokens=written,
        cache_write_1h_tokens=lifetimes.ephemeral_1h_input_tokens,
        reasoning_tokens=details.thinking_tokens,
        service_tier=None if tier is None else _TIERS.get(tier, tier)[:TIER_CHARS_MAX],
    )


def usage_object(usage: Usage) -> dict[str, Any]:
    """Return OpenAI's `usage` object; the total is the sum of what stands above it."""
    prompt_details = {
        "cached_tokens": usage.cached_prompt_tokens or 0,
        "cache_write_tokens": usage.cache_write_tokens or 0,
    }
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens or 0},
    }


def _larger(earlier: int | None, later: int | None) -> int | None:
    if earlier is None or later is None:
        return later if earlier is None else earlier
    return max(earlier, later)
