"""What an audit finds, per producer and shard, and altogether."""

from __future__ import annotations

from dataclasses import dataclass, field

from korad.ledger.audit_sources import Place
from korad.ledger.entries import Row


@dataclass(slots=True, kw_only=True)
class Tally:
    """What one place tells of one producer and shard."""

    events: int = 0
    highest: int = 0
    billed_nano_usd: int = 0


@dataclass(slots=True, kw_only=True)
class Account:
    """One producer and shard, in all four places."""

    journal: Tally = field(default_factory=Tally)
    stream: Tally = field(default_factory=Tally)
    ledger: Tally = field(default_factory=Tally)
    redis_number: int | None = None
    checkpoint: int = 0
    cut: int = 0
    under_way: int = 0
    missing: int = 0
    """Events that the ledger lacks, and nothing will bring."""
    first_missing: list[int] = field(default_factory=list)
    """The lowest of their numbers."""


@dataclass(slots=True, kw_only=True)
class AuditReport:
    """What the audit found."""

    accounts: dict[Place, Account]
    balances: dict[tuple[int, str], tuple[int, int]] = field(default_factory=dict)
    """(shard, entity) to (nano-USD in Redis, nano-USD by the events), where they differ."""
    entities: int = 0
    doubles: list[tuple[str, int]] = field(default_factory=list)
    """Request ids that were booked more than once, and how often."""
    faults: list[str] = field(default_factory=list)
    """Everything else that is wrong, in words."""

    @property
    def under_way(self) -> int:
        """Events that are on their way into the ledger."""
        return sum(account.under_way for account in self.accounts.values())

    @property
    def missing(self) -> int:
        """Events that no one has any more."""
        return sum(account.missing for account in self.accounts.values())

    @property
    def double(self) -> int:
        """Events that were booked in excess."""
        return sum(count - 1 for _, count in self.doubles)

    @property
    def difference_nano_usd(self) -> int:
        """What Redis' balances are off by, all entities together."""
        return sum(abs(redis - events) for redis, events in self.balances.values())

    @property
    def is_clean(self) -> bool:
        """Whether nothing differs; what is under way may be."""
        return not (self.missing or self.double or self.balances or self.faults)


def count(tally: Tally, row: Row) -> None:
    """Add an event to what a place tells."""
    tally.events += 1
    tally.highest = max(tally.highest, row.number)
    tally.billed_nano_usd += row.billed_nano_usd
