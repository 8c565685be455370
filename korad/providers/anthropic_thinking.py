"""`reasoning_effort` as thinking: a token budget, an adaptive mode or an effort level, by model."""

from __future__ import annotations

from korad.domain.value import value
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_shapes import Json, invalid_value, object_at

EFFORTS = ("low", "medium", "high", "xhigh", "max")
"""Weakest first; "none" and "minimal" mean no thinking at all."""

BUDGET_TOKENS = {"low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 24_576, "max": 32_000}
"""Thinking budgets where a model takes a number; the API wants at least 1024."""

_OFF = ("none", "minimal")


@value
class Thinking:
    """What a request says about thinking."""

    config: Json | None
    """The `thinking` member."""
    effort: str | None
    """`output_config.effort`."""
    max_tokens: int
    """Raised where the budget would leave no room for an answer."""

    @property
    def active(self) -> bool:
        """Whether thinking was switched on, which sampling parameters do not go with."""
        return self.config is not None and self.config.get("type") in ("enabled", "adaptive")


def plan_thinking(
    members: Json, capabilities: Capabilities, *, max_tokens: int, forced: bool, budget_fits: bool
) -> Thinking:
    """Return the plan for a request. Raises ClientError (400) for an unknown effort.

    `forced`: a tool must be called, which goes with no explicit thinking. `budget_fits`: the
    history has neither a prefill nor tool calls, whose signed thinking blocks OpenAI's dialect
    cannot carry back and which budgeted thinking insists on.
    """
    effort = members.get("reasoning_effort")
    if effort is not None and effort not in (*_OFF, *EFFORTS):
        raise invalid_value("Unknown reasoning effort.", "reasoning_effort")
    level = None if effort is None or effort in _OFF else _nearest(effort, capabilities.efforts)
    native = members.get("thinking")
    if native is not None:
        config = object_at(native, "thinking")
        return Thinking(config=config, effort=level, max_tokens=max_tokens)
    if effort is None:
        return Thinking(config=None, effort=None, max_tokens=max_tokens)
    if effort in _OFF:
        return _off(capabilities, max_tokens)
    if capabilities.thinking == "adaptive" and not forced:
        return Thinking(config={"type": "adaptive"}, effort=level, max_tokens=max_tokens)
    if capabilities.thinking == "budget" and budget_fits and not forced:
        budget = min(BUDGET_TOKENS[effort], capabilities.max_output_tokens // 2)
        config = {"type": "enabled", "budget_tokens": budget}
        room = max_tokens if budget < max_tokens else max_tokens + budget
        return Thinking(config=config, effort=level, max_tokens=room)
    return Thinking(config=None, effort=level, max_tokens=max_tokens)


def _off(capabilities: Capabilities, max_tokens: int) -> Thinking:
    way = capabilities.thinking_off
    if way == "never":
        weakest = capabilities.efforts[0] if capabilities.efforts else None
        return Thinking(config=None, effort=weakest, max_tokens=max_tokens)
    config = None if way == "omit" else {"type": way}
    return Thinking(config=config, effort=None, max_tokens=max_tokens)


def _nearest(effort: str, known: tuple[str, ...]) -> str | None:
    """Return the strongest known level not above `effort`, None where the model knows none."""
    rank = EFFORTS.index(effort)
    return next((level for level in reversed(known) if EFFORTS.index(level) <= rank), None)
