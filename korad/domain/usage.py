"""What an answer consumed, in OpenAI's terms."""

from __future__ import annotations

from enum import Enum

from korad.domain.value import Fact

TIER_CHARS_MAX = 64
"""A longer name of a service tier is cut off: records have no room for it."""


class UsageSource(Enum):
    """Who says so: the provider's report, korad's count where none came, or the response cache."""

    PROVIDER = "provider"
    COUNTED = "counted"
    CACHE = "cache"
    """Nothing was consumed: a stored answer was told again."""

    # Members are singletons; Enum's own hash is a call into Python, once a request.
    __hash__ = object.__hash__


class Usage(Fact, frozen=True, omit_defaults=True):
    """Token counts of one answer. All are integers >= 0; None means "not reported", never zero.

    `prompt_tokens` includes every cached, cache-written and audio prompt token, and
    `completion_tokens` includes reasoning and audio, as in OpenAI's `usage` object. Dialects
    that count otherwise (Anthropic's `input_tokens` excludes both cache classes) convert in
    their own file.
    """

    prompt_tokens: int
    completion_tokens: int
    cached_prompt_tokens: int | None = None
    cache_write_tokens: int | None = None
    """All tokens written to the provider's prompt cache, whatever their lifetime."""
    cache_write_1h_tokens: int | None = None
    """The part of `cache_write_tokens` kept for an hour, which Anthropic prices apart."""
    reasoning_tokens: int | None = None
    audio_prompt_tokens: int | None = None
    audio_completion_tokens: int | None = None
    service_tier: str | None = None
    """The tier the provider says it served ("default", "flex", "priority"): it sets the price."""
    source: UsageSource = UsageSource.PROVIDER
