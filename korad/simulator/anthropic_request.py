"""Read a Messages request as strictly as Anthropic does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from korad.simulator.answer import Ask, Tool
from korad.simulator.anthropic_messages import check_cache_marks, check_messages, refused
from korad.simulator.anthropic_models import ModelRules, rules_of
from korad.simulator.anthropic_tools import check_tools
from korad.simulator.reply import Refused
from korad.simulator.words import IMAGE_TOKENS, Count

VERSION = "2023-06-01"
VERSION_WITHOUT_SAMPLING = "2026-10-21"
"""Takes the key as a bearer token too, and no sampling parameters."""

THINKING_BUDGET_MIN = 1024
USER_ID_CHARS_MAX = 256
FIELDS = frozenset(
    (
        *("model", "messages", "max_tokens", "system", "metadata", "stop_sequences", "stream"),
        *("temperature", "top_p", "top_k", "tools", "tool_choice", "thinking", "service_tier"),
        *("container", "context_management", "mcp_servers", "output_config", "cache_control"),
        *("inference_geo", "speed", "diagnostics", "user_profile_id"),
    )
)

_SAMPLING = ("temperature", "top_p", "top_k")


def authenticate(headers: Mapping[str, str], *, auth: bool) -> str:
    """Return the version asked for. Raises Refused."""
    version = headers.get("anthropic-version")
    if version is None:
        raise Refused(400, "anthropic-version: header is required")
    if version not in {VERSION, VERSION_WITHOUT_SAMPLING}:
        raise Refused(400, f'anthropic-version: "{version}" is not a valid version')
    key = headers.get("x-api-key", "")
    if not key and version == VERSION_WITHOUT_SAMPLING:
        key = headers.get("authorization", "").removeprefix("Bearer ").strip()
    if not auth:
        return version
    if not key:
        raise Refused(401, "x-api-key header is required", kind="authentication_error")
    # A proxy's own key can never be valid here: it must not be passed on.
    if key.startswith("sk-bf-"):
        raise Refused(401, "invalid x-api-key", kind="authentication_error")
    return version


def read_ask(version: str, body: bytes, count: Count) -> Ask:
    """Return what the request asks. Raises Refused in Anthropic's words."""
    request = _parse(body)
    _check_fields(request)
    rules = rules_of(request["model"])
    _check_sampling(request, version, rules)
    _check_system(request.get("system"))
    check_messages(request["messages"], rules)
    check_tools(request)
    check_cache_marks(request)
    thinking = _thinks(request, rules)
    schema = (request.get("output_config", {}).get("format") or {}).get("schema")
    if schema is not None and not rules.structured:
        raise refused("output_config.format", "not supported by this model")
    return Ask(
        model=request["model"],
        stream=bool(request.get("stream")),
        prompt_tokens=_prompt_tokens(request, count),
        last_user_text=_last_user_text(request["messages"]),
        max_tokens=request["max_tokens"],
        stop=tuple(request.get("stop_sequences") or ()),
        schema=schema,
        forced_tool=_forced_tool(request, rules, thinking=thinking),
        offered_tools=_offered_tools(request),
        thinking=thinking,
        service_tier=request.get("service_tier"),
    )


def _parse(body: bytes) -> dict[str, Any]:
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "The request body is not valid JSON") from None
    if not isinstance(request, dict):
        raise Refused(400, "Input should be an object")
    return request


def _check_fields(request: dict[str, Any]) -> None:
    for name, given in request.items():
        if name not in FIELDS:
            raise refused(name, "Extra inputs are not permitted")
        kinds, noun = _KINDS.get(name, ((object,), ""))
        # bool is an int to Python, never to JSON.
        if not isinstance(given, kinds) or (isinstance(given, bool) and kinds != (bool,)):
            raise refused(name, f"Input should be a valid {noun}")
    missing = [name for name in ("model", "messages", "max_tokens") if name not in request]
    if missing:
        raise refused(missing[0], "Field required")
    if not request["model"]:
        raise refused("model", "String should have at least 1 character")
    if request["max_tokens"] < 0:
        raise refused("max_tokens", "Input should be greater than or equal to 0")
    _check_texts(request)


def _check_texts(request: dict[str, Any]) -> None:
    for index, stop in enumerate(request.get("stop_sequences", ())):
        if not isinstance(stop, str) or not stop.strip():
            where = f"stop_sequences.{index}"
            raise refused(where, "each stop sequence must contain non-whitespace")
    user = request.get("metadata", {}).get("user_id")
    if user is not None and (not isinstance(user, str) or len(user) > USER_ID_CHARS_MAX):
        raise refused(
            "metadata.user_id", f"String should have at most {USER_ID_CHARS_MAX} characters"
        )


def _check_sampling(request: dict[str, Any], version: str, rules: ModelRules) -> None:
    given = [name for name in _SAMPLING if name in request]
    if given and (not rules.sampling or version == VERSION_WITHOUT_SAMPLING):
        raise Refused(400, f"`{given[0]}` is not supported by this model.")
    for name in ("temperature", "top_p"):
        if not 0 <= request.get(name, 1) <= 1:
            raise refused(name, "range: 0..1")
    if "temperature" in request and "top_p" in request and not rules.temperature_with_top_p:
        raise Refused(
            400,
            "`temperature` and `top_p` cannot both be specified for this model. "
            "Please use only one.",
        )


def _check_system(system: Any) -> None:
    if isinstance(system, list):
        for index, block in enumerate(system):
            where = f"system.{index}"
            if not isinstance(block, dict) or block.get("type") != "text":
                raise refused(where, "Input should be a text block")
            if not isinstance(block.get("text"), str) or not block["text"]:
                raise Refused(400, "system: text content blocks must be non-empty")


def _thinks(request: dict[str, Any], rules: ModelRules) -> bool:
    thinking = request.get("thinking")
    if thinking is None:
        return False
    kind = thinking.get("type")
    if kind not in rules.thinking:
        allowed = ", ".join(rules.thinking)
        raise refused("thinking.type", f"'{kind}' is not supported by this model, but: {allowed}")
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if not isinstance(budget, int) or budget < THINKING_BUDGET_MIN:
            raise refused(
                "thinking.enabled.budget_tokens",
                f"Input should be greater than or equal to {THINKING_BUDGET_MIN}",
            )
        if budget >= request["max_tokens"]:
            raise Refused(400, "`max_tokens` must be greater than `thinking.budget_tokens`")
    if kind != "disabled" and request.get("temperature", 1) != 1:
        raise Refused(400, "`temperature` may only be set to 1 when thinking is enabled")
    return kind in {"enabled", "adaptive"}


def _forced_tool(request: dict[str, Any], rules: ModelRules, *, thinking: bool) -> Tool | None:
    choice = request.get("tool_choice", {})
    if choice.get("type") not in {"any", "tool"}:
        return None
    if rules.forced_tools == "never":
        raise Refused(400, "tool_choice: this model cannot be forced to use a tool.")
    if thinking and rules.forced_tools == "without_thinking":
        raise Refused(400, "Thinking may not be enabled when tool_choice forces tool use.")
    tools = request["tools"]
    tool = next((t for t in tools if t.get("name") == choice.get("name")), tools[0])
    return _tool(tool)


def _offered_tools(request: dict[str, Any]) -> tuple[Tool, ...]:
    if request.get("tool_choice", {"type": "auto"})["type"] != "auto":
        return ()
    content = request["messages"][-1]["content"]
    if not isinstance(content, str) and any(block["type"] == "tool_result" for block in content):
        return ()
    return tuple([_tool(tool) for tool in request.get("tools", ())])


def _tool(declared: dict[str, Any]) -> Tool:
    return Tool(name=declared["name"], schema=declared.get("input_schema") or {})


def _prompt_tokens(request: dict[str, Any], count: Count) -> int:
    tokens = _content_tokens(request.get("system"), count)
    for tool in request.get("tools") or ():
        tokens += count(orjson.dumps(tool).decode())
    return tokens + sum(_content_tokens(m["content"], count) for m in request["messages"])


def _content_tokens(content: Any, count: Count) -> int:
    if isinstance(content, str):
        return count(content)
    tokens = 0
    for block in content or ():
        kind = block["type"]
        if kind == "tool_result":
            tokens += _content_tokens(block.get("content"), count)
        elif kind == "tool_use":
            tokens += count(f"{block['name']} {orjson.dumps(block['input']).decode()}")
        elif kind in {"image", "document"}:
            tokens += IMAGE_TOKENS
        else:
            tokens += count(block.get("text") or block.get("thinking") or "")
    return tokens


def _last_user_text(messages: list[Any]) -> str:
    for message in reversed(messages):
        if message["role"] == "user":
            content = message["content"]
            if isinstance(content, str):
                return content
            return "\n".join(block["text"] for block in content if block["type"] == "text")
    return ""


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "model": ((str,), "string"),
    "messages": ((list,), "list"),
    "max_tokens": ((int,), "integer"),
    "system": ((str, list), "string or list"),
    "metadata": ((dict,), "dictionary"),
    "stop_sequences": ((list,), "list"),
    "stream": ((bool,), "boolean"),
    "temperature": ((int, float), "number"),
    "top_p": ((int, float), "number"),
    "top_k": ((int,), "integer"),
    "tools": ((list,), "list"),
    "tool_choice": ((dict,), "dictionary"),
    "thinking": ((dict,), "dictionary"),
    "output_config": ((dict,), "dictionary"),
    "service_tier": ((str,), "string"),
    "cache_control": ((dict,), "dictionary"),
}
