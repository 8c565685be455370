"""Reasoning effort as thinking."""

from __future__ import annotations

from typing import Any

import pytest

from korad.errors import ClientError
from korad.providers.anthropic_thinking import BUDGET_TOKENS, EFFORTS, Thinking, plan_thinking
from tests.support.anthropic_wire import ADAPTIVE, CLASSIC, STRICTEST, TABLE, capabilities


def plan(
    effort: Any,
    model: str = CLASSIC,
    *,
    max_tokens: int = 32_000,
    forced: bool = False,
    budget_fits: bool = True,
    **members: Any,
) -> Thinking:
    return plan_thinking(
        {"reasoning_effort": effort, **members},
        capabilities(model),
        max_tokens=max_tokens,
        forced=forced,
        budget_fits=budget_fits,
    )


@pytest.mark.parametrize(
    ("model", "effort", "config", "level"),
    [
        (CLASSIC, None, None, None),
        (CLASSIC, "low", {"type": "enabled", "budget_tokens": 2048}, None),
        (CLASSIC, "none", None, None),
        ("claude-3-haiku-20240307", "high", None, None),
        ("claude-opus-4-5", "high", {"type": "enabled", "budget_tokens": 16384}, "high"),
        ("claude-opus-4-5", "max", {"type": "enabled", "budget_tokens": 32000}, "high"),
        (ADAPTIVE, "low", {"type": "adaptive"}, "low"),
        (ADAPTIVE, "xhigh", {"type": "adaptive"}, "high"),
        (ADAPTIVE, "minimal", None, None),
        ("claude-opus-4-8", "xhigh", {"type": "adaptive"}, "xhigh"),
        ("claude-opus-5", "max", {"type": "adaptive"}, "max"),
        ("claude-opus-5", "none", {"type": "disabled"}, None),
        (STRICTEST, "minimal", {"type": "between_tools"}, None),
        ("claude-fable-5-2", "none", None, "low"),
    ],
)
def test_each_model_is_told_its_own_way(
    model: str, effort: str | None, config: Any, level: str | None
) -> None:
    found = plan(effort, model)

    assert (config, level) == (found.config, found.effort)


@pytest.mark.parametrize(
    ("max_tokens", "expected"), [(16_385, 16_385), (16_384, 32_768), (100, 16_484)]
)
def test_max_tokens_is_raised_when_the_budget_would_leave_no_room(
    max_tokens: int, expected: int
) -> None:
    assert expected == plan("high", max_tokens=max_tokens).max_tokens


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("max_tokens", [1, 1024, 5_000, 20_000, 32_000])
def test_every_budget_is_legal_for_every_model(effort: str, max_tokens: int) -> None:
    for _, row in TABLE._rows:
        if row.thinking != "budget" or max_tokens > row.max_output_tokens:
            continue
        found = plan_thinking(
            {"reasoning_effort": effort}, row, max_tokens=max_tokens, forced=False, budget_fits=True
        )
        assert found.config is not None
        assert 1024 <= found.config["budget_tokens"] < found.max_tokens <= row.max_output_tokens


def test_budgets_grow_with_the_effort() -> None:
    budgets = [BUDGET_TOKENS[effort] for effort in EFFORTS]

    assert sorted(budgets) == budgets


@pytest.mark.parametrize(
    ("model", "members"),
    [
        (CLASSIC, {"forced": True}),
        (CLASSIC, {"budget_fits": False}),
        (ADAPTIVE, {"forced": True}),
    ],
)
def test_thinking_gives_way_to_a_forced_tool_and_to_a_history_without_it(
    model: str, members: Any
) -> None:
    found = plan("high", model, max_tokens=100, **members)

    assert found.config is None
    assert 100 == found.max_tokens


def test_effort_stays_when_thinking_gives_way() -> None:
    assert "high" == plan("high", ADAPTIVE, forced=True).effort


def test_adaptive_thinking_goes_with_any_history() -> None:
    assert {"type": "adaptive"} == plan("high", ADAPTIVE, budget_fits=False).config


def test_a_native_thinking_object_passes_and_wins() -> None:
    native = {"type": "enabled", "budget_tokens": 5000}
    found = plan("high", "claude-opus-4-5", thinking=native)

    assert (native, "high", True) == (found.config, found.effort, found.active)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (None, False),
        ({"type": "disabled"}, False),
        ({"type": "between_tools"}, False),
        ({"type": "adaptive"}, True),
    ],
)
def test_only_enabled_and_adaptive_count_as_active(config: Any, *, expected: bool) -> None:
    assert expected == Thinking(config=config, effort=None, max_tokens=1).active


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": 7}, "reasoning_effort"),
        ({"reasoning_effort": ["low"]}, "reasoning_effort"),
        ({"thinking": "yes"}, "thinking"),
    ],
)
def test_unknown_efforts_and_shapes_are_refused(members: Any, param: str) -> None:
    with pytest.raises(ClientError) as caught:
        plan_thinking(members, capabilities(), max_tokens=1, forced=False, budget_fits=True)

    assert (400, param) == (caught.value.status, caught.value.param)
