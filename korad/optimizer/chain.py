"""Run the transforms of a savings level over a request."""

from __future__ import annotations

from korad.domain.chat import ChatRequest
from korad.domain.value import value

PASSTHROUGH = "Passthrough (no optimization needed)"


@value
class OptimizedPrompt:
    """A request as it goes upstream, and what was done to it."""

    request: ChatRequest
    """The very object that came in when nothing was changed."""
    applied: tuple[str, ...]
    """Names of the transforms that changed something, in order."""
    level: str

    @property
    def strategy(self) -> str:
        """Return the text of the `X-Korad-Strategy` header."""
        return f"{' + '.join(self.applied)} ({self.level})" if self.applied else PASSTHROUGH


class Chain:
    """The ordered transforms. It has none yet: every prompt passes through unchanged."""

    __slots__ = ()

    def run(self, request: ChatRequest, level: str) -> OptimizedPrompt:
        """Return the request to send upstream at `level`."""
        return OptimizedPrompt(request=request, applied=(), level=level)
