"""What OpenAI's answers and events say, as far as the load harness wants to know."""

from __future__ import annotations

from typing import Any

_STAMP = b"t="


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
