"""A request on its way through the chain: what is known of it, and what is left to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from korad.domain.chat import ChatRequest
from korad.optimizer.shrink import BLOCK_CHARS_MIN, Form


@dataclass(slots=True, kw_only=True)
class Draft:
    """A request on its way through the chain."""

    level: int
    request: ChatRequest | None = None
    """None while its body is still arriving."""
    raw: bytes = b""
    """The messages as one array, as they came."""
    messages: list[bytes] = field(default_factory=list)
    """As they came, less what is masked."""
    keys: list[bytes] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    """Of the messages dealt with: a prefix of `messages`."""
    masked: bool = False
    is_quick: bool = False
    """What is left may be done on the event loop."""
    is_repeated: bool = False
    """The very same messages were sent before, lately."""
    tools_key: bytes | None = None
    """Of the tools, where they may become shorter."""
    tools: bytes | None = None
    """Shorter tools, if they can be."""

    @property
    def is_known(self) -> bool:
        """Whether the form of every message is known."""
        return len(self.forms) == len(self.messages)

    @property
    def changes(self) -> bool:
        """Whether a message dealt with has another form than it came with."""
        for form in self.forms:  # noqa: SIM110 - any() of a generator takes twice as long
            if form.raw is not None:
                return True
        return False

    def may_change(self, fresh: Sequence[bytes]) -> bool:
        """Return whether any message, with `fresh` ones to come, can have another form."""
        if self.forms and self.changes:
            return True
        for raw in fresh:  # noqa: SIM110 - any() of a generator takes twice as long
            if len(raw) >= BLOCK_CHARS_MIN:
                return True
        return False
