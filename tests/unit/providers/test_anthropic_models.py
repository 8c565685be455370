"""The capability table: which row a model gets."""

from __future__ import annotations

import pytest
from genai_prices.data import providers

from korad.providers.anthropic_models import CapabilityTable
from tests.support.anthropic_wire import TABLE

DEFAULT = TABLE.find("claude-nobody-knows-9")
ROW = """
sampling = true
temperature_with_top_p = true
thinking = "none"
thinking_off = "omit"
efforts = []
structured_outputs = true
prefill = true
system_turns = true
forced_tools = "always"
cache_min_tokens = 1
default_max_tokens = 2
max_output_tokens = 3
token_multiplier = 1.0
"""


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        # sampling, both, thinking, off, prefill, system turns, forced tools, max output, multiplier
        ("claude-3-haiku-20240307", (1, 1, "none", "omit", 1, 0, "always", 4096, 1.2)),
        (
            "claude-opus-4-20250514",
            (1, 1, "budget", "omit", 1, 0, "without_thinking", 32000, 1.2),
        ),
        (
            "claude-opus-4-1-20250805",
            (1, 0, "budget", "omit", 1, 0, "without_thinking", 32000, 1.2),
        ),
        (
            "claude-sonnet-4-5-20250929",
            (1, 0, "budget", "omit", 1, 0, "without_thinking", 64000, 1.2),
        ),
        ("claude-opus-4-6", (1, 0, "adaptive", "omit", 0, 0, "without_thinking", 128000, 1.2)),
        ("claude-opus-4-7", (0, 0, "adaptive", "omit", 0, 0, "without_thinking", 128000, 1.45)),
        ("claude-opus-4-8", (0, 0, "adaptive", "omit", 0, 1, "without_thinking", 128000, 1.45)),
        ("claude-opus-5", (0, 0, "adaptive", "disabled", 0, 1, "always", 128000, 1.45)),
        ("claude-sonnet-5", (0, 0, "adaptive", "disabled", 0, 0, "always", 128000, 1.45)),
        ("claude-sonnet-5-5", (0, 0, "adaptive", "between_tools", 0, 1, "never", 128000, 1.45)),
        ("claude-opus-5-5", (0, 0, "adaptive", "never", 0, 1, "never", 128000, 1.45)),
        ("claude-haiku-5-5-20261007", (0, 0, "adaptive", "never", 0, 1, "never", 128000, 1.45)),
        ("claude-mythos-5-2", (0, 0, "adaptive", "never", 0, 1, "never", 128000, 1.45)),
    ],
)
def test_the_longest_prefix_decides(model: str, expected: tuple[object, ...]) -> None:
    row = TABLE.find(model)

    assert expected == (
        row.sampling,
        row.temperature_with_top_p,
        row.thinking,
        row.thinking_off,
        row.prefill,
        row.system_turns,
        row.forced_tools,
        row.max_output_tokens,
        row.token_multiplier,
    )


def test_an_unknown_claude_gets_the_cautious_default_row() -> None:
    assert (False, False, False) == (DEFAULT.sampling, DEFAULT.prefill, DEFAULT.system_turns)


@pytest.mark.parametrize(
    "name",
    ["claude-opus-4.6", "us.anthropic.claude-opus-4-6-v1:0", "anthropic.claude-opus-4-6@2026"],
)
def test_decorated_names_find_the_same_row(name: str) -> None:
    assert TABLE.find("claude-opus-4-6") == TABLE.find(name)


def test_every_priced_claude_has_a_row_of_its_own() -> None:
    models = next(provider for provider in providers if provider.id == "anthropic").models

    assert [] == [model.id for model in models if TABLE.find(model.id) is DEFAULT]


def test_no_default_limit_exceeds_what_the_model_can_write() -> None:
    for _, row in TABLE._rows:
        assert row.default_max_tokens <= row.max_output_tokens


def test_rows_inherit_what_they_leave_out() -> None:
    table = CapabilityTable.parse(
        f'[default]{ROW}[[model]]\nprefixes = ["claude-a", "claude-b"]\nprefill = false\n'
    )

    assert (False, False, True) == (
        table.find("claude-a-1").prefill,
        table.find("claude-b").prefill,
        table.find("claude-c").prefill,
    )
    assert 3 == table.find("claude-a").max_output_tokens


@pytest.mark.parametrize(
    "text",
    [
        "",
        f"[default]{ROW}colour = 'red'",
        f"[default]{ROW}".replace('"omit"', '"sometimes"'),
        f'[default]{ROW}[[model]]\nprefixes = ["claude-a"]\n[[model]]\nprefixes = ["claude-a"]\n',
    ],
)
def test_an_incomplete_unknown_or_doubled_row_is_refused(text: str) -> None:
    with pytest.raises(Exception, match=r"missing required field|unknown|Invalid enum|two rows"):
        CapabilityTable.parse(text)
