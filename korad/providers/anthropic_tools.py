"""Tools and the choice among them."""

from __future__ import annotations

from typing import Any

from korad.domain.value import value
from korad.errors import unsupported_parameter
from korad.providers.anthropic_models import Capabilities
from korad.providers.anthropic_schema import narrow, tool_schema
from korad.providers.anthropic_shapes import (
    Json,
    array_at,
    cache_control_of,
    invalid_type,
    invalid_value,
    object_at,
    string_at,
)

_NO_PARAMETERS: Json = {"type": "object", "properties": {}}


@value
class Toolbox:
    """`tools` and `tool_choice`, None where the request carries none."""

    tools: list[Json] | None
    choice: Json | None

    @property
    def forced(self) -> bool:
        """Whether the model must call a tool."""
        return self.choice is not None and self.choice["type"] in ("any", "tool")


def read_tools(members: Json, used_names: list[str], capabilities: Capabilities) -> Toolbox:
    """Return the toolbox of a request. Raises ClientError (400).

    A history with tool calls needs the tools declared even where none may be called now.
    """
    raw_tools = members.get("tools")
    tools = [
        _tool(tool, f"tools[{number}]", capabilities)
        for number, tool in enumerate(array_at(raw_tools, "tools") if raw_tools else ())
    ]
    if not tools:
        if not used_names:
            return Toolbox(tools=None, choice=None)
        declared = [{"name": name, "input_schema": _NO_PARAMETERS} for name in used_names]
        return Toolbox(tools=declared, choice={"type": "none"})
    tools, choice = _choose(members.get("tool_choice"), tools)
    parallel = members.get("parallel_tool_calls")
    if parallel is not None and not isinstance(parallel, bool):
        raise invalid_type("parallel_tool_calls", "a boolean")
    if parallel is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            choice["disable_parallel_tool_use"] = True
    toolbox = Toolbox(tools=tools, choice=choice)
    if toolbox.forced and capabilities.forced_tools == "never":
        raise unsupported_parameter(
            "This model cannot be made to call a tool; 'auto' and 'none' are left.", "tool_choice"
        )
    return toolbox


def _tool(raw: object, param: str, capabilities: Capabilities) -> Json:
    tool = object_at(raw, param)
    if tool.get("type", "function") != "function":
        raise unsupported_parameter(
            "Only tools of type 'function' can be sent to this provider.", f"{param}.type"
        )
    function = object_at(tool.get("function"), f"{param}.function")
    param = f"{param}.function"
    schema = tool_schema(function.get("parameters"), f"{param}.parameters")
    translated: Json = {"name": string_at(function.get("name"), f"{param}.name")}
    description = function.get("description")
    if isinstance(description, str) and description:
        translated["description"] = description
    strict = function.get("strict") is True and capabilities.structured_outputs
    translated["input_schema"] = narrow(schema) if strict else schema
    if strict:
        translated["strict"] = True
    translated.update(cache_control_of(function, param) or cache_control_of(tool, param))
    return translated


def _choose(choice: Any, tools: list[Json]) -> tuple[list[Json], Json | None]:
    """Return the tools left to choose from, and the choice."""
    if choice is None:
        return tools, None
    if isinstance(choice, str):
        if choice not in _MODES:
            raise invalid_value("Unknown tool choice.", "tool_choice")
        return tools, {"type": _MODES[choice]}
    kind = object_at(choice, "tool_choice").get("type")
    if kind == "allowed_tools":
        return _allow(choice, tools)
    if kind != "function":
        raise unsupported_parameter("Only functions can be chosen.", "tool_choice.type")
    name = _chosen_name(choice, "tool_choice")
    if all(tool["name"] != name for tool in tools):
        raise invalid_value(
            "The chosen function is not among 'tools'.", "tool_choice.function.name"
        )
    return tools, {"type": "tool", "name": name}


def _allow(choice: Json, tools: list[Json]) -> tuple[list[Json], Json]:
    param = "tool_choice.allowed_tools"
    # The chat endpoint nests the list; the newer one's flat form is common in the wild.
    allowed = object_at(choice.get("allowed_tools", choice), param)
    mode = allowed.get("mode", "auto")
    if mode not in ("auto", "required"):
        raise invalid_value("'mode' must be 'auto' or 'required'.", f"{param}.mode")
    names = {
        _chosen_name(object_at(entry, param), param)
        for entry in array_at(allowed.get("tools"), f"{param}.tools")
    }
    left = [tool for tool in tools if tool["name"] in names]
    if len(left) < len(names) or not left:
        raise invalid_value("An allowed function is not among 'tools'.", f"{param}.tools")
    return left, {"type": _MODES[mode]}


def _chosen_name(entry: Json, param: str) -> str:
    function = entry.get("function", entry)
    return string_at(object_at(function, f"{param}.function").get("name"), f"{param}.function.name")


_MODES = {"auto": "auto", "required": "any", "none": "none"}
