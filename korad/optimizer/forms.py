"""Find the form of every message: remembered, or made from what stands before it."""

from __future__ import annotations

from hashlib import blake2b

from korad.optimizer.base import EXTREME, LEVELS, USER
from korad.optimizer.context import Context, Contexts
from korad.optimizer.draft import Draft
from korad.optimizer.memo import Memo
from korad.optimizer.messages import ROLES, read_message, read_role
from korad.optimizer.recent import Recent
from korad.optimizer.shrink import BLOCK_CHARS_MIN, UNCHANGED, Form, Shrinker

USER_MESSAGE_BYTES_MIN = 256
"""Nothing is pasted into a shorter message of a user: a prompt of such is let through in 1 us."""
INLINE_BYTES_MAX = 8_192
"""Unseen bytes that are transformed on the event loop; more belong in a thread."""
REMEMBERED_BYTES_MAX = 64 * 1024 * 1024

LEVEL_KEYS = [name.encode() for name in LEVELS]
"""What the digests of a level's messages are chained to."""


class Forms:
    """What is remembered of messages, and who makes the forms of those that are new."""

    __slots__ = ("_contexts", "_known", "_recent", "_shrinker")

    def __init__(self, shrinker: Shrinker) -> None:
        self._shrinker = shrinker
        self._known: Memo[Form] = Memo(REMEMBERED_BYTES_MAX)
        self._contexts = Contexts()
        self._recent: Recent[Form] = Recent()

    def are_plain(self, level: int, raw: bytes) -> bool:
        """Return whether the prompt in `raw` was seen lately, and nothing in it can change."""
        return self._recent.holds_plain(level, raw)

    def recall(self, draft: Draft) -> bytes:
        """Begin `draft` with the messages it shares with a recent one; return the array of more."""
        found = None if draft.level == EXTREME else self._recent.find(draft.level, draft.raw)
        if found is None:
            return draft.raw
        known, rest = found
        draft.messages += known.messages
        draft.keys += known.keys
        draft.forms += known.forms
        return rest

    def recognise(self, draft: Draft, messages: list[bytes]) -> None:
        """Add further messages to a draft, with the forms of those that are known."""
        keys, forms = draft.keys, draft.forms
        key = keys[-1] if keys else LEVEL_KEYS[draft.level]
        for message in messages:
            key = blake2b(message, key=key, digest_size=16).digest()
            keys.append(key)
        draft.messages += messages
        for key in keys[len(forms) :]:
            form = self._known.get(key)
            if form is None:
                break
            forms.append(form)

    def are_quick(self, draft: Draft) -> bool:
        """Return whether the forms still missing may be made on the event loop."""
        messages, done = draft.messages, len(draft.forms)
        fresh = messages[done:]
        left = sum(map(len, fresh))
        if left > INLINE_BYTES_MAX:
            return False
        if any(_may_shrink(raw, read_role(raw)) for raw in fresh):
            for before in range(done - 1, -1, -1):
                if draft.keys[before] in self._contexts:
                    left += self._contexts.waiting_chars(draft.keys[before])
                    break
                if left > INLINE_BYTES_MAX:
                    break
                left += len(messages[before])
        return left <= INLINE_BYTES_MAX

    def make(self, draft: Draft) -> None:
        """Make the forms still missing."""
        forms, messages, keys = draft.forms, draft.messages, draft.keys
        context: Context | None = None
        for at in range(len(forms), len(messages)):
            raw, form = messages[at], UNCHANGED
            message = read_message(raw)
            may_shrink = message is not None and _may_shrink(raw, message.role)
            if context is None and may_shrink:
                context = self._context_before(draft, at)
            if context is not None and message is not None:
                context.open(message)
                if may_shrink:
                    form, texts = self._shrinker.form_of(raw, message, draft.level, context)
                else:
                    texts = message.texts()
                context.close(message, texts)
            elif context is not None:
                context.count(read_role(raw))
            forms.append(form)
            self._known.put(keys[at], form, len(form.raw or b""))
        if context is not None:
            self._contexts.keep(keys[-1], context)

    def keep(self, draft: Draft) -> None:
        """Remember a whole prompt, for the request that repeats or continues it."""
        if draft.level != EXTREME and not draft.is_repeated:
            self._recent.keep(
                draft.level,
                draft.raw,
                draft.messages,
                draft.keys,
                draft.forms,
                is_plain=all(form.raw is None for form in draft.forms),
            )

    def _context_before(self, draft: Draft, at: int) -> Context:
        """Return the context of the message at `at`: one kept for its conversation, caught up."""
        context, start = Context(), 0
        for before in range(at - 1, -1, -1):
            kept = self._contexts.take(draft.keys[before])
            if kept is not None:
                context, start = kept, before + 1
                break
        for raw, form in zip(draft.messages[start:at], draft.forms[start:at], strict=True):
            message = read_message(raw)
            if message is None:
                # Whoever reads a note counts it all the same.
                context.count(read_role(raw))
            else:
                context.open(message)
                final = message if form.raw is None else read_message(form.raw)
                if final is not None:
                    context.close(final, final.texts())
        return context


def _may_shrink(raw: bytes, role: str) -> bool:
    kind = ROLES.get(role)
    if kind == USER:
        return len(raw) >= USER_MESSAGE_BYTES_MIN
    return kind is not None and len(raw) >= BLOCK_CHARS_MIN
