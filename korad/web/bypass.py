"""A stream's way past its relay, for the chunks that may go on as they came.

Nearly all chunks of a stream that brings a token each differ in nothing but one short text. At
10,000 of them a second from 200 streams, a core waits for memory more than it computes: no stream's
objects are still in its cache when its next chunk comes. So all that such a chunk needs is in one
small object; every other object that is asked on the way costs as much as thirty bytecodes.
"""

from __future__ import annotations

from collections.abc import Callable


class Bypass:
    """Counts a chunk, notes the count in the books, passes the chunk on."""

    __slots__ = ("_deltas_with", "_note", "_tokens_so_far", "_write")

    def __init__(
        self,
        note: Callable[[int], None],
        write: Callable[[bytes], None],
        tokens_so_far: Callable[[], int] | None,
    ) -> None:
        """Be closed; `note` and `write` are the books' and the client's.

        `tokens_so_far` None: a delta is a token.
        """
        self._note = note
        self._write = write
        self._tokens_so_far = tokens_so_far
        self._deltas_with: Callable[[bytes], int] = _nothing_may_pass

    def open(self, deltas_with: Callable[[bytes], int] | None) -> None:
        """Let what `deltas_with` counts pass (see StreamDecoder.deltas_with); None: nothing."""
        self._deltas_with = deltas_with or _nothing_may_pass

    def close(self) -> None:
        """Let nothing pass: the relay takes every chunk."""
        self._deltas_with = _nothing_may_pass

    def take(self, chunk: bytes) -> bool:
        """Pass a chunk on, framing and all; False: it is for the relay."""
        tokens = self._deltas_with(chunk)
        if tokens < 0:
            return False
        if self._tokens_so_far is not None:
            tokens = self._tokens_so_far()
        # Before it is passed on: a kill in between must not forget what the client got.
        self._note(tokens)
        self._write(chunk)
        return True


def _nothing_may_pass(chunk: bytes) -> int:  # noqa: ARG001 - in the place of one that looks at it
    return -1
