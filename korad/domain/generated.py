"""The text that a streamed answer brought: how much of it, and what of it is not counted yet."""

from __future__ import annotations

from typing import Any, ClassVar


class Generated:
    """Content, reasoning and arguments of one stream, in the pieces in which they came.

    It is only wanted if no usage comes, and gathered all the same: what a killed process had passed
    on is billed by the deltas counted so far.
    """

    __slots__ = ("_pieces", "_taken_chars", "chars", "deltas", "is_kept", "spaces")

    _BLANK: ClassVar[Any] = " "

    def __init__(self) -> None:
        self._pieces: list[Any] = []
        self._taken_chars = 0
        self.deltas = 0
        """Pieces, empty ones apart."""
        self.is_kept = True
        """Whether the text is kept and measured; else only pieces are counted."""
        self.chars = 0
        """Of all pieces, in characters or bytes."""
        self.spaces = 0
        """Blanks among them: a piece of several words is several tokens."""

    def add(self, piece: Any) -> None:
        """Take a piece that is not empty."""
        self.deltas += 1
        if self.is_kept:
            self._pieces.append(piece)
            self.chars += len(piece)
            self.spaces += piece.count(self._BLANK)

    @property
    def kept_chars(self) -> int:
        """How many are kept until `take`."""
        return self.chars - self._taken_chars

    def take(self) -> str:
        """Return the text that is kept, and keep it no longer."""
        pieces, self._pieces = self._pieces, []
        self._taken_chars = self.chars
        return self._joined(pieces)

    @staticmethod
    def _joined(pieces: list[Any]) -> str:
        return "".join(pieces)
