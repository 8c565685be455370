"""The far side: keep-alive HTTP/1.1 connections to providers, pooled per provider row.

In: an `UpstreamCall` and a listener. Out: the listener is told about the answer as it comes, and
exactly once how it ended. Nothing here knows what the bytes mean.
"""

from __future__ import annotations

from korad.upstream.connection import AnswerHead, Listener, UpstreamConnection
from korad.upstream.pool import Pool

__all__ = ["AnswerHead", "Listener", "Pool", "UpstreamConnection"]
