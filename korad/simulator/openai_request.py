"""Read a chat-completions request as strictly as OpenAI does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from korad.simulator.answer import Ask, Tool
from korad.simulator.openai_messages import check_kind, check_messages
from korad.simulator.reply import Refused
from korad.simulator.script import Script
from korad.simulator.words import IMAGE_TOKENS, Count

OTHER_FIELDS = frozenset(
    (
        *("audio", "function_call", "functions", "logit_bias", "metadata", "modalities"),
        *("moderation", "prediction", "prompt_cache_key", "prompt_cache_options"),
        *("prompt_cache_retention", "reasoning_effort", "safety_identifier", "service_tier"),
        *("verbosity", "web_search_options"),
    )
)
"""Members that are taken as they are."""


def read_ask(body: bytes, script: Script, count: Count) -> Ask:
    """Return what the request asks. Raises Refused in OpenAI's words."""
    request = _parse(body)
    _check_fields(request, script)
    messages = request["messages"]
    check_messages(messages)
    options = request.get("stream_options") or {}
    if options and not request.get("stream"):
        raise Refused(
            400,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    stop = request.get("stop") or ()
    return Ask(
        model=request["model"],
        stream=bool(request.get("stream")),
        include_usage=bool(options.get("include_usage")),
        prompt_tokens=_prompt_tokens(request, count),
        last_user_text=_last_user_text(messages),
        max_tokens=_limit(request),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=request.get("n") or 1,
        schema=_schema(request),
        forced_tool=_forced_tool(request),
        offered_tools=_offered_tools(request),
        top_logprobs=(request.get("top_logprobs") or 0) if request.get("logprobs") else None,
        service_tier=request.get("service_tier"),
    )


def check_credential(headers: Mapping[str, str]) -> None:
    """Refuse a request without a key (Azure has a header of its own for it). Raises Refused."""
    key = headers.get("authorization", "").removeprefix("Bearer ").strip()
    key = key or headers.get("api-key", "")
    if not key:
        raise Refused(
            401,
            "You didn't provide an API key. Send it in an Authorization header as 'Bearer KEY'.",
            code="invalid_api_key",
        )
    # A proxy's own key can never be valid here: it must not be passed on.
    if key.startswith("sk-bf-"):
        raise Refused(401, "Incorrect API key provided.", code="invalid_api_key")


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        request = None
    if not isinstance(request, dict):
        raise Refused(400, "We could not parse the JSON body of your request.")
    return request


def _check_fields(request: dict[str, Any], script: Script) -> None:
    if request.get("model") is None:
        raise Refused(400, "you must provide a model parameter")
    if request.get("messages") is None:
        raise Refused(
            400,
            "Missing required parameter: 'messages'.",
            param="messages",
            code="missing_required_parameter",
        )
    for name, given in request.items():
        kinds = _KINDS.get(name)
        if kinds is not None:
            if given is not None:
                check_kind(name, given, kinds)
        elif name not in OTHER_FIELDS and not script.unknown_fields:
            raise Refused(
                400, f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter"
            )
    for name, (lowest, highest) in _RANGES.items():
        given = request.get(name)
        if given is not None and not lowest <= given <= highest:
            raise _out_of_range(name, given, lowest, highest)
    if request.get("max_tokens") is not None and request.get("max_completion_tokens") is not None:
        raise Refused(
            400,
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )


def _out_of_range(name: str, given: float, lowest: float, highest: float) -> Refused:
    below = given < lowest
    kind = "integer" if isinstance(given, int) and isinstance(lowest, int) else "decimal"
    bound = f">= {lowest}" if below else f"<= {highest}"
    return Refused(
        400,
        f"Invalid '{name}': {kind} {'below minimum' if below else 'above maximum'} value. "
        f"Expected a value {bound}, but got {given} instead.",
        param=name,
        code=f"{kind}_{'below_min' if below else 'above_max'}_value",
    )


def _limit(request: dict[str, Any]) -> int | None:
    limit: int | None = request.get("max_completion_tokens")
    return request.get("max_tokens") if limit is None else limit


def _schema(request: dict[str, Any]) -> Any:
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "properties": {"answer": {"type": "string"}}}
    return (wanted.get("json_schema") or {}).get("schema")


def _forced_tool(request: dict[str, Any]) -> Tool | None:
    choice = request.get("tool_choice")
    functions = _functions(request)
    if choice == "required":
        wanted = functions[:1]
    elif isinstance(choice, dict) and choice.get("type") == "function":
        name = (choice.get("function") or {}).get("name")
        wanted = [function for function in functions if function.get("name") == name]
    else:
        return None
    if not wanted:
        raise Refused(400, "Invalid value for 'tool_choice': no such tool.", param="tool_choice")
    return _tool(wanted[0])


def _offered_tools(request: dict[str, Any]) -> tuple[Tool, ...]:
    choice = request.get("tool_choice")
    if choice not in (None, "auto") or request["messages"][-1]["role"] != "user":
        return ()
    return tuple([_tool(function) for function in _functions(request)])


def _functions(request: dict[str, Any]) -> list[dict[str, Any]]:
    return [tool.get("function") or {} for tool in request.get("tools") or ()]


def _tool(function: dict[str, Any]) -> Tool:
    return Tool(name=function.get("name", ""), schema=function.get("parameters") or {})


def _prompt_tokens(request: dict[str, Any], count: Count) -> int:
    tokens = sum(count(orjson.dumps(tool).decode()) for tool in request.get("tools") or ())
    for message in request["messages"]:
        tokens += _content_tokens(message.get("content"), count)
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            tokens += count(f"{function.get('name', '')} {function.get('arguments', '')}")
    return tokens


def _content_tokens(content: Any, count: Count) -> int:
    if isinstance(content, str):
        return count(content)
    return sum(
        IMAGE_TOKENS
        if part["type"] in {"image_url", "file"}
        else count(part.get("text") or part.get("refusal") or "")
        for part in content or ()
    )


def _last_user_text(messages: list[Any]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            content = message.get("content")
            if isinstance(content, str):
                return content
            return "\n".join(part.get("text", "") for part in content or ())
    return ""


# The last type of each is the one an error message asks for.
_KINDS: dict[str, tuple[type, ...]] = {
    "model": (str,),
    "messages": (list,),
    "max_tokens": (int,),
    "max_completion_tokens": (int,),
    "n": (int,),
    "seed": (int,),
    "top_logprobs": (int,),
    "temperature": (int, float),
    "top_p": (int, float),
    "presence_penalty": (int, float),
    "frequency_penalty": (int, float),
    "stream": (bool,),
    "store": (bool,),
    "logprobs": (bool,),
    "parallel_tool_calls": (bool,),
    "stop": (list, str),
    "user": (str,),
    "tools": (list,),
    "tool_choice": (dict, str),
    "response_format": (dict,),
    "stream_options": (dict,),
}

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "n": (1, 128),
    "max_tokens": (1, 2**31),
    "max_completion_tokens": (1, 2**31),
    "top_logprobs": (0, 20),
}
