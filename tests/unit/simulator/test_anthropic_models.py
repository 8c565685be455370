"""Tests of `korad.simulator.anthropic_models`, by the names the models really have."""

from __future__ import annotations

import pytest

from korad.simulator.anthropic_models import rules_of

FACTS = {
    # model: sampling, both, prefill, system turns, structured, thinking off, forced tools
    "claude-3-5-haiku-20241022": (1, 1, 1, 0, 0, 1, "always"),
    "claude-3-7-sonnet-20250219": (1, 1, 1, 0, 0, 1, "without_thinking"),
    "claude-opus-4-20250514": (1, 1, 1, 0, 0, 1, "without_thinking"),
    "claude-opus-4-1-20250805": (1, 0, 1, 0, 0, 1, "without_thinking"),
    "claude-sonnet-4-5-20250929": (1, 0, 1, 0, 1, 1, "without_thinking"),
    "claude-opus-4-6": (1, 0, 0, 0, 1, 1, "without_thinking"),
    "claude-opus-4-7": (0, 0, 0, 0, 1, 1, "without_thinking"),
    "claude-opus-4-8": (0, 0, 0, 1, 1, 1, "without_thinking"),
    "claude-sonnet-5": (0, 0, 0, 0, 1, 1, "always"),
    "claude-opus-5": (0, 0, 0, 1, 1, 1, "always"),
    "claude-fable-5": (0, 0, 0, 1, 1, 0, "without_thinking"),
    "claude-mythos-preview": (0, 0, 0, 0, 1, 0, "without_thinking"),
    "claude-sonnet-5.5": (0, 0, 0, 1, 1, 0, "never"),
    "us.anthropic.claude-haiku-5-5-v1:0": (0, 0, 0, 1, 1, 0, "never"),
    "anything-else": (1, 1, 1, 0, 1, 1, "without_thinking"),
}


@pytest.mark.parametrize("model", FACTS)
def test_every_model_has_its_rules(model):
    rules = rules_of(model)

    assert FACTS[model] == (
        rules.sampling,
        rules.temperature_with_top_p,
        rules.prefill,
        rules.system_turns,
        rules.structured,
        "disabled" in rules.thinking,
        rules.forced_tools,
    )
