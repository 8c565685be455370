"""Recognise a conversation that goes on, or a prompt sent again, without looking at all of it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Generic, TypeVar

from korad.domain.value import Fact
from korad.wire.beginnings import BEGINNING_BYTES_MIN, Beginnings, begun_array, further_items

F = TypeVar("F")

PROMPT_BYTES_MIN = BEGINNING_BYTES_MIN
"""Shorter prompts are as quickly hashed; of them just those that cannot change are kept."""
SHORT_MAX = 4_096
"""Short prompts kept: 4 MB at most."""
KEPT_BYTES_MAX = 64 * 1024 * 1024
_COPIES = 3
"""A kept prompt is there as a whole, as messages, and about as much again beside them."""


class Known(Fact, Generic[F], frozen=True):
    """A prompt that was dealt with: its messages, their digests and forms."""

    messages: Sequence[bytes]
    keys: Sequence[bytes]
    forms: Sequence[F]
    is_plain: bool
    """All messages go upstream as they came."""


class Recent(Generic[F]):
    """The latest prompts of every level; bounded by bytes, for any number of threads."""

    __slots__ = ("_long", "_short")

    def __init__(self) -> None:
        self._long: Beginnings[Known[F]] = Beginnings(KEPT_BYTES_MAX, copies=_COPIES)
        self._short: OrderedDict[tuple[int, bytes], None] = OrderedDict()
        """Level and bytes of short prompts that go upstream as they came."""

    def find(self, level: int, raw: bytes) -> tuple[Known[F], bytes] | None:
        """Return a kept prompt that the messages in `raw` begin with, and the array of the rest."""
        found = self._long.find(raw, level)
        if found is None:
            return None
        begun, known = found
        rest = further_items(raw, begun)
        return None if rest is None else (known, rest)

    def holds_plain(self, level: int, raw: bytes) -> bool:
        """Return whether the very prompt in `raw` is kept and goes upstream as it came."""
        if len(raw) < PROMPT_BYTES_MIN:
            return (level, raw) in self._short
        found = self._long.find(raw, level)
        return found is not None and found[1].is_plain and len(found[0]) == len(raw) - 1

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
        begun = begun_array(raw)
        if len(begun) >= PROMPT_BYTES_MIN:
            known = Known(messages=messages, keys=keys, forms=forms, is_plain=is_plain)
            self._long.keep(begun, known, level)
        elif is_plain:
            self._short[level, raw] = None
            while len(self._short) > SHORT_MAX:
                self._short.popitem(last=False)
