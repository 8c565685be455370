"""Say which old tool results an agent's loop can do without, without ever raising its bill.

Replacing an old result rewrites the prompt from there on, and a provider that would have read it
from its cache at a tenth of the price charges it in full. So the boundary moves seldom, in epochs,
and only when the bill so far stays below what it would have been without masking: the history is
replayed call by call with both the cheapest and the dearest way in which providers charge for
cached prompts. That depends on nothing but the messages, so the next request, which replays the
same history, comes to the same boundaries and its prompt begins as this one did.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from korad.domain.value import value
from korad.optimizer.base import note

MASK_NOTE = note("old tool result left out")
"""What stands in the place of a masked result."""

LEAST_RESULT_CHARS = 200
KEPT_RESULTS = 3
"""The newest tool results, which always stay."""
LEAST_FREED_TOKENS = 6_000
LEAST_FREED_SHARE = 0.25
LEAST_REST_TOKENS = 4_500
"""Providers cache no prompt shorter than about this: masking must not make it that short."""

_CHARS_PER_TOKEN = 4
_NOTE_TOKENS = len(MASK_NOTE) // _CHARS_PER_TOKEN
_RATES = ((10, 125), (50, 100))
"""Percent of the input price for what is read from the cache, and for what is written to it."""
_MARGIN_PERCENT = 110
"""The cost of a rewrite is taken as this much: tokens are only estimated."""


@value
class Sent:
    """A message as far as masking reads it: its role, and the characters of all its parts."""

    role: str
    text_chars: int


def mask(messages: Sequence[Sent]) -> frozenset[int]:
    """Return the positions of the tool messages whose content is to become `MASK_NOTE`."""
    replay = _Replay()
    for position, message in enumerate(messages):
        if message.role == "assistant":
            replay.call()
        replay.append(position, message)
    replay.call()
    return frozenset(replay.masked)


class _Replay:
    """The conversation so far, as it was sent and as it would have been, in tokens."""

    def __init__(self) -> None:
        self.masked: list[int] = []
        self.newest: deque[tuple[int, int]] = deque()
        self.waiting: list[int] = []
        self.freeable = 0
        self.head = self.plain = self.sent = 0
        self.plain_before = self.sent_before = 0
        self.is_head = True
        self.saved = [0] * len(_RATES)

    def append(self, position: int, message: Sent) -> None:
        """Add a message; the tool result that is no longer among the newest may be masked."""
        tokens = message.text_chars // _CHARS_PER_TOKEN
        self.is_head = self.is_head and message.role in ("system", "developer")
        self.head += tokens if self.is_head else 0
        self.plain += tokens
        self.sent += tokens
        if message.role not in ("tool", "function"):
            return
        self.newest.append((position, message.text_chars))
        if len(self.newest) > KEPT_RESULTS:
            old, chars = self.newest.popleft()
            if chars >= LEAST_RESULT_CHARS:
                self.waiting.append(old)
                self.freeable += chars // _CHARS_PER_TOKEN - _NOTE_TOKENS

    def call(self) -> None:
        """Charge a call to the model, and move the boundary if the bill stays below."""
        rest = self.sent - self.freeable
        enough = max(LEAST_FREED_TOKENS, LEAST_FREED_SHARE * self.sent)
        after = [
            saved + self._plain_cost(read, write) - self._rewrite_cost(rest, read, write)
            for saved, (read, write) in zip(self.saved, _RATES, strict=True)
        ]
        if self.freeable >= enough and rest >= LEAST_REST_TOKENS and min(after) >= 0:
            self.masked += self.waiting
            self.waiting, self.freeable, self.sent, self.saved = [], 0, rest, after
        else:
            self.saved = [
                saved
                + self._plain_cost(read, write)
                - (self.sent_before * read + (self.sent - self.sent_before) * write)
                for saved, (read, write) in zip(self.saved, _RATES, strict=True)
            ]
        self.plain_before, self.sent_before = self.plain, self.sent

    def _plain_cost(self, read: int, write: int) -> int:
        return self.plain_before * read + (self.plain - self.plain_before) * write

    def _rewrite_cost(self, rest: int, read: int, write: int) -> int:
        """Return what the call costs that moves the boundary: only the head is in the cache.

        What follows the head and stands before the boundary may be cached too, but a cache with
        few marks does not find it.
        """
        return (self.head * read + (rest - self.head) * write) * _MARGIN_PERCENT // 100
