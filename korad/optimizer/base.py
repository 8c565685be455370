"""What a transform is given, what it may return, and what it may not do.

A transform is one function from a block to its new text. It is pure: the same block gives the same
text on every request, so that the optimized form of a conversation's prefix is always a prefix of
the optimized form of the conversation, and the provider's prompt cache is never spoilt. It knows
nothing of the time, of chance, of how long the prompt is or of what came after the block.
"""

from __future__ import annotations

from collections.abc import Callable

from korad.domain.value import Fact, value

LEVELS = ("off", "low", "medium", "high", "extreme")
"""The savings slider, from nothing to most."""
OFF, LOW, MEDIUM, HIGH, EXTREME = range(5)

MARK = "[korad:"
"""How every note begins that korad leaves where it folded or referenced something."""

USER, TOOL = "user", "tool"


class Block(Fact, frozen=True):
    """A piece of a message that transforms may shorten: pasted text or a tool's output."""

    text: str
    role: str
    """`USER` or `TOOL`: who put the text into the conversation."""
    level: int
    """The savings level, an index into `LEVELS`."""
    fence: str | None = None
    """The language of the code fence the text stands in ("" if it names none); None: in no fence.

    The fence's own lines are not part of the text."""
    question: str = ""
    """The user's own words of the turn: what was asked when this text came."""
    call: str = ""
    """Name and arguments of the tool call that produced the text; "" for a user's text."""


@value
class Transform:
    """One prompt reduction; the list of them is the chain."""

    name: str
    """How `X-Korad-Strategy` calls it, e.g. "JSON minify"."""
    level: int
    """The lowest level that runs it."""
    apply: Callable[[Block], str]
    """Return the block's new text, or its own text object when there is nothing to gain.

    May raise: the block then stays as it was, and a metric counts it."""
    exact: bool = False
    """The old text can be restored from the new one: it is accepted at any gain. Others must save
    5 % and 32 tokens."""
    notes: bool = False
    """It writes notes (`MARK`); a text that holds the mark already is then left alone."""


def note(words: str) -> str:
    """Return the note that tells the model what was folded."""
    return f"{MARK} {words}]"
