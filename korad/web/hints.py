"""What to do instead, for those who ask for what is not there."""

from __future__ import annotations

_BASE_URL = "The base URL ends with /v1, so that chat completions are at /v1/chat/completions."
_EXACTLY = "Chat completions are at /v1/chat/completions, spelt just so."
_CHAT_ONLY = "korad serves chat completions only, at /v1/chat/completions."
_RESPONSES = (
    "korad serves chat completions only: have the client use the Chat Completions API, "
    "not the Responses API."
)
_COMMON = frozenset(("chat", "models", "responses", "completions", "embeddings"))
"""Where clients go without the base URL's /v1."""


def hint_for(path: str) -> str:
    """Return a sentence for whoever asked for an unknown path, "" where there is none."""
    parts = [part for part in path.split("/") if part]
    if parts == ["v1", "chat", "completions"]:
        return _EXACTLY
    if parts[-2:] == ["chat", "completions"]:
        return _BASE_URL
    if parts[:2] == ["v1", "responses"]:
        return _RESPONSES
    if parts[:1] == ["v1"]:
        return _CHAT_ONLY
    return _BASE_URL if _COMMON.intersection(parts[:1]) else ""
