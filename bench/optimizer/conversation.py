"""A recorded conversation with the facts that must outlive the optimizer: the unit of the data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
import orjson

LOOP, SINGLE = "loop", "single"
_SPLIT_FAMILIES = frozenset(("agent", "rag"))
"""Families whose kinds differ so much that each has figures of its own."""

Message = dict[str, Any]


class Facts(msgspec.Struct, omit_defaults=True):
    """What must still be in the prompt. Facts the request never held are not counted."""

    turns: dict[str, list[str]] = {}
    """By index of an assistant message: values it used, which must be in the prompt before it."""
    answers: list[list[str]] = []
    """Accepted answers, one of each list must stand somewhere; case and punctuation are ignored."""
    needles: list[str] = []
    """Texts that must stand as they are, or as they are inside a JSON string."""
    outliers: list[str] = []
    """As needles: values that differ in otherwise equal lines."""
    spans: list[str] = []
    """Passages, compared without case and punctuation."""
    words: str = ""
    """A text whose words must be there, as often as it has them."""
    rows: list[tuple[str, str]] = []
    """Key and value that must stand near each other."""
    leaves: bool = False
    """Every scalar of every JSON document in the request must be there."""
    types: bool = False
    """Strings that look like numbers, true, false or null must still be marked as strings."""
    exact: list[int] | Literal["all"] = []
    """Messages that may not change at low and medium; "all": at high either."""
    json_lex: bool = False
    """Tool results must stay the same JSON at low: number literals, duplicate keys, escapes."""


class Conversation(msgspec.Struct):
    """One line of a data file. Members that are not named here are ignored."""

    family: str
    sub: str
    mode: Literal["loop", "single"]
    request: dict[str, Any]
    """An OpenAI chat-completions request; a loop is replayed from its messages."""
    must: Facts = msgspec.field(default_factory=Facts)
    flags: list[str] = []
    """`passthrough`: never changed at any level; `medium_only`: no facts checked above medium."""
    id: str = ""
    source: str = ""
    licence: str = ""

    @property
    def group(self) -> str:
        """The family that the figures are told under."""
        return f"{self.family}/{self.sub}" if self.family in _SPLIT_FAMILIES else self.family

    @property
    def messages(self) -> list[Message]:
        """The request's messages."""
        messages: list[Message] = self.request["messages"]
        return messages

    def requests(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield (number of messages, request): each that ends before an assistant's turn."""
        messages = self.messages
        if self.mode == SINGLE:
            yield len(messages), self.request
            return
        for at in range(1, len(messages)):
            before, here = messages[at - 1]["role"], messages[at]["role"]
            if here == "assistant" and before != "assistant":
                yield at, self.request | {"messages": messages[:at]}


def parts_of(content: Any) -> list[dict[str, Any]]:
    """Return a message's content as parts: a string is one text part, null is none."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, dict)] if content else []


def text_of(part: dict[str, Any]) -> str:
    """Return a part's text, "" for an image or a file."""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def calls_of(message: Message) -> list[tuple[str, str]]:
    """Return name and arguments of a message's tool calls."""
    functions = [call.get("function") or {} for call in message.get("tool_calls") or []]
    return [(one.get("name") or "", one.get("arguments") or "") for one in functions]


def prompt_text(messages: list[Message]) -> str:
    """Return all text that the model reads in `messages`, one piece a line."""
    texts: list[str] = []
    for message in messages:
        texts += [text_of(part) for part in parts_of(message.get("content"))]
        texts += [arguments for _, arguments in calls_of(message)]
    return "\n".join(texts)


def without_marks(value: Any) -> Any:
    """Return `value` without `cache_control` at any depth."""
    if isinstance(value, dict):
        return {k: without_marks(v) for k, v in value.items() if k != "cache_control"}
    if isinstance(value, list):
        return [without_marks(item) for item in value]
    return value


def marks_in(value: Any) -> int:
    """Return how many `cache_control` there are at any depth."""
    if isinstance(value, dict):
        return ("cache_control" in value) + sum(marks_in(item) for item in value.values())
    return sum(marks_in(item) for item in value) if isinstance(value, list) else 0


def encode(value: Any) -> bytes:
    """Return `value` as compact JSON."""
    return orjson.dumps(value)


def encode_conversation(conversation: Conversation) -> bytes:
    """Return a data file's line for `conversation`, without the line's end."""
    return msgspec.json.encode(conversation)
