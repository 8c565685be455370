"""The names of what korad keeps in Redis. All keys of a shard share its hash tag."""

from __future__ import annotations


class ShardKeys:
    """The keys of one shard."""

    __slots__ = (
        "balance", "generation", "held", "hold", "lock", "open", "rate", "sequence", "stream",
    )  # fmt: skip

    def __init__(self, shard: int) -> None:
        tag = f"kb:{{s{shard:02d}}}:"
        self.generation = f"{tag}gen"
        """Which beginning of the books this is; absent where Redis was emptied."""
        self.stream = f"{tag}st"
        self.sequence = f"{tag}seq"
        """Producer to the number of its last event."""
        self.balance = f"{tag}bal"
        """Key, team or customer to what it was billed, ever."""
        self.hold = f"{tag}hold"
        """Request to its hold, "producer|nano-USD|entity,entity|1 while under way"."""
        self.held = f"{tag}held"
        """Key, team or customer to the nano-USD of its holds."""
        self.open = f"{tag}open"
        """Key, team or customer to its requests under way."""
        self.rate = f"{tag}rate"
        self.lock = f"{tag}rebase"

    def sums(self, period: str) -> str:
        """Return the key of a period's balances."""
        return f"{self.balance}:{period}" if period else self.balance
