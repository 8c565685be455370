"""What OpenAI insists on inside `messages`: roles, parts, tool calls and their results."""

from __future__ import annotations

from typing import Any

from korad.simulator.reply import Refused

ROLES = ("system", "assistant", "user", "function", "tool", "developer")
PARTS = ("text", "image_url", "input_audio", "refusal", "file")

_JSON_KINDS: dict[type, str] = {
    str: "a string",
    bool: "a boolean",
    int: "an integer",
    float: "a decimal",
    list: "an array",
    dict: "an object",
    type(None): "null",
}


def check_messages(messages: list[Any]) -> None:
    """Refuse conversations OpenAI would refuse. Raises Refused."""
    if not messages:
        raise Refused(
            400,
            "Invalid 'messages': empty array. Expected an array with minimum length 1.",
            param="messages",
            code="empty_array",
        )
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        where = f"messages[{index}]"
        check_kind(where, message, (dict,))
        role = message.get("role")
        if role not in ROLES:
            raise _bad_role(role, where)
        if role == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Refused(
                    400,
                    "Invalid parameter: messages with role 'tool' must be a response to a "
                    "preceding message with 'tool_calls'.",
                    param=f"{where}.role",
                )
            open_calls.discard(message["tool_call_id"])
        else:
            _check_all_answered(open_calls, where)
        _check_content(message, role, where)
        for call in message.get("tool_calls") or ():
            open_calls.add(_call_id(call, where))
    _check_all_answered(open_calls, "messages")


def _bad_role(role: Any, where: str) -> Refused:
    if role is None:
        return Refused(
            400,
            f"Missing required parameter: '{where}.role'.",
            param=f"{where}.role",
            code="missing_required_parameter",
        )
    supported = ", ".join(f"'{name}'" for name in ROLES)
    return Refused(
        400,
        f"Invalid value: '{role}'. Supported values are: {supported}.",
        param=f"{where}.role",
        code="invalid_value",
    )


def _check_all_answered(open_calls: set[str], where: str) -> None:
    if open_calls:
        raise Refused(
            400,
            "An assistant message with 'tool_calls' must be followed by tool messages responding "
            f"to each 'tool_call_id'. Without a response: {', '.join(sorted(open_calls))}",
            param=f"{where}.role" if where != "messages" else where,
        )


def _check_content(message: dict[str, Any], role: str, where: str) -> None:
    content = message.get("content")
    if content is None:
        if role == "assistant":
            return
        raise Refused(
            400,
            f"Invalid value for 'content': expected a string, got null. ({where})",
            param=f"{where}.content",
        )
    check_kind(f"{where}.content", content, (list, str))
    if isinstance(content, list):
        for index, part in enumerate(content):
            check_kind(f"{where}.content[{index}]", part, (dict,))
            if part.get("type") not in PARTS:
                raise Refused(
                    400,
                    f"Invalid value: '{part.get('type')}'. Supported values are: "
                    f"{', '.join(map(repr, PARTS))}.",
                    param=f"{where}.content[{index}].type",
                    code="invalid_value",
                )


def _call_id(call: Any, where: str) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    is_function = isinstance(function, dict) and isinstance(function.get("arguments"), str)
    is_custom = isinstance(call, dict) and call.get("type") == "custom"
    if not (is_function or is_custom) or not isinstance(call.get("id"), str):
        raise Refused(
            400,
            f"Missing required parameter: '{where}.tool_calls[0].function'.",
            param=f"{where}.tool_calls",
            code="missing_required_parameter",
        )
    return str(call["id"])


def check_kind(name: str, given: Any, kinds: tuple[type, ...]) -> None:
    """Refuse a member that is of none of `kinds`; the last of them is asked for. Raises Refused."""
    # bool is an int to Python, never to JSON.
    if (isinstance(given, bool) and bool not in kinds) or not isinstance(given, kinds):
        raise Refused(
            400,
            f"Invalid type for '{name}': expected {_JSON_KINDS[kinds[-1]]}, "
            f"but got {_JSON_KINDS[type(given)]} instead.",
            param=name,
            code="invalid_type",
        )
