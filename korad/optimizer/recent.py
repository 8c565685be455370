"""Recognise a conversation that goes on, or a prompt sent again, without looking at all of it.

A client sends its whole conversation with every turn. Hashing 200 KB message by message costs
0.3 ms, comparing it with the bytes of the turn before 0.02. So the latest prompts are kept, each
under a few short samples of it, and a new one is asked whether it begins with one of them.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

from korad.domain.value import Fact
from korad.wire.samples import SAMPLED_BYTES_MIN, Samples, power_of_two, samples

F = TypeVar("F")

PROMPT_BYTES_MIN = SAMPLED_BYTES_MIN
"""Shorter prompts are as quickly hashed; of them just those that cannot change are kept."""
SHORT_MAX = 4_096
"""Short prompts kept: 4 MB at most."""
KEPT_BYTES_MAX = 64 * 1024 * 1024
_COPIES = 3
"""A kept prompt is there as a whole, as messages, and about as much again beside them."""

Key = tuple[int, int, Samples]


class Known(Fact, Generic[F], frozen=True):
    """A prompt that was dealt with: its messages, their digests and forms."""

    raw: bytes
    """The JSON array up to the end of its last message."""
    messages: Sequence[bytes]
    keys: Sequence[bytes]
    forms: Sequence[F]
    is_plain: bool
    """All messages go upstream as they came."""

    def rest_of(self, raw: bytes) -> bytes | None:
        """Return the messages that `raw` has beyond these, as an array; None: it is another."""
        if not raw.startswith(self.raw):
            return None
        rest = raw[len(self.raw) :].lstrip()
        if rest[:1] == b",":
            return b"[" + rest[1:]
        # Anything else goes on inside of what was the last item: [1] and [12].
        return b"[]" if rest == b"]" else None


class Recent(Generic[F]):
    """The latest prompts of every level; bounded by bytes, for any number of threads."""

    __slots__ = ("_bytes", "_known", "_short")

    def __init__(self) -> None:
        self._known: OrderedDict[Key, Known[F]] = OrderedDict()
        self._bytes = 0
        self._short: OrderedDict[tuple[int, bytes], None] = OrderedDict()
        """Level and bytes of short prompts that go upstream as they came."""

    def find(self, level: int, raw: bytes) -> tuple[Known[F], bytes] | None:
        """Return a kept prompt that the messages in `raw` begin with, and the array of the rest."""
        size = power_of_two(len(raw))
        for part in (size, size // 2):
            if part < PROMPT_BYTES_MIN:
                break
            known = self._known.get((level, part, samples(raw, part)))
            rest = None if known is None else known.rest_of(raw)
            if known is not None and rest is not None:
                return known, rest
        return None

    def holds_plain(self, level: int, raw: bytes) -> bool:
        """Return whether the very prompt in `raw` is kept and goes upstream as it came."""
        size = len(raw)
        if size < PROMPT_BYTES_MIN:
            return (level, raw) in self._short
        part = power_of_two(size)
        known = self._known.get((level, part, samples(raw, part)))
        return (
            known is not None
            and known.is_plain
            and len(known.raw) == size - 1
            and raw.startswith(known.raw)
        )

    def keep(
        self,
        level: int,
        raw: bytes,
        messages: Sequence[bytes],
        keys: Sequence[bytes],
        forms: Sequence[F],
        *,
        is_plain: bool,
    ) -> None:
        """Keep the prompt in `raw`; the one it continues makes room for it."""
        head = raw[:-1].rstrip()
        size = len(head)
        if size < PROMPT_BYTES_MIN:
            if is_plain:
                self._short[level, raw] = None
                while len(self._short) > SHORT_MAX:
                    self._short.popitem(last=False)
            return
        part = power_of_two(size)
        key = (level, part, samples(head, part))
        before = self._known.pop(key, None)
        self._known[key] = Known(
            raw=head, messages=messages, keys=keys, forms=forms, is_plain=is_plain
        )
        self._bytes += _COPIES * (size - (0 if before is None else len(before.raw)))
        while self._bytes > KEPT_BYTES_MAX and self._known:
            _, forgotten = self._known.popitem(last=False)
            self._bytes -= _COPIES * len(forgotten.raw)
        if not self._known:
            self._bytes = 0  # what two threads added at once
