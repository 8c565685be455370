"""The ledger: the durable books behind the stream of billing events, and the tools that read them.

Events are booked once each, by their id. Nothing here is ever changed or deleted.
"""

from __future__ import annotations

from korad.ledger.consumer import LedgerConsumer
from korad.ledger.database import LedgerError, LedgerUnavailableError
from korad.ledger.opening import open_ledger
from korad.ledger.store import Ledger
from korad.ledger.sums import LedgerBooks

__all__ = [
    "Ledger",
    "LedgerBooks",
    "LedgerConsumer",
    "LedgerError",
    "LedgerUnavailableError",
    "open_ledger",
]
