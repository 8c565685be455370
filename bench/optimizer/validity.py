"""Find what an optimizer must never do: each finding is a bug, whatever it saved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from bench.optimizer.conversation import (
    Conversation,
    Message,
    marks_in,
    parts_of,
    text_of,
    without_marks,
)
from korad.optimizer.base import EXTREME, HIGH, LEVELS, LOW, MEDIUM

MARKS_MAX = 4
"""Anthropic refuses a request with more."""

Finding = tuple[str, str]
"""The rule that was broken, and where."""

_MAY_CHANGE = frozenset(("messages", "tools", "prompt_cache_key", "cache_control"))
_WORDS_OF_A_SCHEMA = frozenset(("description", "title", "example", "examples", "$schema", "$id"))
_NAMED_BY_THE_CALLER = frozenset(("properties", "$defs", "definitions"))

_STRING_OR_BLANK = re.compile(r'("(?:[^"\\]|\\.)*")|\s+', re.DOTALL)
_FENCE = re.compile(r"(```(?:json)?\n)(.*?)(\n```)", re.DOTALL | re.IGNORECASE)
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07")
_BLANK_LINES = re.compile(r"\n{3,}")


def findings(
    conversation: Conversation, before: dict[str, Any], after: dict[str, Any], level: str
) -> Iterator[Finding]:
    """Yield the rules that `after`, sent in place of `before`, breaks, but for marks."""
    grade = LEVELS.index(level)
    for name in (before.keys() | after.keys()) - _MAY_CHANGE:
        if before.get(name) != after.get(name) or (name in before) != (name in after):
            yield "member_changed", name
    yield from _of_tools(before.get("tools"), after.get("tools"), grade)
    old, new = before["messages"], after["messages"]
    if len(old) != len(new):
        yield "message_count", f"{len(old)} -> {len(new)}"
        return
    for at, (one, other) in enumerate(zip(old, new, strict=True)):
        for rule in _of_message(one, other):
            yield rule, f"message {at}"
        for rule in _of_texts(conversation, at, one, other, grade):
            yield rule, f"message {at}"


def mark_findings(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Finding]:
    """Yield the rules that the cache marks of `after` break."""
    marks = marks_in(after)
    if marks > MARKS_MAX:
        yield "too_many_marks", str(marks)
    if marks_in(before) and without_marks(after) != after:
        same = all(
            old.get("cache_control") == new.get("cache_control")
            for one, other in zip(before["messages"], after["messages"], strict=True)
            for old, new in zip(
                [one, *parts_of(one.get("content"))],
                [other, *parts_of(other.get("content"))],
                strict=True,
            )
        )
        if not same:
            yield "callers_mark_changed", ""


def same_at_low(before: str, after: str) -> bool:
    """Return whether `after` is `before` but for what carries no information.

    That is white space between JSON's tokens; elsewhere colours, overwritten progress lines, line
    ends, blanks at the end of a line and more than one empty line in a row.
    """
    if before == after:
        return True
    lexical = json_tokens(before)
    if lexical is not None:
        return lexical == json_tokens(after)
    return _canonical(before) == _canonical(after)


def json_tokens(text: str) -> str | None:
    """Return a JSON document without the white space between its tokens, None for another text."""
    try:
        msgspec.json.decode(text.encode(), type=msgspec.Raw)
        if text.lstrip()[:1] in ("{", "["):
            msgspec.json.decode(text.encode())
    except msgspec.DecodeError as error:
        if "out of range" not in str(error):
            return None
    except (RecursionError, UnicodeEncodeError):
        return None
    return _STRING_OR_BLANK.sub(lambda found: found[1] or "", text)


def _canonical(text: str) -> str:
    def pressed(fence: re.Match[str]) -> str:
        return fence[1] + (json_tokens(fence[2]) or fence[2]) + fence[3]

    text = _COLOUR.sub("", _FENCE.sub(pressed, text)).replace("\r\n", "\n")
    lines = [line.rsplit("\r", 1)[-1].rstrip(" \t") for line in text.split("\n")]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip("\n")


def _of_tools(before: Any, after: Any, grade: int) -> Iterator[Finding]:
    if grade < HIGH:
        if before != after:
            yield "tools_changed", ""
    elif _shape(before) != _shape(after):
        yield "tool_schema_changed", ""


def _shape(schema: Any, *, names: bool = False) -> Any:
    """Return a schema without its prose; `names`: the members are the caller's, not keywords."""
    if isinstance(schema, dict):
        return {
            key: _shape(value, names=key in _NAMED_BY_THE_CALLER)
            for key, value in schema.items()
            if names or key not in _WORDS_OF_A_SCHEMA
        }
    return [_shape(item) for item in schema] if isinstance(schema, list) else schema


def _of_message(before: Message, after: Message) -> Iterator[str]:
    if before.get("role") != after.get("role"):
        yield "role_changed"
    for name in (before.keys() | after.keys()) - {"role", "content"}:
        if before.get(name) != after.get(name) or (name in before) != (name in after):
            yield "tool_calls_changed" if name.startswith("tool_call") else "field_changed"
    old, new = before.get("content"), after.get("content")
    if type(old) is not type(new):
        yield "content_form_changed"
    pairs = list(zip(parts_of(old), parts_of(new), strict=False))
    if len(parts_of(old)) != len(parts_of(new)):
        yield "part_count"
    if any(_frame(one) != _frame(other) for one, other in pairs):
        yield "part_changed"


def _frame(part: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in part.items() if key != "text"}


def _of_texts(
    conversation: Conversation, at: int, before: Message, after: Message, grade: int
) -> Iterator[str]:
    """Yield what a change of texts breaks."""
    parts = zip(parts_of(before.get("content")), parts_of(after.get("content")), strict=False)
    changed = [
        (text_of(one), text_of(other)) for one, other in parts if text_of(one) != text_of(other)
    ]
    if not changed:
        return
    must, role = conversation.must, before.get("role")
    if role in ("system", "developer"):
        yield "system_text_changed"
    elif role == "assistant":
        yield "assistant_text_changed"
    last_exact = EXTREME if "passthrough" in conversation.flags else HIGH
    if must.exact == "all":
        if grade <= last_exact:
            yield "exact_text_changed"
    elif at in must.exact and grade <= MEDIUM:
        yield "exact_text_changed"
    if grade == LOW and not all(same_at_low(one, other) for one, other in changed):
        yield "not_lossless"
    is_json = grade == LOW and must.json_lex and role == "tool"
    if is_json and any(json_tokens(one) != json_tokens(other) for one, other in changed):
        yield "json_changed"
