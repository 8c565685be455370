"""The far side: keep-alive HTTP/1.1 connections to providers, pooled per provider row.

In: an `UpstreamCall` and a listener. Out: the listener is told about the answer as it comes, and
exactly once how it ended. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

from korad.upstream.connection import UpstreamConnection
from korad.upstream.hot_shape import AnswerHead
from korad.upstream.listener import ChunkBypass, Handle, Listener
from korad.upstream.pool import Pool

__all__ = ["AnswerHead", "ChunkBypass", "Handle", "Listener", "Pool", "UpstreamConnection"]
