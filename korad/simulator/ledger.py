"""The simulator's own books: what it was asked and what it sent, to hold korad's bills against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from korad.domain.value import value

ENTRIES_MAX = 200_000
REQUESTS_MAX = 10_000
REQUEST_BYTES_MAX = 64 * 1024 * 1024
"""Bodies of captured requests held at once."""


@dataclass(slots=True, kw_only=True)
class LedgerEntry:
    """One request as the provider saw it; it grows while the answer is being sent."""

    dialect: str
    """"openai" or "anthropic"."""
    model: str = ""
    status: int = 0
    """What the head says, or would have said when a fault prevented it."""
    prompt_tokens: int = 0
    """Including cached ones; 0 for a request that was refused."""
    completion_tokens: int = 0
    """Sent so far, or all once the answer is complete."""
    usage_sent: bool = False
    completed: bool = False
    """A whole 200 answer was written; never true of an error."""
    aborted_at: int | None = None
    """Unix seconds at which the client closed before the answer ended."""
    aborted_monotonic_s: float | None = None
    """The same on this machine's monotonic clock, which other processes read too."""
    bytes_sent: int = 0
    """Head and framing included."""
    client_request_id: str | None = None
    """The request's x-client-request-id."""
    attempt: int = 1
    """How many requests have carried this id; an earlier attempt's figures are replaced."""


@value
class CapturedRequest:
    """A request as it arrived."""

    method: str
    path: str
    """With the query."""
    raw_headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return the header lines in order, names as sent."""
        return [(name.decode("latin-1"), text.decode("latin-1")) for name, text in self.raw_headers]

    def header(self, name: str) -> str | None:
        """Return the first header called `name` (any case), or None."""
        wanted = name.lower().encode("latin-1")
        for own_name, text in self.raw_headers:
            if own_name.lower() == wanted:
                return text.decode("latin-1")
        return None


class Ledger(dict[str, LedgerEntry]):
    """Entries by the request's x-request-id; the oldest give way beyond ENTRIES_MAX."""

    def open(self, request_id: str, dialect: str) -> LedgerEntry:
        """Return a new entry under `request_id`."""
        earlier = self.pop(request_id, None)
        entry = LedgerEntry(dialect=dialect, attempt=earlier.attempt + 1 if earlier else 1)
        self[request_id] = entry
        if len(self) > ENTRIES_MAX:
            del self[next(iter(self))]
        return entry


class RequestLog:
    """The last requests, bounded by their number and by their bytes."""

    def __init__(self) -> None:
        self._requests: deque[CapturedRequest] = deque()
        self._bytes = 0

    def append(self, request: CapturedRequest) -> None:
        """Keep `request`, and drop the oldest beyond the bounds."""
        self._requests.append(request)
        self._bytes += len(request.body)
        while len(self._requests) > REQUESTS_MAX or (
            self._bytes > REQUEST_BYTES_MAX and len(self._requests) > 1
        ):
            self._bytes -= len(self._requests.popleft().body)

    def clear(self) -> None:
        """Forget all of them."""
        self._requests.clear()
        self._bytes = 0

    def as_list(self) -> list[CapturedRequest]:
        """Return them, oldest first."""
        return list(self._requests)
