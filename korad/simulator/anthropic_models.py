"""What each Claude model refuses, as the API itself does.

Kept apart from the capability table korad translates by, on purpose: a stand-in that read that
table would agree with every mistake in it.
"""

from __future__ import annotations

import re
from typing import Literal

from korad.domain.value import value

_OFF, _BUDGET, _ADAPTIVE = "disabled", "enabled", "adaptive"


@value
class ModelRules:
    """What one model takes; the defaults are the classic API's."""

    sampling: bool = True
    """temperature, top_p and top_k."""
    temperature_with_top_p: bool = True
    prefill: bool = True
    """The last turn may be the assistant's."""
    system_turns: bool = False
    """Role "system" inside messages."""
    structured: bool = True
    """output_config.format."""
    thinking: tuple[str, ...] = (_OFF, _BUDGET)
    forced_tools: Literal["always", "without_thinking", "never"] = "without_thinking"


def rules_of(model: str) -> ModelRules:
    """Return the rules for `model`; a name nobody knows gets the classic ones."""
    name = model[max(model.find("claude"), 0) :].replace(".", "-")
    for pattern, rules in _RULES:
        if pattern.match(name):
            return rules
    return ModelRules()


def _newer(*thinking: str, system_turns: bool, forced_tools: str) -> ModelRules:
    return ModelRules(
        sampling=False,
        temperature_with_top_p=False,
        prefill=False,
        system_turns=system_turns,
        thinking=thinking,
        forced_tools=forced_tools,  # type: ignore[arg-type]  # literals, all of them below
    )


# The first that matches counts. A date (8 digits) or nothing may follow a version.
_RULES = tuple(
    (re.compile(f"claude-{pattern}"), rules)
    for pattern, rules in (
        (
            r"(?:v1|instant|2|3-(?!7))",
            ModelRules(structured=False, thinking=(_OFF,), forced_tools="always"),
        ),
        (r"(?:3-7|(?:opus|sonnet)-4(?!-\d(?!\d)))", ModelRules(structured=False)),
        (r"opus-4-1(?!\d)", ModelRules(structured=False, temperature_with_top_p=False)),
        (r"(?:opus|sonnet|haiku)-4-[1-5](?!\d)", ModelRules(temperature_with_top_p=False)),
        (
            r"(?:opus|sonnet|haiku)-4-6",
            ModelRules(
                temperature_with_top_p=False,
                prefill=False,
                thinking=(_OFF, _BUDGET, _ADAPTIVE),
            ),
        ),
        (r"opus-4-7", _newer(_OFF, _ADAPTIVE, system_turns=False, forced_tools="without_thinking")),
        (r"opus-4-8", _newer(_OFF, _ADAPTIVE, system_turns=True, forced_tools="without_thinking")),
        (
            r"sonnet-5-[1-9](?!\d)",
            _newer("between_tools", _ADAPTIVE, system_turns=True, forced_tools="never"),
        ),
        (r"[a-z]+-5-[1-9](?!\d)", _newer(_ADAPTIVE, system_turns=True, forced_tools="never")),
        (r"opus-5", _newer(_OFF, _ADAPTIVE, system_turns=True, forced_tools="always")),
        (r"sonnet-5", _newer(_OFF, _ADAPTIVE, system_turns=False, forced_tools="always")),
        (
            r"(?:fable|mythos)-5",
            _newer(_ADAPTIVE, system_turns=True, forced_tools="without_thinking"),
        ),
        (r"mythos", _newer(_ADAPTIVE, system_turns=False, forced_tools="without_thinking")),
    )
)
