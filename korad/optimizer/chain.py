"""Run the transforms of a savings level over a request.

    messages ──look_up──▶ known forms ──finish──▶ all forms ──compose──▶ members with cache marks

A message's form is a function of the level, the message and the messages before it, and of nothing
else: it is made when the message is new and is the same on every replay, so the provider's prompt
cache stays warm. Forms are remembered under digests chained over level and messages. Nothing here
raises: what fails leaves its text as it was and is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.value import Fact
from korad.optimizer.base import EXTREME, HIGH, LEVELS, Transform
from korad.optimizer.caching.breakpoints import NO_CACHE_POLICY, CachePolicy, plan
from korad.optimizer.caching.prefix_memory import PrefixMemory
from korad.optimizer.draft import Draft
from korad.optimizer.forms import LEVEL_KEYS, USER_MESSAGE_BYTES_MIN, Forms
from korad.optimizer.masking import LEAST_RESULT_CHARS, MASK_NOTE, Sent, mask
from korad.optimizer.memo import Memo
from korad.optimizer.messages import (
    join_messages,
    read_message,
    read_role,
    split_messages,
    with_texts,
)
from korad.optimizer.recent import PROMPT_BYTES_MIN
from korad.optimizer.shrink import MESSAGE, Shrinker
from korad.optimizer.tools.descriptions import shorten
from korad.optimizer.transforms import REFERENCES, TRANSFORMS, Reference

PASSTHROUGH = "Passthrough (no optimization needed)"
MASKING = "Old tool results"
TOOL_DESCRIPTIONS = "Tool descriptions"
CACHE_MARKS = "Prompt cache"

INLINE_KNOWN_BYTES_MAX = 262_144
"""Longest prompt that is looked up on the event loop: digests take 0.25 ms of it."""
INLINE_MESSAGES_MAX = 400
"""Most messages that are new, or looked at for cache marks, on the event loop: 2 to 5 us each."""
TOOLS_BYTES_MAX = 8 * 1024 * 1024
"""Memory for tools with shorter descriptions."""

_LEVEL_OF = {name: index for index, name in enumerate(LEVELS)}


class OptimizedPrompt(Fact, frozen=True):
    """A request that became smaller or cheaper, and by what."""

    request: ChatRequest
    strategy: str
    """The text of the `X-Korad-Strategy` header: the transforms that changed something."""
    unmarked: bytes
    """The messages without the marks for the provider's cache, which move on with every turn."""


class Chain:
    """The ordered transforms and what they remember; shared by all exchanges of a worker.

    `count` returns the tokens of a text. Every step may run in any thread.
    """

    __slots__ = ("_forms", "_prefixes", "_tools", "failures")

    def __init__(
        self,
        count: Callable[[str], int],
        transforms: Sequence[Transform] = TRANSFORMS,
        references: Sequence[Reference] = REFERENCES,
    ) -> None:
        self.failures: Counter[str] = Counter()
        """How often each transform raised."""
        self._forms = Forms(Shrinker(transforms, references, count, self.failures))
        self._tools: Memo[bytes] = Memo(TOOLS_BYTES_MAX)
        self._prefixes = PrefixMemory()

    def look_up(
        self, request: ChatRequest, level: str, policy: CachePolicy, *, at_once: bool = False
    ) -> Draft | None:
        """Return what is known of a request and what is left to do; None: nothing can change.

        `at_once`: it is asked for on the event loop, and a prompt of too many messages for that
        is not looked at further: its draft is not quick, and good for nothing else.
        Takes about 2 us a message that is new and 20 us for 200 KB that are not.
        """
        grade = _LEVEL_OF[level]
        if not grade:
            return None
        is_marked = policy.is_used
        is_text_only = not is_marked and (grade < HIGH or "tools" not in request.members)
        noted = request.plain_levels
        if is_text_only and noted is not None and grade in noted:
            return None
        raw = request.messages_json()
        if is_text_only and (
            # `find`: on bytes, `in` raises and clears an exception inside.
            raw.find(b"tool") < 0 and raw.find(b"function") < 0
            if len(raw) < USER_MESSAGE_BYTES_MIN
            else self._forms.are_plain(grade, raw)
        ):
            if noted is not None:
                noted.add(grade)
            return None
        draft = Draft(request=request, level=grade, raw=raw, tools_key=_tools_key(request, grade))
        fresh = split_messages(self._forms.recall(draft))
        if fresh is None or not (
            is_marked or draft.tools_key is not None or draft.may_change(fresh)
        ):
            return None
        looked_at = len(fresh) + (len(draft.messages) if is_marked else 0)
        if at_once and looked_at > INLINE_MESSAGES_MAX:
            return draft
        draft.is_repeated = not fresh
        if grade == EXTREME:
            draft.masked = _mask_old_results(fresh)
        self._forms.recognise(draft, fresh)
        draft.is_quick = (draft.is_known or self._forms.are_quick(draft)) and (
            # Tools are unknown once per worker and take 1 ms per KB.
            draft.tools_key is None or self._tools.get(draft.tools_key) is not None
        )
        return draft

    def begin(self, level: str) -> Draft | None:
        """Return the draft of a request that is still arriving; None: nothing can be done yet."""
        grade = _LEVEL_OF[level]
        # What is masked follows from all messages.
        return None if grade in (0, EXTREME) else Draft(level=grade)

    def advance(self, draft: Draft, messages: list[bytes]) -> None:
        """Find the forms of further messages, for `look_up` to know them when all have come."""
        try:
            self._forms.recognise(draft, messages)
            self._forms.make(draft)
        except Exception:  # noqa: BLE001 - counted; `finish` deals with the messages again
            self.failures[MESSAGE] += 1

    def finish(self, draft: Draft) -> None:
        """Do what is left: CPU that grows with what is new, 10 to 150 ms per MB."""
        try:
            if not draft.is_known:
                self._forms.make(draft)
            # Of short prompts only those are kept that go upstream as they came.
            if not draft.is_repeated and (len(draft.raw) >= PROMPT_BYTES_MIN or not draft.changes):
                self._forms.keep(draft)
        except Exception:  # noqa: BLE001 - counted; messages without a form go on as they came
            self.failures[MESSAGE] += 1
        if draft.tools_key is not None:
            draft.tools = self._shorter_tools(draft, draft.tools_key)

    def compose(
        self, draft: Draft, policy: CachePolicy, tenant: str, now_ms: int
    ) -> OptimizedPrompt | None:
        """Return the request to send upstream, with its cache marks; None: the client's own."""
        assert draft.request is not None
        applied: dict[str, None] = {}
        if draft.masked:
            applied[MASKING] = None
        messages = draft.messages.copy()
        for at, form in enumerate(draft.forms):
            if form.raw is not None:
                messages[at] = form.raw
                applied.update(dict.fromkeys(form.applied))
        unmarked = join_messages(messages) if applied else draft.raw
        members = dict(draft.request.members)
        if draft.tools is not None:
            members["tools"] = msgspec.Raw(draft.tools)
            applied[TOOL_DESCRIPTIONS] = None
        if policy.is_used and self._mark(messages, members, policy, tenant, now_ms):
            applied[CACHE_MARKS] = None
        if not applied:
            return None
        sent = join_messages(messages) if CACHE_MARKS in applied else unmarked
        members["messages"] = msgspec.Raw(sent)
        return OptimizedPrompt(
            request=msgspec.structs.replace(draft.request, members=members, plain_levels=None),
            strategy=f"{' + '.join(applied)} ({LEVELS[draft.level]})",
            unmarked=unmarked,
        )

    def run(
        self, request: ChatRequest, level: str, policy: CachePolicy = NO_CACHE_POLICY
    ) -> OptimizedPrompt | None:
        """Do all three steps for a request that nobody waits for."""
        draft = self.look_up(request, level, policy)
        if draft is None:
            return None
        self.finish(draft)
        return self.compose(draft, policy, tenant="", now_ms=0)

    def _mark(
        self,
        messages: list[bytes],
        members: dict[str, msgspec.Raw],
        policy: CachePolicy,
        tenant: str,
        now_ms: int,
    ) -> bool:
        """Put marks for the provider's cache into `messages` and `members`, if any are due."""
        try:
            planned = plan(
                [_View(role=read_role(raw), raw=raw) for raw in messages],
                members, policy, self._prefixes, tenant, now_ms,
            )  # fmt: skip
        except Exception:  # noqa: BLE001 - counted; the prompt goes on without marks
            self.failures[CACHE_MARKS] += 1
            return False
        if planned is None:
            return False
        for at, raw in planned.messages.items():
            messages[at] = raw
        for name, raw in planned.members.items():
            members[name] = msgspec.Raw(raw)
        return True

    def _shorter_tools(self, draft: Draft, key: bytes) -> bytes | None:
        known = self._tools.get(key)
        if known is None:
            assert draft.request is not None
            try:
                known = shorten(bytes(draft.request.members["tools"]), draft.level) or b""
            except Exception:  # noqa: BLE001 - counted; the tools go on as they came
                self.failures[TOOL_DESCRIPTIONS] += 1
                known = b""
            self._tools.put(key, known, len(known))
        return known or None


class _View(Fact, frozen=True):
    role: str
    raw: bytes


def _mask_old_results(messages: list[bytes]) -> bool:
    """Put a note in the place of what may be masked in `messages`; return whether anything was."""
    positions = mask([Sent(role=read_role(raw), text_chars=len(raw)) for raw in messages])
    masked = False
    for at in positions:
        message = read_message(messages[at])
        texts = [] if message is None else [_masked(text) for text in message.texts()]
        if message is not None and any(texts):
            messages[at] = with_texts(messages[at], message, texts)
            masked = True
    return masked


def _masked(text: str | None) -> str | None:
    """Return what stands for a text that is masked; None: it is too short to gain by that."""
    return MASK_NOTE if text is not None and len(text) >= LEAST_RESULT_CHARS else None


def _tools_key(request: ChatRequest, level: int) -> bytes | None:
    tools = request.members.get("tools")
    if tools is None or level < HIGH or bytes(memoryview(tools)[:4]) == b"null":
        return None
    return blake2b(tools, key=LEVEL_KEYS[level], digest_size=16).digest()
