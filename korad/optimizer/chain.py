"""Run the transforms of a savings level over a request."""

from __future__ import annotations

from korad.domain.chat import ChatRequest
from korad.domain.value import Fact

PASSTHROUGH = "Passthrough (no optimization needed)"


class OptimizedPrompt(Fact, frozen=True):
    """A request that became smaller, and by what."""

    request: ChatRequest
    strategy: str
    """The text of the `X-Korad-Strategy` header: the transforms that changed something."""


class Chain:
    """The ordered transforms. It has none yet: every prompt passes through unchanged."""

    __slots__ = ()

    def run(self, request: ChatRequest, level: str) -> OptimizedPrompt | None:  # noqa: ARG002 - what a chain is asked
        """Return the smaller request to send upstream at `level`, or None: nothing was changed."""
        return None
