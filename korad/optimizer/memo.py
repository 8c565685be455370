"""A bounded memory of results by digest, for work that conversations ask for again and again."""

from __future__ import annotations

from typing import Generic, TypeVar

V = TypeVar("V")

_ENTRY_BYTES = 200
"""What an entry takes beside its value: key, tuple, place in the table."""


class Memo(Generic[V]):
    """Remember values up to a number of bytes; what is used goes on, what is not is forgotten.

    Two generations: a full young one becomes the old one, and what is asked for moves over. Every
    step is one operation of a dictionary, so several threads may share it: a race costs a value,
    never a wrong answer.
    """

    __slots__ = ("_bytes", "_bytes_max", "_old", "_young")

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max // 2
        self._bytes = 0
        self._young: dict[bytes, tuple[V, int]] = {}
        self._old: dict[bytes, tuple[V, int]] = {}

    def get(self, key: bytes) -> V | None:
        """Return the value under `key`, or None."""
        entry = self._young.get(key)
        if entry is None:
            entry = self._old.get(key)
            if entry is None:
                return None
            self.put(key, *entry)
        return entry[0]

    def put(self, key: bytes, value: V, size_bytes: int = 0) -> None:
        """Remember `value`, which takes `size_bytes` of memory."""
        self._bytes += size_bytes + _ENTRY_BYTES
        if self._bytes > self._bytes_max:
            self._old, self._young = self._young, {}
            self._bytes = size_bytes + _ENTRY_BYTES
        self._young[key] = (value, size_bytes)

    def __len__(self) -> int:
        """Return how many values are remembered."""
        return len(self._young) + len(self._old)
