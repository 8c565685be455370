"""What keys may spend while nobody keeps their limits: an allowance each."""

from __future__ import annotations

KEYS_MAX = 10_000


class ShadowLimits:
    """The spend of each key since the outage began, within this worker."""

    def __init__(self, exposure_nano_usd: int) -> None:
        self._exposure_nano_usd = exposure_nano_usd
        self._spent_nano_usd: dict[str, int] = {}

    def take(self, key_id: str, nano_usd: int) -> bool:
        """Return whether the key may spend this much more, and note it. 10,000 keys at most."""
        spent = self._spent_nano_usd.get(key_id)
        if spent is None:
            if len(self._spent_nano_usd) >= KEYS_MAX:
                return False
            spent = 0
        if spent + nano_usd > self._exposure_nano_usd:
            return False
        self._spent_nano_usd[key_id] = spent + nano_usd
        return True

    def forget(self) -> None:
        """Forget what was spent: the limits are kept again."""
        if self._spent_nano_usd:
            self._spent_nano_usd.clear()
