"""A stream's way past its relay, for the chunks that may go on as they came.

Nearly all chunks of a stream differ from the last in nothing but one short text. At 10,000 of them
a second from 200 streams, no stream's objects are still in the core's cache when its next chunk
comes: a fifth of the interpreter's time went by waiting for them. So a chunk asks one small object
here, and one of its decoder, in place of a dozen.
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
