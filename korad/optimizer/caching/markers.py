"""Put `cache_control` markers into messages and tools; every other value keeps its bytes.

They stand where every gateway knows them: on a text part of a system or user message, and on the
whole of a tool message, whose content some gateways take only as a string.
"""

from __future__ import annotations

import re

import msgspec

Json = bytes | msgspec.Raw
"""One JSON value in its own bytes."""

_ROLES = frozenset(("system", "developer", "user", "tool"))
_TEXT = msgspec.Raw(b'"text"')
_MARKER = msgspec.Raw(b'{"type":"ephemeral"}')
_TOOLS_END = b"}]"
_MARKED_TOOLS_END = b',"cache_control":{"type":"ephemeral"}' + _TOOLS_END
_NAME = b'"cache_control"'
_MARKED = re.compile(rb'"cache_control"\s*:').search

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def is_marked(raw: bytes) -> bool:
    """Return whether an object in `raw` has a marker; a tool's parameter of that name counts."""
    # The search for a plain text is five times as fast: 4 GB/s.
    return _NAME in raw and _MARKED(raw) is not None


def marked_message(raw: bytes, role: str) -> bytes | None:
    """Return the message in `raw` with a marker on its last text; None: it has no place for one."""
    if role not in _ROLES:
        return None
    members = _decode_members(raw)
    content = _marked_content(members.get("content"))
    if content is None:
        return None
    if role == "tool":
        members["cache_control"] = _MARKER
    else:
        members["content"] = content
    return _encode(members)


def _marked_content(content: msgspec.Raw | None) -> msgspec.Raw | None:
    """Return the content with a marker on its last text, None if it has no text."""
    if content is None:
        return None
    start = bytes(memoryview(content)[:1])
    if start == b'"':
        if _is_blank(content):
            return None
        part = {"type": _TEXT, "text": content, "cache_control": _MARKER}
        return msgspec.Raw(_encode([part]))
    if start != b"[":
        return None
    parts = _decode_items(content)
    for at in range(len(parts) - 1, -1, -1):
        if bytes(memoryview(parts[at])[:1]) != b"{":
            continue
        part = _decode_members(parts[at])
        if (
            "text" in part
            and bytes(part.get("type", b"")) == b'"text"'
            and not _is_blank(part["text"])
        ):
            part["cache_control"] = _MARKER
            parts[at] = msgspec.Raw(_encode(part))
            return msgspec.Raw(_encode(parts))
    return None


def _is_blank(text: msgspec.Raw) -> bool:
    """Return whether the JSON value is no text, or one of white space: such cannot be marked."""
    start = bytes(memoryview(text)[:2])
    if start[:1] != b'"':
        return True
    if b"!" <= start[1:] <= b"~" and start[1:] not in b'"\\':
        return False
    decoded = _decode_text(text)
    return not decoded or decoded.isspace()


def marked_tools(tools: Json) -> bytes | None:
    """Return the array `tools` with a marker on the last tool; None: there is none."""
    try:
        items = _decode_items(tools)
        last = _decode_members(items[-1])
    except (msgspec.DecodeError, IndexError):
        return None
    last["cache_control"] = _MARKER
    items[-1] = msgspec.Raw(_encode(last))
    return _encode(items)


def unmarked_tools(tools: bytes) -> bytes:
    """Return the array `tools`, without white space, without the marker of `marked_tools`."""
    if not tools.endswith(_MARKED_TOOLS_END):
        return tools
    return tools.removesuffix(_MARKED_TOOLS_END) + _TOOLS_END
