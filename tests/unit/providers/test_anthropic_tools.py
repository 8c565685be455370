"""Tools and tool choice."""

from __future__ import annotations

from typing import Any

import pytest

from korad.errors import ClientError
from korad.providers.anthropic_tools import Toolbox, read_tools
from tests.support.anthropic_wire import CLASSIC, STRICTEST, WEATHER, capabilities

OTHER = {"type": "function", "function": {"name": "other"}}
BOTH = [WEATHER, OTHER]


def toolbox(*, model: str = CLASSIC, used: tuple[str, ...] = (), **members: Any) -> Toolbox:
    return read_tools(members, list(used), capabilities(model))


def refused(model: str = CLASSIC, **members: Any) -> tuple[str | None, str | None]:
    with pytest.raises(ClientError) as caught:
        toolbox(model=model, **members)

    return caught.value.code, caught.value.param


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    tools = [named(name) for name in names]
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": tools}}


def test_functions_become_tools_with_an_input_schema() -> None:
    assert [
        {
            "name": "weather",
            "description": "Tell the weather.",
            "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
        {"name": "other", "input_schema": {"type": "object", "properties": {}}},
    ] == toolbox(tools=BOTH).tools


def strict_tool() -> dict[str, Any]:
    parameters = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}
    return {
        "type": "function",
        "function": {"name": "f", "strict": True, "parameters": parameters},
    }


def test_strict_is_kept_with_a_schema_that_can_be_enforced() -> None:
    assert [
        {
            "name": "f",
            "strict": True,
            "input_schema": {
                "type": "object",
                "properties": {"n": {"type": "integer", "description": "(minimum: 1)"}},
                "additionalProperties": False,
            },
        }
    ] == toolbox(tools=[strict_tool()]).tools


def test_strict_is_dropped_for_models_without_it_and_the_schema_kept_whole() -> None:
    (tool,) = toolbox(tools=[strict_tool()], model="claude-3-haiku-20240307").tools or ()

    assert "strict" not in tool
    assert {"n": {"type": "integer", "minimum": 1}} == tool["input_schema"]["properties"]


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"tools": None},
        {"tools": []},
        {"tools": [], "tool_choice": "required", "parallel_tool_calls": False},
        {"tool_choice": "auto"},
    ],
)
def test_without_tools_neither_tools_nor_choice_is_sent(members: Any) -> None:
    assert Toolbox(tools=None, choice=None) == toolbox(**members)


def test_tools_of_the_history_are_declared_and_forbidden() -> None:
    found = toolbox(used=("weather",))

    assert [
        {"name": "weather", "input_schema": {"type": "object", "properties": {}}}
    ] == found.tools
    assert {"type": "none"} == found.choice


@pytest.mark.parametrize(
    ("choice", "expected", "forced"),
    [
        (None, None, False),
        ("auto", {"type": "auto"}, False),
        ("required", {"type": "any"}, True),
        ("none", {"type": "none"}, False),
        (named("other"), {"type": "tool", "name": "other"}, True),
        ({"type": "function", "name": "other"}, {"type": "tool", "name": "other"}, True),
    ],
)
def test_each_choice_has_its_counterpart(choice: Any, expected: Any, *, forced: bool) -> None:
    found = toolbox(tools=BOTH, tool_choice=choice)

    assert (expected, forced) == (found.choice, found.forced)


@pytest.mark.parametrize(("mode", "expected"), [("auto", "auto"), ("required", "any")])
def test_allowed_tools_filter_the_list(mode: str, expected: str) -> None:
    found = toolbox(tools=BOTH, tool_choice=allowed(mode, "other"))

    assert ["other"] == [tool["name"] for tool in found.tools or ()]
    assert {"type": expected} == found.choice


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", {"type": "any", "disable_parallel_tool_use": True}),
        (
            named("other"),
            {"type": "tool", "name": "other", "disable_parallel_tool_use": True},
        ),
        ("none", {"type": "none"}),
    ],
)
def test_calls_one_at_a_time_are_asked_for_with_any_choice(choice: Any, expected: Any) -> None:
    found = toolbox(tools=BOTH, tool_choice=choice, parallel_tool_calls=False)

    assert expected == found.choice


def test_parallel_calls_are_anthropics_default() -> None:
    assert toolbox(tools=BOTH, parallel_tool_calls=True).choice is None


@pytest.mark.parametrize("choice", ["required", named("other"), allowed("required", "other")])
def test_a_forced_call_is_refused_where_the_model_would_refuse_it(choice: Any) -> None:
    assert ("unsupported_parameter", "tool_choice") == refused(
        STRICTEST, tools=BOTH, tool_choice=choice
    )


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"tools": 7}, ("invalid_type", "tools")),
        ({"tools": [7]}, ("invalid_type", "tools[0]")),
        ({"tools": [{"type": "function"}]}, ("invalid_type", "tools[0].function")),
        ({"tools": [named("")]}, ("invalid_type", "tools[0].function.name")),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": 1}}]},
            ("invalid_type", "tools[0].function.parameters"),
        ),
        (
            {"tools": [OTHER, {"type": "custom", "custom": {"name": "c"}}]},
            ("unsupported_parameter", "tools[1].type"),
        ),
        ({"tools": BOTH, "tool_choice": "maybe"}, ("invalid_value", "tool_choice")),
        ({"tools": BOTH, "tool_choice": 7}, ("invalid_type", "tool_choice")),
        (
            {"tools": BOTH, "tool_choice": {"type": "custom"}},
            ("unsupported_parameter", "tool_choice.type"),
        ),
        (
            {"tools": BOTH, "tool_choice": named("third")},
            ("invalid_value", "tool_choice.function.name"),
        ),
        (
            {"tools": BOTH, "tool_choice": allowed("auto", "third")},
            ("invalid_value", "tool_choice.allowed_tools.tools"),
        ),
        (
            {"tools": BOTH, "tool_choice": allowed("auto")},
            ("invalid_value", "tool_choice.allowed_tools.tools"),
        ),
        (
            {"tools": BOTH, "tool_choice": allowed("never", "other")},
            ("invalid_value", "tool_choice.allowed_tools.mode"),
        ),
        ({"tools": BOTH, "parallel_tool_calls": 0}, ("invalid_type", "parallel_tool_calls")),
    ],
)
def test_wrong_shapes_are_refused_with_their_place(members: Any, expected: Any) -> None:
    assert expected == refused(**members)


def test_a_breakpoint_is_taken_from_the_tool_or_its_function() -> None:
    marker = {"type": "ephemeral"}
    inside = {"type": "function", "function": {"name": "other", "cache_control": marker}}
    found = toolbox(tools=[{**WEATHER, "cache_control": marker}, inside])

    assert [marker, marker] == [tool["cache_control"] for tool in found.tools or ()]
