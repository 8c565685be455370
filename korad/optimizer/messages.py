"""Read a message's texts, and put shorter ones in their place; every other byte stays."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from korad.optimizer.base import TOOL, USER

ROLES = {"user": USER, "tool": TOOL, "function": TOOL}
"""Whose texts may become shorter; system, developer and assistant messages never do."""


class _Function(msgspec.Struct, gc=False):
    name: str = ""
    arguments: str = ""


class _Call(msgspec.Struct, gc=False):
    id: str = ""
    function: _Function | None = None


class _Head(msgspec.Struct, gc=False):
    role: str = ""


class _Part(msgspec.Struct, gc=False):
    type: str = ""
    text: str | None = None


class Message(msgspec.Struct, gc=False):
    """A message as far as the optimizer reads it."""

    role: str
    content: str | list[msgspec.Raw] | None = None
    tool_call_id: str | None = None
    tool_calls: list[_Call] | None = None

    def texts(self) -> list[str | None]:
        """Return the text of each part; None for a part that is none (an image, a file)."""
        content = self.content
        if isinstance(content, str):
            return [content]
        return [] if content is None else [_text_of(part) for part in content]


_read_head = msgspec.json.Decoder(_Head).decode
_read = msgspec.json.Decoder(Message).decode
_read_part = msgspec.json.Decoder(_Part).decode
_read_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_read_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def split_messages(raw: msgspec.Raw | bytes) -> list[bytes] | None:
    """Return the bytes of each message of a request's `messages`; None: it is no array."""
    try:
        return [bytes(message) for message in _read_list(raw)]
    except (msgspec.DecodeError, RecursionError):
        return None


def join_messages(messages: Sequence[bytes]) -> bytes:
    """Return `messages` as one JSON array."""
    return b"[%b]" % b",".join(messages)


def read_message(raw: bytes) -> Message | None:
    """Return the message in `raw`; None for one of a shape that korad does not touch."""
    try:
        return _read(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def read_role(raw: bytes) -> str:
    """Return the role of the message in `raw`, or "" if it has none."""
    try:
        return _read_head(raw).role
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""


def with_texts(raw: bytes, message: Message, texts: Sequence[str | None]) -> bytes:
    """Return `raw` with the texts of its parts replaced, in order; None leaves a part alone."""
    members = _read_members(raw)
    if isinstance(message.content, str):
        members["content"] = msgspec.Raw(_encode(texts[0]))
        return _encode(members)
    parts: list[msgspec.Raw] = []
    for part, text in zip(message.content or (), texts, strict=True):
        if text is None or text == _text_of(part):
            parts.append(part)
            continue
        part_members = _read_members(part)
        part_members["text"] = msgspec.Raw(_encode(text))
        parts.append(msgspec.Raw(_encode(part_members)))
    members["content"] = msgspec.Raw(_encode(parts))
    return _encode(members)


def _text_of(raw: msgspec.Raw) -> str | None:
    try:
        part = _read_part(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return part.text if part.type == "text" else None
