"""Where the final figures of every exchange go: log line, recent requests, metrics."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from korad.adapters.metrics import MetricsPage
from korad.adapters.recent_requests import RecentRing
from korad.adapters.request_log import RequestLog
from korad.domain.exchange import ExchangeRecord


class Records:
    """Encode each record once and hand it on.

    What is settled in one turn of the loop is dealt with at its end: after all answers have left,
    and by code that is warm from the second record on.
    """

    __slots__ = ("_call_soon", "_encode", "_log", "_metrics", "_recent", "_waiting")

    def __init__(
        self,
        *,
        log: RequestLog | None,
        metrics: MetricsPage,
        recent: RecentRing,
        call_soon: Callable[[Callable[[], None]], object],
    ) -> None:
        self._log = log
        self._metrics = metrics
        self._recent = recent
        self._call_soon = call_soon
        self._encode = msgspec.json.Encoder().encode
        self._waiting: list[ExchangeRecord] = []

    def note(self, record: ExchangeRecord) -> None:
        """Take one record."""
        self._waiting.append(record)
        if len(self._waiting) == 1:
            self._call_soon(self.hand_on)

    def hand_on(self) -> None:
        """Hand on what was taken."""
        records, self._waiting = self._waiting, []
        for record in records:
            json = self._encode(record)
            if self._log is not None:
                self._log.write(json)
            self._recent.put(record, json)
            self._metrics.note(record)
