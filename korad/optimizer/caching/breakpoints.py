"""Say where a provider should cache the prompt: `cache_control` for Claude, `prompt_cache_key`.

Runs after the transforms, on the messages as they go upstream. Markers are no part of what the
provider hashes, so a plan may depend on what was sent before; it never changes a text.

An agent's loop sends the same prompt again, longer by one turn. Marked are therefore
- the end of tools and system prompt, which other conversations share,
- the newest message, for the next request to read,
- what was the newest message of the request before: Anthropic looks for a written prefix at a
  marker and 20 blocks back from it, and here it is found whatever has been added since.

A one-shot request would pay a quarter more for a cache that nobody reads. So the newest message is
marked only if this very conversation was seen before, shorter, or if those that began like it
tend to go on (`PrefixMemory`); a prefix sent twice lately is marked whatever comes after it.

A caller who sets any marker is left alone. A message without text is passed over for the one
before it in the same turn.

GPT-5.6 and later could be given `prompt_cache_breakpoint` parts. They are not: these models put a
breakpoint at the newest message by themselves and look for the last 80 of them without a limit on
distance, so loops read what they wrote; and a model that does not know the field refuses the
request.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import Protocol

import msgspec

from korad.domain.value import Fact, value
from korad.optimizer.caching.markers import Json, is_marked, marked_message, marked_tools
from korad.optimizer.caching.prefix_memory import ODDS_TO_BREAK_EVEN, PrefixMemory

KEYED_PROMPT_BYTES_MIN = 4_096
"""About the 1,024 tokens from which OpenAI caches."""
REPEATS_TO_MARK = 2
"""Earlier requests that must have sent a prefix before it is marked for its own sake."""

_BYTES_PER_TOKEN_MIN = 2
# Dense text such as logs. A prompt marked though it is too short is just not cached.
_TURNS_LOOKED_BACK = 8
_OPENING_MESSAGES_MAX = 8

_PRIOR_OPENING = 0.13
"""Below the break-even by one conversation that goes on: unknown prompts are not marked."""
_PRIOR_UNDER_WAY = 0.8
"""From the second assistant turn on a request is a conversation's until shown otherwise."""

_TURNS_OF_AN_OPENING = 2
_SYSTEM_ROLES = frozenset(("system", "developer"))


_encode = msgspec.json.Encoder().encode


class MessageView(Protocol):
    """A message as the planner reads it."""

    @property
    def role(self) -> str:
        """The message's `role`, "" for a message that has none."""
        ...

    @property
    def raw(self) -> bytes:
        """The whole message as it would go upstream."""
        ...


@value
class CachePolicy:
    """What a destination takes."""

    marks: bool = False
    """`cache_control` on messages."""
    tool_marks: bool = False
    """`cache_control` on tools as well."""
    minimum_tokens: int = 1_024
    """The shortest prefix the model caches."""
    key: bool = False
    """`prompt_cache_key`."""

    @property
    def is_used(self) -> bool:
        """Whether there is anything to plan."""
        return self.marks or self.key


NO_CACHE_POLICY = CachePolicy()
"""For a destination that takes neither."""


class CachePlan(Fact, frozen=True):
    """What to send in place of what would go upstream; the rest keeps its bytes."""

    messages: dict[int, bytes]
    """New messages by index."""
    members: dict[str, bytes]
    """New top-level members: `tools`, `prompt_cache_key`."""


def plan(
    messages: Sequence[MessageView],
    members: Mapping[str, Json],
    policy: CachePolicy,
    memory: PrefixMemory,
    tenant: str,
    now_ms: int,
) -> CachePlan | None:
    """Return what to change for the provider's cache, None for nothing.

    `members` are the request's top-level members, of which `messages` is not read; `tenant` is
    whose requests may be learnt from together; `now_ms` is any clock that does not jump. Takes
    1 us for a prompt too short to be cached, 70 us for 10 KB and 0.2 ms for 100 KB with markers.
    """
    if not policy.is_used:
        return None
    tools = bytes(members.get("tools", b""))
    size = len(tools) + sum([len(message.raw) for message in messages])
    if policy.marks:
        if size < policy.minimum_tokens * _BYTES_PER_TOKEN_MIN:
            return None
        if (
            "cache_control" in members
            or is_marked(tools)
            or any(is_marked(message.raw) for message in messages)
        ):
            return None
    elif size < KEYED_PROMPT_BYTES_MIN or "prompt_cache_key" in members:
        return None
    prompt = _Prompt(messages, members, tenant)
    if policy.marks:
        return _plan_marks(prompt, policy, memory, now_ms)
    key = _encode(f"korad-{prompt.prefix.hex()}")
    return CachePlan(messages={}, members={"prompt_cache_key": key})


class _Prompt:
    """A prompt's places, and what identifies it up to each."""

    __slots__ = (
        "_digest",
        "_digests",
        "_opened",
        "head",
        "members",
        "messages",
        "prefix",
        "roles",
        "sizes",
    )

    def __init__(
        self,
        messages: Sequence[MessageView],
        members: Mapping[str, Json],
        tenant: str,
    ) -> None:
        self.messages = [message.raw for message in messages]
        self.roles = [message.role for message in messages]
        tools = len(memoryview(members.get("tools", b"")))
        self.sizes = list(accumulate(map(len, self.messages), initial=tools))[1:]
        """Bytes of tools and messages up to and with each message."""
        self.members = members
        self.head = next(
            (at for at, role in enumerate(self.roles) if role not in _SYSTEM_ROLES), len(messages)
        )
        """Messages of the system prompt."""
        self._digest = blake2b(tenant.encode("utf-8", "replace"), digest_size=16)
        for name in ("model", "tools"):
            self._digest.update(b"\0")
            self._digest.update(members.get(name, b""))
        for message in self.messages[: self.head]:
            self._digest.update(b"\0")
            self._digest.update(message)
        self.prefix = self._digest.digest()
        """Of tenant, model, tools and system prompt."""
        self._opened: blake2b | None = None
        self._digests: dict[int, bytes] = {}

    def digest(self, at: int) -> bytes:
        """Return the digest of a request that ends with message `at`."""
        known = self._digests.get(at)
        if known is None:
            # The first message, the last and the size tell conversations apart; to hash all would
            # cost 2 ms per MB, and a mistake costs no more than a marker too many.
            if self._opened is None:
                self._opened = self._digest.copy()
                self._opened.update(self.messages[self.head])
            digest = self._opened.copy()
            digest.update(b"\0%d\0%d\0" % (at, self.sizes[at]))
            digest.update(self.messages[at])
            known = self._digests[at] = digest.digest()
        return known

    def opening(self) -> bytes:
        """Return the digest of prompts with this prefix and as many messages."""
        digest = self._digest.copy()
        digest.update(b"\0%d" % min(len(self.messages) - self.head, _OPENING_MESSAGES_MAX))
        return digest.digest()

    def ends(self) -> list[int]:
        """Return the messages that were the newest when the model was asked, oldest first."""
        roles, last = self.roles, len(self.roles) - 1
        return [
            at
            for at in range(self.head, last + 1)
            if roles[at] != "assistant" and (at == last or roles[at + 1] == "assistant")
        ]


def _plan_marks(
    prompt: _Prompt, policy: CachePolicy, memory: PrefixMemory, now_ms: int
) -> CachePlan | None:
    places, with_prefix = _places(prompt, memory, now_ms)
    changed: dict[str, bytes] = {}
    if with_prefix and prompt.head:
        places.append(prompt.head - 1)
    elif with_prefix and policy.tool_marks:
        changed = _tools_member(prompt.members.get("tools"), policy)
    marked: dict[int, bytes] = {}
    for at in places:
        if prompt.sizes[at] >= policy.minimum_tokens * _BYTES_PER_TOKEN_MIN:
            _mark_near(prompt, at, marked)
    if not marked and not changed:
        return None
    return CachePlan(messages=marked, members=changed)


def _places(prompt: _Prompt, memory: PrefixMemory, now_ms: int) -> tuple[list[int], bool]:
    """Return the messages worth a marker, and whether the prefix is; learn from the request."""
    prefix_repeats = memory.count(prompt.prefix, now_ms) >= REPEATS_TO_MARK
    ends = prompt.ends()
    if not ends:
        return [], prefix_repeats
    earlier = ends[-2 : -2 - _TURNS_LOOKED_BACK : -1]
    known = next((at for at in earlier if memory.ended(prompt.digest(at), now_ms)), None)
    goes_on = _goes_on(prompt, ends, memory, now_ms, known=known is not None)
    before_repeats = False
    if earlier:
        before_repeats = memory.count(prompt.digest(earlier[0]), now_ms) >= REPEATS_TO_MARK
    if goes_on:
        return [at for at in {known, *earlier[:1], ends[-1]} if at is not None], True
    return earlier[:1] if before_repeats else [], prefix_repeats or before_repeats


def _goes_on(
    prompt: _Prompt, ends: list[int], memory: PrefixMemory, now_ms: int, *, known: bool
) -> bool:
    """Return whether what is written now will probably be read, and remember the request."""
    newest = prompt.digest(ends[-1])
    times = memory.count(newest, now_ms)
    if known:
        memory.end(newest)
        return True
    opening = prompt.opening()
    prior = _PRIOR_OPENING if len(ends) <= _TURNS_OF_AN_OPENING else _PRIOR_UNDER_WAY
    if times:
        # The same request again is no new opening; repeated often, it reads its own marker.
        memory.end(newest)
        return times >= REPEATS_TO_MARK or memory.odds(opening, prior) >= ODDS_TO_BREAK_EVEN
    odds = memory.bet(opening, prior)
    memory.end(newest, opening)
    return odds >= ODDS_TO_BREAK_EVEN


def _mark_near(prompt: _Prompt, at: int, marked: dict[int, bytes]) -> None:
    """Mark message `at`, or the nearest before it in the same turn that can be."""
    while at >= 0 and prompt.roles[at] != "assistant" and at not in marked:
        raw = marked_message(prompt.messages[at], prompt.roles[at])
        if raw is not None:
            marked[at] = raw
            return
        at -= 1


def _tools_member(tools: Json | None, policy: CachePolicy) -> dict[str, bytes]:
    if tools is None or len(memoryview(tools)) < policy.minimum_tokens * _BYTES_PER_TOKEN_MIN:
        return {}
    marked = marked_tools(tools)
    return {} if marked is None else {"tools": marked}
