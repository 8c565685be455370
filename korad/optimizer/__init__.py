"""Fewer prompt tokens: a chain of transforms chosen by the savings level.

In: a parsed request and a level. Out: the request to send, and what was changed in it. The chain
never raises; a transform that fails leaves its block as it was.
"""

from __future__ import annotations

from korad.optimizer.chain import PASSTHROUGH, Chain, OptimizedPrompt
from korad.optimizer.tokens import TokenCounter

LEVELS = ("off", "low", "medium", "high", "extreme")
"""The savings slider, from nothing to most."""

__all__ = ["LEVELS", "PASSTHROUGH", "Chain", "OptimizedPrompt", "TokenCounter"]
