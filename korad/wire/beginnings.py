"""Find again the long text that another one begins with, without looking at all of it.

A client sends its whole conversation with every turn. Hashing 200 KB message by message costs
0.3 ms, parsing them 0.1 to 0.6, comparing them with the bytes of the turn before 0.01. So the
latest texts are kept, each under a few short samples of it, and a new one is asked whether it
begins with one of them.
"""

from __future__ import annotations

from collections import OrderedDict
from struct import Struct
from typing import Generic, TypeVar

V = TypeVar("V")

BEGINNING_BYTES_MIN = 1_024
"""Shorter texts are not kept."""
_SAMPLES = 8
_SAMPLE_BYTES = 48
_MOST_BITS = 40

Key = tuple[int, int, tuple[bytes, ...]]


def _cut(size: int) -> Struct:
    """Return what cuts samples out of `size` bytes, so spread that conversations differ in one."""
    gap = size // _SAMPLES - _SAMPLE_BYTES
    return Struct(f"{_SAMPLE_BYTES}s{gap}x" * _SAMPLES)


# One call in C: a slice at a time took 2 us, as long as the rest of a look at a known prompt.
_SAMPLES_OF = {
    1 << bits: _cut(1 << bits).unpack_from
    for bits in range(BEGINNING_BYTES_MIN.bit_length() - 1, _MOST_BITS)
}


class Beginnings(Generic[V]):
    """The latest long texts of every kind, each with a value; for any number of threads.

    Kept are `bytes_max` at most, of which each text takes its size `copies` times.
    """

    __slots__ = ("_bytes", "_bytes_max", "_copies", "_kept")

    def __init__(self, bytes_max: int, *, copies: int = 1) -> None:
        self._bytes_max = bytes_max
        self._copies = copies
        self._kept: OrderedDict[Key, tuple[bytes, V]] = OrderedDict()
        self._bytes = 0

    def find(self, raw: bytes, kind: int = 0) -> tuple[bytes, V] | None:
        """Return a kept text that `raw` begins with, at least a quarter of it, and its value."""
        size = _power_of_two(len(raw))
        for part in (size, size // 2):
            if part < BEGINNING_BYTES_MIN:
                break
            found = self._kept.get((kind, part, _SAMPLES_OF[part](raw)))
            if found is not None and raw.startswith(found[0]):
                return found
        return None

    def keep(self, raw: bytes, value: V, kind: int = 0) -> None:
        """Keep a text; the one that it continues makes room for it, one too large is not kept."""
        if not BEGINNING_BYTES_MIN <= len(raw) <= self._bytes_max // (2 * self._copies):
            return
        part = _power_of_two(len(raw))
        key = (kind, part, _SAMPLES_OF[part](raw))
        before = self._kept.pop(key, None)
        self._kept[key] = (raw, value)
        self._bytes += self._copies * (len(raw) - (0 if before is None else len(before[0])))
        while self._bytes > self._bytes_max and self._kept:
            _, (forgotten, _) = self._kept.popitem(last=False)
            self._bytes -= self._copies * len(forgotten)
        if not self._kept:
            self._bytes = 0  # what two threads added at once

    def __len__(self) -> int:
        """Return how many texts are kept."""
        return len(self._kept)


def begun_array(raw: bytes) -> bytes:
    """Return a JSON array up to the end of its last item."""
    return raw[:-1].rstrip()


def further_items(raw: bytes, begun: bytes) -> bytes | None:
    """Return, as an array, the items of the array `raw` beyond `begun`; None: it has not those.

    `begun` is what `begun_array` makes of another one, and `raw` begins with it.
    """
    rest = raw[len(begun) :].lstrip()
    if rest[:1] == b",":
        return b"[" + rest[1:]
    # Anything else goes on inside of what was the last item: [1] and [12].
    return b"[]" if rest == b"]" else None


def _power_of_two(size: int) -> int:
    """Return the largest power of two that is not above `size`; 0 for 0."""
    return 1 << (size.bit_length() - 1) if size else 0
