"""The process: sockets, workers, signals, the drain."""

from __future__ import annotations

from korad.server.run import serve

__all__ = ["serve"]
