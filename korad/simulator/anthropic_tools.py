"""What Anthropic insists on in `tools` and `tool_choice`."""

from __future__ import annotations

import re
from typing import Any

from korad.simulator.anthropic_messages import refused
from korad.simulator.reply import Refused

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("auto", "any", "tool", "none")
_FIELDS = frozenset(
    (
        *("type", "name", "description", "input_schema", "cache_control", "strict"),
        *("input_examples", "eager_input_streaming", "defer_loading", "allowed_callers"),
    )
)


def check_tools(request: dict[str, Any]) -> None:
    """Refuse tools and choices among them that Anthropic would refuse. Raises Refused."""
    names: set[str] = set()
    for index, tool in enumerate(request.get("tools", ())):
        name = _tool_name(tool, f"tools.{index}")
        if name in names:
            raise Refused(400, "tools: Tool names must be unique.")
        names.add(name)
    if "tool_choice" in request:
        _check_choice(request["tool_choice"], names)


def _tool_name(tool: Any, where: str) -> str:
    if not isinstance(tool, dict):
        raise refused(where, "Input should be an object")
    name, schema = tool.get("name"), tool.get("input_schema")
    where = f"{where}.custom"
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise refused(f"{where}.name", f"String should match pattern '^{_NAME.pattern}$'")
    # A server tool has a type of its own and brings its schema along.
    if tool.get("type", "custom") == "custom":
        if not isinstance(schema, dict):
            raise refused(f"{where}.input_schema", "Field required")
        if schema.get("type") != "object":
            raise refused(f"{where}.input_schema.type", "Field required")
        unknown = tool.keys() - _FIELDS
        if unknown:
            raise refused(f"{where}.{min(unknown)}", "Extra inputs are not permitted")
    return name


def _check_choice(choice: dict[str, Any], names: set[str]) -> None:
    kind = choice.get("type")
    if kind not in _CHOICES:
        raise refused("tool_choice.type", f"Input should be one of {', '.join(_CHOICES)}")
    if not names:
        raise Refused(400, "tool_choice: may only be specified while providing tools")
    if kind == "none" and "disable_parallel_tool_use" in choice:
        raise refused(
            "tool_choice.none.disable_parallel_tool_use", "Extra inputs are not permitted"
        )
    if kind == "tool" and choice.get("name") not in names:
        raise Refused(400, f"Tool '{choice.get('name')}' not found in provided tools")
