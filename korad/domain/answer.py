"""A complete answer kept for a request that asks exactly the same again."""

from __future__ import annotations

from korad.domain.usage import Usage
from korad.domain.value import Fact


class StoredAnswer(Fact, frozen=True):
    """What the client got, and what is needed to tell it again with true figures."""

    body: bytes
    """The JSON body, or a stream's events without the bill and `[DONE]`."""
    lines: bytes
    """Header lines that are about the answer and not about its delivery, each with CRLF."""
    original_tokens: int
    """Prompt tokens before optimization."""
    usage: Usage
    """The provider's own report."""
    stored_ms: int
    """Unix milliseconds of the answer's end."""
