"""What the messages before a block say that its new text may depend on.

It is grown message by message, so that a conversation that goes on costs only its new part.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from korad.optimizer.base import TOOL, USER
from korad.optimizer.messages import ROLES, Message
from korad.optimizer.recognition.kinds import cares_for_form
from korad.optimizer.regions import split
from korad.optimizer.seen import Seen

QUESTION_CHARS_MAX = 4_000
"""Of a question this much is read, half from either end: between stands pasted text."""
CONTEXT_CHARS_MAX = 16 * 1024 * 1024
"""Text in the contexts kept for conversations that go on, at about four bytes a character; one
that is not kept is built again, in 1 ms per 100 KB."""
CONTEXT_OWN_CHARS = 512
"""What an empty context takes, in characters of text: 2 KB."""
_NAMES = {USER: "user message", TOOL: "tool result"}


class Context:
    """The conversation so far: what was asked, which tools were called, which texts were sent."""

    __slots__ = ("_call_chars", "_calls", "_counts", "_keeps_form", "question", "seen")

    def __init__(self) -> None:
        self.question = ""
        """The user's own words of the turn."""
        self.seen = Seen()
        self._keeps_form: bool | None = False
        self._calls: dict[str, str] = {}
        self._call_chars = 0
        self._counts: dict[str, int] = {}

    def open(self, message: Message) -> None:
        """Take what the next message, as the client sent it, asks and calls."""
        if ROLES.get(message.role) == USER:
            self.question = _question_in(message)
            self._keeps_form = None
        for call in message.tool_calls or ():
            if call.function is not None:
                words = f"{call.function.name} {call.function.arguments}"
                self._calls[call.id] = words
                self._call_chars += len(words)

    @property
    def chars(self) -> int:
        """Return what the context takes, in characters of text."""
        return self._call_chars + self.seen.chars

    @property
    def keeps_form(self) -> bool:
        """Whether the question is about the exact form of texts: they then stay as they are."""
        # Asked for when needed: a conversation that is caught up with has many questions, and only
        # the last one matters.
        if self._keeps_form is None:
            self._keeps_form = cares_for_form(self.question)
        return self._keeps_form

    def close(self, message: Message, texts: Sequence[str | None]) -> None:
        """Take the texts with which that message goes upstream."""
        where = self.count(message.role)
        for text in texts:
            if text:
                self.seen.add(text, where)

    def count(self, role: str) -> str:
        """Count a message, also one that cannot be read, and return how notes call it."""
        role = ROLES.get(role, role)
        count = self._counts[role] = self._counts.get(role, 0) + 1
        return f"{_NAMES.get(role) or f'{role} message'} {count}"

    def call_of(self, message: Message) -> str:
        """Return name and arguments of the tool call that `message` is the result of, or ""."""
        return self._calls.get(message.tool_call_id or "", "")


class Contexts:
    """The contexts of conversations that may go on, each under the digest of its last message.

    Whoever takes one owns it. Every step is one operation of a dictionary: several threads may
    share it.
    """

    __slots__ = ("_chars", "_contexts")

    def __init__(self) -> None:
        self._contexts: OrderedDict[bytes, Context] = OrderedDict()
        self._chars = 0

    def __contains__(self, key: bytes) -> bool:
        """Return whether a context is kept under `key`."""
        return key in self._contexts

    def waiting_chars(self, key: bytes) -> int:
        """Return how much of the texts kept under `key` is still to be indexed."""
        context = self._contexts.get(key)
        return 0 if context is None else context.seen.waiting_chars

    def take(self, key: bytes) -> Context | None:
        """Return the context kept under `key`, which is then kept no more."""
        context = self._contexts.pop(key, None)
        if context is not None:
            self._chars -= context.chars + CONTEXT_OWN_CHARS
        return context

    def keep(self, key: bytes, context: Context) -> None:
        """Keep a context; the ones longest unused go when there is too much text."""
        self.take(key)
        self._contexts[key] = context
        self._chars += context.chars + CONTEXT_OWN_CHARS
        while self._chars > CONTEXT_CHARS_MAX and self._contexts:
            _, forgotten = self._contexts.popitem(last=False)
            self._chars -= forgotten.chars + CONTEXT_OWN_CHARS


def _question_in(message: Message) -> str:
    """Return a user's own words: what stands outside of code fences."""
    words = "\n".join(
        region.text
        for text in message.texts()
        if text
        for region in split(text)
        if region.fence is None
    )
    if len(words) <= QUESTION_CHARS_MAX:
        return words
    half = QUESTION_CHARS_MAX // 2
    return f"{words[:half]}\n{words[-half:]}"
