"""Fewer prompt tokens: a chain of transforms chosen by the savings level.

In: a parsed request and a level. Out: the request to send, and what was changed in it. The chain
never raises; a transform that fails leaves its block as it was.
"""

from __future__ import annotations

from korad.optimizer.base import LEVELS
from korad.optimizer.caching.breakpoints import NO_CACHE_POLICY, CachePolicy
from korad.optimizer.calibration import Calibration
from korad.optimizer.chain import PASSTHROUGH, Chain, OptimizedPrompt
from korad.optimizer.draft import Draft
from korad.optimizer.tokens import TokenCounter

__all__ = [
    "LEVELS",
    "NO_CACHE_POLICY",
    "PASSTHROUGH",
    "CachePolicy",
    "Calibration",
    "Chain",
    "Draft",
    "OptimizedPrompt",
    "TokenCounter",
]
