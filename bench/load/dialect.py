"""What OpenAI's answers and events say, as far as the load harness wants to know."""

from __future__ import annotations

from typing import Any

import orjson

_STAMP = b"t="
_WORDS_MOST = 300


def stamps_of(text: bytes, at: int) -> list[bytes]:
    """Return the provider's times, in digits, where a text begins with them."""
    if not text.startswith(_STAMP, at):
        return []
    numbers = text[at + 2 : text.find(b" ", at)].split(b",")
    # A real model's words may begin like that.
    return numbers if all(map(bytes.isdigit, numbers)) else []


def tokens_of(answer: Any) -> int | None:
    """Return the completion tokens of a parsed answer or event; None: it tells no usage."""
    usage = answer.get("usage") if isinstance(answer, dict) else None
    tokens = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return tokens if isinstance(tokens, int) else None


def text_of(event: dict[str, Any]) -> str:
    """Return what an event adds to an answer: text, reasoning or a tool call."""
    try:
        delta = event["choices"][0]["delta"]
        text = delta.get("content") or delta.get("reasoning_content") or delta.get("refusal")
        return str(text or delta.get("tool_calls") or "")
    except (LookupError, TypeError, AttributeError):
        return ""


def error_words(body: bytes) -> str:
    """Return code and message of an error's body, in one line of printable text; "": none told."""
    try:
        error = orjson.loads(body)["error"]
        told = [error.get("code") or error.get("type"), error.get("message")]
    except (orjson.JSONDecodeError, LookupError, TypeError, AttributeError):
        return ""
    words = " ".join(": ".join(str(each) for each in told if each).split())
    return "".join(char if char.isprintable() else "?" for char in words)[:_WORDS_MOST]
