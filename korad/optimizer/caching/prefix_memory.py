"""What was sent lately, and whether conversations that began so went on.

A marker for the provider's prompt cache is a bet: writing costs a quarter more than plain input,
reading saves nine tenths of it. The bet pays where the same prefix comes again before the cache
forgets it, so that is what is remembered here, per tenant and in digests only.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

import msgspec

T = TypeVar("T")

CACHE_TTL_MS = 300_000
"""How long Anthropic keeps a prefix that nobody reads."""
ENTRIES_MAX = 16_384
"""About 4 MB in all; the entries longest unused are forgotten first."""

ODDS_TO_BREAK_EVEN = 0.25 / (0.25 + 0.9)
"""Writing costs 0.25 of plain input and is lost when nothing follows; when something does, it
costs 0.1 instead of being written then, for 1.25."""

_LEARNING = 0.125
# One outcome moves the odds by an eighth: a dozen one-shot requests outweigh any number of
# conversations before them, and one conversation that goes on lifts unknown odds over the mark.


class _Sight(msgspec.Struct, gc=False):
    """One prefix, and when it was sent."""

    seen_ms: int = 0
    times: int = 0
    """How often, each within the lifetime of the one before."""
    newest: bool = False
    """A request ended here: whatever is longer continues that request."""
    opening: bytes | None = None
    """What the request was an opening of, until it is known to go on."""


class PrefixMemory:
    """Bounded memory of prefixes and of odds; owned by the chain.

    Several threads may use it at once: each step takes an entry out and puts it back, so the worst
    that comes of a race is a sight that is forgotten.
    """

    __slots__ = ("_entries_max", "_odds", "_sights")

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._sights: OrderedDict[bytes, _Sight] = OrderedDict()
        self._odds: OrderedDict[bytes, float] = OrderedDict()

    def count(self, prefix: bytes, now_ms: int) -> int:
        """Note that `prefix` is sent now; return how often it was before, in an unbroken row."""
        sight = self._sights.pop(prefix, None)
        if sight is None or now_ms - sight.seen_ms > CACHE_TTL_MS:
            sight = _Sight()
        sight.seen_ms = now_ms
        sight.times += 1
        _put(self._sights, prefix, sight, self._entries_max)
        return sight.times - 1

    def ended(self, prefix: bytes, now_ms: int) -> bool:
        """Return whether a request ended with `prefix` lately, and learn that it went on."""
        sight = self._sights.get(prefix)
        if sight is None or not sight.newest or now_ms - sight.seen_ms > CACHE_TTL_MS:
            return False
        if sight.opening is not None:
            odds = self._odds.get(sight.opening, 0.0) + _LEARNING
            _put(self._odds, sight.opening, min(odds, 1.0), self._entries_max)
            sight.opening = None
        return True

    def end(self, prefix: bytes, opening: bytes | None = None) -> None:
        """Note that a request ends with the counted `prefix`; `opening` learns if it goes on."""
        sight = self._sights.get(prefix)
        if sight is not None:
            sight.newest = True
            sight.opening = opening or sight.opening

    def odds(self, opening: bytes, prior: float) -> float:
        """Return how likely a request that opens like this goes on; `prior` if none did before."""
        return self._odds.get(opening, prior)

    def bet(self, opening: bytes, prior: float) -> float:
        """Return the odds, and lower them: they are raised again if the request goes on."""
        odds = self._odds.pop(opening, prior)
        _put(self._odds, opening, odds * (1 - _LEARNING), self._entries_max)
        return odds


def _put(memory: OrderedDict[bytes, T], key: bytes, entry: T, entries_max: int) -> None:
    memory[key] = entry
    if len(memory) > entries_max:
        memory.popitem(last=False)
