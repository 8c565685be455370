"""What keys may spend while nobody keeps their limits: an allowance each."""

from __future__ import annotations

KEYS_MAX = 10_000
QUIET_NS = 60_000_000_000
"""So long after a key last spent unchecked, all of that is in the books."""


class ShadowLimits:
    """The unchecked spend of each key, within this worker. Time is an argument."""

    def __init__(self, exposure_nano_usd: int) -> None:
        self._exposure_nano_usd = exposure_nano_usd
        self._spent: dict[str, tuple[int, int]] = {}
        """Nano-USD, and when it was last added to."""

    def take(self, key_id: str, nano_usd: int, now_ns: int) -> bool:
        """Return whether the key may spend this much more, and note it. 10,000 keys at most."""
        spent = self._spent.get(key_id)
        if spent is None:
            if len(self._spent) >= KEYS_MAX and not self._make_room(now_ns):
                return False
            spent = (0, now_ns)
        if spent[0] + nano_usd > self._exposure_nano_usd:
            return False
        self._spent[key_id] = (spent[0] + nano_usd, now_ns)
        return True

    def answered(self, key_id: str, now_ns: int) -> None:
        """Note that a key's limits were checked: it gets its allowance back once it was quiet.

        Not at once: where Redis answers now and then, an answer would renew what others spend.
        """
        spent = self._spent.get(key_id)
        if spent is not None and now_ns - spent[1] > QUIET_NS:
            del self._spent[key_id]

    def _make_room(self, now_ns: int) -> bool:
        quiet = [key for key, (_, last) in self._spent.items() if now_ns - last > QUIET_NS]
        for key in quiet:
            del self._spent[key]
        return bool(quiet)
