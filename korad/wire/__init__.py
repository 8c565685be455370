"""Bytes of the public protocols: HTTP/1.1 heads, server-sent events, OpenAI's bodies."""

from __future__ import annotations
