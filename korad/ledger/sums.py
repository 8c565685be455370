"""What Redis' balances must be, as the ledger tells: for an emptied Redis, and for the audit."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from korad.billing.periods import DAYS_KEPT, EVER, HOURS_KEPT, MONTHS_KEPT
from korad.ledger.store import Ledger

Sums = dict[str, dict[str, int]]
"""Per period ("", "2026-11", "2026-11-26", "2026-11-26T12"; UTC), per entity: billed nano-USD."""

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PARTIES: Final = "events.key_id, events.team_id, events.customer_id"
_COVERED: Final = f"""
    SELECT events.time_ms / ?, {_PARTIES}, SUM(events.billed_nano_usd)
    FROM events JOIN checkpoints
        ON checkpoints.producer = events.producer AND checkpoints.shard = events.shard
    WHERE events.shard = ? AND events.number <= checkpoints.number AND events.time_ms >= ?
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608 - constants only


class LedgerBooks:
    """The books as the shipper reads them when it rebuilds Redis."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def checkpoints(self, shard: int) -> dict[str, int]:
        """Return per producer the number up to which all its events of `shard` are booked."""
        return {
            producer: number
            for (producer, of_shard), number in self._ledger.checkpoints().items()
            if of_shard == shard
        }

    def books(self, shard: int, now_ms: int) -> tuple[Sums, dict[str, int]]:
        """Return `sums` and `checkpoints`, both as of the same moment."""
        with self._ledger.lock, self._ledger.database.snapshot():
            return self._sums(shard, now_ms), self.checkpoints(shard)

    def sums(self, shard: int, now_ms: int) -> Sums:
        """Return what the events up to the checkpoints come to, for the periods Redis keeps."""
        with self._ledger.lock, self._ledger.database.snapshot():
            return self._sums(shard, now_ms)

    def _sums(self, shard: int, now_ms: int) -> Sums:
        now = _EPOCH + timedelta(milliseconds=now_ms)
        first_month = (now - MONTHS_KEPT).strftime("%Y-%m")
        first_day = (now - DAYS_KEPT).strftime("%Y-%m-%d")
        first_hour_ms = now_ms - int(HOURS_KEPT.total_seconds()) * 1_000
        sums: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
        by_day = self._covered(shard, _DAY_MS, 0)
        by_hour = self._covered(shard, _HOUR_MS, first_hour_ms // _HOUR_MS * _HOUR_MS)
        for bucket, *parties, billed in by_day:
            day = (_EPOCH + timedelta(days=int(bucket))).strftime("%Y-%m-%d")
            periods = [EVER]
            periods += [day[:7]] if day[:7] >= first_month else []
            periods += [day] if day >= first_day else []
            _add(sums, periods, parties, int(billed))
        for bucket, *parties, billed in by_hour:
            hour = (_EPOCH + timedelta(hours=int(bucket))).strftime("%Y-%m-%dT%H")
            _add(sums, [hour], parties, int(billed))
        return {period: dict(entities) for period, entities in sums.items()}

    def _covered(self, shard: int, bucket_ms: int, since_ms: int) -> list[tuple[Any, ...]]:
        return self._ledger.database.execute(_COVERED, (bucket_ms, shard, since_ms))


def _add(
    sums: defaultdict[str, defaultdict[str, int]],
    periods: list[str],
    parties: list[str | None],
    billed_nano_usd: int,
) -> None:
    for period in periods:
        for entity in parties:
            if entity is not None:
                sums[period][entity] += billed_nano_usd
