"""The near side: HTTP in, HTTP out.

Two lanes lead to one relay: the fast lane takes requests of the hot shape straight from the
socket, aiohttp's own lane takes every other request. Both serve the same exchange.
"""

from __future__ import annotations
