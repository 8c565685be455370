"""What Anthropic insists on inside `messages`: roles, blocks, tool pairs, cache marks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from korad.simulator.anthropic_models import ModelRules
from korad.simulator.reply import Refused

CACHE_MARKS_MAX = 4
IMAGE_TYPES = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))

_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]+")


def refused(where: str, problem: str) -> Refused:
    """Return the 400 that says what is wrong with the member at `where`."""
    return Refused(400, f"{where}: {problem}")


def check_messages(messages: list[Any], rules: ModelRules) -> None:
    """Refuse conversations Anthropic would refuse. Raises Refused."""
    if not messages:
        raise Refused(400, "messages: at least one message is required")
    roles = {"user", "assistant", "system"} if rules.system_turns else {"user", "assistant"}
    for index, message in enumerate(messages):
        _check_message(message, f"messages.{index}", roles)
    if messages[0]["role"] == "assistant":
        raise Refused(400, 'messages: first message must use the "user" role')
    last = messages[-1]
    if last["role"] == "assistant" and not rules.prefill:
        raise Refused(400, "This model takes no prefill: the last message must be the user's.")
    if last["role"] == "assistant" and _text_end(last["content"]).endswith((" ", "\n", "\t")):
        raise Refused(400, "messages: final assistant content cannot end with trailing whitespace")
    _check_tool_pairs(messages)


def check_cache_marks(request: dict[str, Any]) -> None:
    """Refuse more than four `cache_control` members, or one of an unknown kind. Raises Refused."""
    marks = list(_cache_marks(request))
    for mark in marks:
        if not isinstance(mark, dict) or mark.get("type") != "ephemeral":
            raise refused("cache_control.type", "Input should be 'ephemeral'")
        if mark.get("ttl", "5m") not in {"5m", "1h"}:
            raise refused("cache_control.ttl", "Input should be '5m' or '1h'")
    if len(marks) > CACHE_MARKS_MAX:
        raise Refused(
            400,
            f"A maximum of {CACHE_MARKS_MAX} blocks with cache_control may be provided. "
            f"Found {len(marks)}.",
        )


def _check_message(message: Any, where: str, roles: set[str]) -> None:
    if not isinstance(message, dict):
        raise refused(where, "Input should be an object")
    role = message.get("role")
    if role not in roles:
        raise refused(where, f'Unexpected role "{role}". Allowed roles are {sorted(roles)}.')
    unknown = message.keys() - {"role", "content"}
    if unknown:
        raise refused(f"{where}.{min(unknown)}", "Extra inputs are not permitted")
    content = message.get("content")
    if isinstance(content, str):
        if not content:
            raise refused(where, "user messages must have non-empty content")
        return
    if not isinstance(content, list):
        raise refused(f"{where}.content", "Input should be a valid list")
    if not content:
        raise refused(where, "all messages must have non-empty content")
    for number, block in enumerate(content):
        _check_block(block, role, f"{where}.content.{number}")


def _check_block(block: Any, role: str, where: str) -> None:
    kind = block.get("type") if isinstance(block, dict) else None
    check = _BLOCKS.get(str(kind))
    if check is None:
        raise refused(
            where, f"Input tag '{kind}' found using 'type' does not match any expected tag"
        )
    if role not in _BLOCK_ROLES.get(str(kind), (role,)):
        raise refused(where, f"`{kind}` blocks are not permitted in `{role}` messages")
    check(block, where)


def _check_text(block: dict[str, Any], where: str) -> None:
    if not isinstance(block.get("text"), str):
        raise refused(f"{where}.text.text", "Field required")
    if not block["text"]:
        raise Refused(400, f"{where}: text content blocks must be non-empty")
    if block["text"].isspace():
        raise Refused(400, f"{where}: text content blocks must contain non-whitespace text")


def _check_image(block: dict[str, Any], where: str) -> None:
    source = block.get("source")
    if not isinstance(source, dict) or source.get("type") not in {"base64", "url", "file"}:
        raise refused(f"{where}.source", "Input tag does not match any of the expected tags")
    if source["type"] == "base64" and source.get("media_type") not in IMAGE_TYPES:
        raise refused(f"{where}.source.base64.media_type", "Input should be an image type")
    _check_source_data(source, where)


def _check_document(block: dict[str, Any], where: str) -> None:
    source = block.get("source")
    kinds = {"base64", "text", "url", "file", "content"}
    if not isinstance(source, dict) or source.get("type") not in kinds:
        raise refused(f"{where}.source", "Input tag does not match any of the expected tags")
    if source["type"] == "base64" and source.get("media_type") != "application/pdf":
        raise refused(f"{where}.source.base64.media_type", "Input should be 'application/pdf'")
    _check_source_data(source, where)


def _check_source_data(source: dict[str, Any], where: str) -> None:
    if source["type"] == "base64":
        data = source.get("data")
        if not isinstance(data, str) or not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", data):
            raise refused(f"{where}.source.base64.data", "Invalid base64 data")


def _check_tool_use(block: dict[str, Any], where: str) -> None:
    if not _TOOL_ID.fullmatch(str(block.get("id") or "")):
        raise refused(f"{where}.tool_use.id", "String should match pattern '^[a-zA-Z0-9_-]+$'")
    if not isinstance(block.get("name"), str) or not block["name"]:
        raise refused(f"{where}.tool_use.name", "Field required")
    if not isinstance(block.get("input"), dict):
        raise refused(f"{where}.tool_use.input", "Input should be a valid dictionary")


def _check_tool_result(block: dict[str, Any], where: str) -> None:
    if not _TOOL_ID.fullmatch(str(block.get("tool_use_id") or "")):
        raise refused(
            f"{where}.tool_result.tool_use_id", "String should match pattern '^[a-zA-Z0-9_-]+$'"
        )
    content = block.get("content")
    if isinstance(content, list):
        for number, inner in enumerate(content):
            _check_block(inner, "user", f"{where}.content.{number}")
    elif content is not None and not isinstance(content, str):
        raise refused(f"{where}.tool_result.content", "Input should be a valid string or list")


def _check_thinking(block: dict[str, Any], where: str) -> None:
    for name in ("thinking", "signature"):
        if not isinstance(block.get(name), str):
            raise refused(f"{where}.thinking.{name}", "Field required")


def _check_redacted(block: dict[str, Any], where: str) -> None:
    if not isinstance(block.get("data"), str):
        raise refused(f"{where}.redacted_thinking.data", "Field required")


def _accept(block: dict[str, Any], where: str) -> None:
    """Take a block whose inside is not looked at."""


def _check_tool_pairs(messages: list[Any]) -> None:
    """Refuse a call without its result right behind it, and a result without its call."""
    open_ids: set[str] = set()
    for index, (role, blocks) in enumerate(_turns(messages)):
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        for result in results:
            if result not in open_ids:
                raise refused(
                    f"messages.{index}.content",
                    f"unexpected `tool_use_id` found in `tool_result` blocks: {result}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the "
                    "previous message.",
                )
        if len(results) != len(set(results)):
            raise refused(f"messages.{index}", "each tool_use must have a single result")
        missing = open_ids - set(results)
        first_kinds = {block["type"] for block in blocks[: len(results)]}
        if missing or (results and first_kinds != {"tool_result"}):
            ids = ", ".join(sorted(missing or results))
            raise refused(
                f"messages.{index}",
                "`tool_use` ids were found without `tool_result` blocks immediately after: " + ids,
            )
        uses = [b["id"] for b in blocks if b["type"] == "tool_use" and role == "assistant"]
        if len(uses) != len(set(uses)):
            raise refused(f"messages.{index}", "`tool_use` ids must be unique")
        open_ids = set(uses)
    if open_ids:
        raise Refused(
            400,
            "messages: `tool_use` ids were found without `tool_result` blocks immediately after: "
            + ", ".join(sorted(open_ids)),
        )


def _turns(messages: list[Any]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield (role, blocks), consecutive messages of one role combined as the API combines them."""
    role = ""
    blocks: list[dict[str, Any]] = []
    for message in messages:
        content = message["content"]
        own = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if message["role"] == role:
            blocks = [*blocks, *own]
            continue
        if role:
            yield role, blocks
        role, blocks = message["role"], own
    yield role, blocks


def _text_end(content: Any) -> str:
    if isinstance(content, str):
        return content
    return str(content[-1].get("text", ""))


def _cache_marks(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, member in node.items():
            if name == "cache_control":
                if member is not None:
                    yield member
            elif name not in {"input", "input_schema"}:
                yield from _cache_marks(member)
    elif isinstance(node, list):
        for member in node:
            yield from _cache_marks(member)


_BLOCKS = {
    "text": _check_text,
    "image": _check_image,
    "document": _check_document,
    "tool_use": _check_tool_use,
    "tool_result": _check_tool_result,
    "thinking": _check_thinking,
    "redacted_thinking": _check_redacted,
    "search_result": _accept,
    "server_tool_use": _accept,
    "web_search_tool_result": _accept,
}

_BLOCK_ROLES = {
    "tool_use": ("assistant",),
    "thinking": ("assistant",),
    "redacted_thinking": ("assistant",),
    "tool_result": ("user",),
    "image": ("user",),
    "document": ("user",),
}
