"""One JSON line per request on standard error, written by a thread in batches.

A line costs the event loop an append; a slow disk or a full pipe never stops a request. When
nobody reads, lines are dropped and counted, never kept without bound.
"""

from __future__ import annotations

import os
import threading

LINES_MAX = 50_000
FLUSH_S = 0.2


class RequestLog:
    """Collect lines and let a thread write them."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lines: list[bytes] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request-log", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    def write(self, line: bytes) -> None:
        """Take one line without its newline."""
        if len(self._lines) >= LINES_MAX:
            self.dropped += 1
        else:
            self._lines.append(line)

    def stop(self) -> None:
        """Write what is left and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_S):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        if not self._lines:
            return
        # Copying and deleting are atomic under the GIL, and the loop only appends behind them. A
        # swap of lists would lose the line whose writer had just looked up the old one.
        lines = self._lines[:]
        del self._lines[: len(lines)]
        data = memoryview(b"\n".join(lines) + b"\n")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            # Standard error is gone (closed pipe, full disk): there is nowhere to say so.
            self.dropped += len(lines)
