"""What an exchange consumed: the provider's report where it is final, korad's count elsewhere."""

from __future__ import annotations

from collections import OrderedDict

from korad.domain.generated import Generated
from korad.domain.usage import Usage, UsageSource

MODELS_MAX = 4_096
DELTAS_MIN = 8
"""A shorter answer says nothing about how a model streams."""
_SLACK_TOKENS = 1
"""The end of the answer is a token to some providers."""
CHARS_PER_TOKEN_MAX = 8
"""More bytes a token are rare, in any script."""
TOKEN_CHARS_MAX = 24
"""Longer deltas, on average, are several tokens each, whatever the dialect does as a rule."""


class DeltaRates:
    """Whether a model's stream brings one token a delta, learnt from complete answers.

    Where it does, what was generated before a break is known exactly from the deltas alone, without
    the text: neither more than the provider made nor less than the client got.
    """

    __slots__ = ("_models",)

    def __init__(self) -> None:
        self._models: OrderedDict[str, bool] = OrderedDict()

    def learn(self, model: str, deltas: int, usage: Usage) -> None:
        """Take the provider's report on a complete answer of `deltas` deltas."""
        if deltas < DELTAS_MIN:
            return
        shown = usage.completion_tokens - (usage.reasoning_tokens or 0)
        equal = min(abs(shown - deltas), abs(usage.completion_tokens - deltas)) <= _SLACK_TOKENS
        if self._models.get(model) is not equal:
            self._models[model] = equal
            if len(self._models) > MODELS_MAX:
                self._models.popitem(last=False)

    def known(self, model: str) -> bool | None:
        """Return what was learnt of the model; None before a complete answer was seen."""
        return self._models.get(model)

    def counts(self, model: str, generated: Generated, *, rule: bool) -> bool:
        """Return whether deltas are to be taken for the tokens; `rule`: the dialect's are."""
        known = self._models.get(model)
        return rule and looks_like_tokens(generated) if known is None else known


def looks_like_tokens(generated: Generated) -> bool:
    """Return whether deltas are so short that each may be one token."""
    deltas = generated.deltas
    return generated.chars <= TOKEN_CHARS_MAX * deltas and generated.spaces <= deltas


def tokens_so_far(generated: Generated, *, known: bool | None, rule: bool) -> int:
    """Return how many tokens came at least, without their text: while it streams, or after a kill.

    `known`: what was learnt of the model, `rule`: what the dialect does. A word is a token or more.
    """
    deltas = generated.deltas
    if known or (known is None and rule and looks_like_tokens(generated)):
        return deltas
    return max(deltas, generated.spaces, generated.chars // CHARS_PER_TOKEN_MAX)


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
