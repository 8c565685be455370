"""Send conversations through the chain, in process, and compare what comes out with them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any

import msgspec
import orjson

from bench.optimizer.conversation import LOOP, Conversation, encode
from bench.optimizer.cost import AnthropicCache, Blocks, OpenAICache, with_moving_marks
from bench.optimizer.figures import Cost, Example, Family, Level, add_kept, merged
from bench.optimizer.retention import Retention
from bench.optimizer.timing import Sample, measure, summary
from bench.optimizer.validity import findings, mark_findings
from korad.domain.chat import ChatRequest
from korad.optimizer import LEVELS, NO_CACHE_POLICY, CachePolicy, Chain, TokenCounter
from korad.optimizer.base import MEDIUM
from korad.wire.openai import parse_chat_request

MODEL = "anthropic/claude-sonnet-4.5"
CLAUDE = CachePolicy(marks=True)
EXAMPLES_PER_KIND = 3
_DETAIL_CHARS = 120
_MS_BETWEEN_REQUESTS = 5_000

_decode_messages = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Turn(msgspec.Struct):
    """One request before and after the chain."""

    at: int
    """Messages of the request."""
    before: dict[str, Any]
    request: ChatRequest
    plain: ChatRequest
    """As it goes to a provider that takes no cache marks."""
    marked: ChatRequest
    """As it goes to Claude."""


class Evaluation:
    """One savings level over some conversations; the chain is shared, as by a worker's clients."""

    def __init__(self, level: str, counter: TokenCounter, count_text: Callable[[str], int]) -> None:
        self._level = level
        self._counter = counter
        self._count_text = count_text
        self._blocks = Blocks(cache(count_text))
        self._chain = self._new_chain()
        self._now_ms = 0
        self._families: dict[str, Family] = defaultdict(Family)
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self._examples: dict[str, list[Example]] = defaultdict(list)

    def add(self, conversation: Conversation, *, timed: bool) -> None:
        """Replay a conversation and count what came of it."""
        family = self._families[conversation.group]
        family.conversations += 1
        retention = Retention(conversation)
        caches = _Caches(self._blocks, self._count_text)
        last: Turn | None = None
        for turn in self._turns(conversation):
            family.requests += 1
            family.tokens_before += self._counter.count_prompt(turn.request).tokens
            family.tokens_after += self._counter.count_prompt(turn.plain).tokens
            after = _decoded(turn.plain)
            self._check(conversation, turn, last, after)
            if LEVELS.index(self._level) <= MEDIUM or "medium_only" not in conversation.flags:
                self._look_for_facts(conversation, turn, retention, after)
            self._charge(conversation, turn, caches, after)
            last = turn
        if last is not None and timed:
            self._time(conversation, last)

    def result(self) -> Level:
        """Return the figures of everything added."""
        for group, samples in self._samples.items():
            self._families[group].time = summary(samples)
        everything = [sample for samples in self._samples.values() for sample in samples]
        return Level(
            families=dict(sorted(self._families.items())),
            total=merged(list(self._families.values()), summary(everything)),
            failures=dict(self._chain.failures),
            examples=[
                example for kind in sorted(self._examples) for example in self._examples[kind]
            ],
        )

    def _new_chain(self) -> Chain:
        return Chain(self._count_text)

    def _turns(self, conversation: Conversation) -> Iterator[Turn]:
        for at, before in conversation.requests():
            body = before | {"model": MODEL}
            request = parse_chat_request(encode(body))
            self._now_ms += _MS_BETWEEN_REQUESTS
            plain, marked = self._sent(request)
            yield Turn(at=at, before=body, request=request, plain=plain, marked=marked)

    def _sent(self, request: ChatRequest) -> tuple[ChatRequest, ChatRequest]:
        """Return the request as it goes upstream without and with cache marks."""
        draft = self._chain.look_up(request, self._level, CLAUDE)
        if draft is None:
            return request, request
        self._chain.finish(draft)
        plain = self._chain.compose(draft, NO_CACHE_POLICY, "", self._now_ms)
        marked = self._chain.compose(draft, CLAUDE, "", self._now_ms)
        return (
            request if plain is None else plain.request,
            request if marked is None else marked.request,
        )

    def _check(
        self, conversation: Conversation, turn: Turn, last: Turn | None, after: dict[str, Any]
    ) -> None:
        family = self._families[conversation.group]
        found = list(findings(conversation, turn.before, after, self._level))
        found += mark_findings(turn.before, _decoded(turn.marked))
        tokens, sent = (
            self._counter.count_prompt(one).tokens for one in (turn.request, turn.plain)
        )
        if sent > tokens:
            found.append(("more_tokens", f"{tokens} -> {sent}"))
        if last is not None:
            family.prefix_pairs += 1
            if not _is_prefix(last.plain, turn.plain):
                found.append(("prefix_broken", ""))
        for rule, detail in found:
            self._add_finding(conversation, turn, rule, detail)

    def _add_finding(self, conversation: Conversation, turn: Turn, rule: str, detail: str) -> None:
        violations = self._families[conversation.group].violations
        violations[rule] = violations.get(rule, 0) + 1
        self._add_example(conversation, turn, rule, detail)

    def _add_example(self, conversation: Conversation, turn: Turn, what: str, detail: str) -> None:
        examples = self._examples[what]
        if len(examples) < EXAMPLES_PER_KIND:
            examples.append(
                Example(
                    conversation=conversation.id or conversation.group,
                    at=turn.at,
                    what=what,
                    detail=detail[:_DETAIL_CHARS],
                )
            )

    def _look_for_facts(
        self, conversation: Conversation, turn: Turn, retention: Retention, after: dict[str, Any]
    ) -> None:
        family = self._families[conversation.group]
        for kind, fact, kept, total in retention.check(after["messages"], turn.at):
            add_kept(family, kind, kept, total)
            if kept < total:
                detail = fact or f"{kept} of {total}"
                self._add_example(conversation, turn, f"lost:{kind}", detail)

    def _charge(
        self, conversation: Conversation, turn: Turn, caches: _Caches, after: dict[str, Any]
    ) -> None:
        costs = self._families[conversation.group].cost
        is_loop = conversation.mode == LOOP
        for provider, cost in caches.charge(turn, after, is_loop=is_loop):
            name = f"{provider}_{'loops' if is_loop else 'one_shots'}"
            total = costs.setdefault(name, Cost())
            total.without += cost.without
            total.with_korad += cost.with_korad
            total.ideal += cost.ideal
            total.requests += 1

    def _time(self, conversation: Conversation, last: Turn) -> None:
        chains: list[Chain] = []

        def new_chain() -> Chain:
            chains.append(self._new_chain())
            return chains[-1]

        sample = measure(new_chain, last.request, self._level)
        self._samples[conversation.group].append(sample)
        again = chains[-1].run(last.request, self._level)
        if (last.request if again is None else again.request).members != last.plain.members:
            self._add_finding(conversation, last, "not_deterministic", "")


class _Caches:
    """The providers' caches of one conversation, for each client that is compared."""

    def __init__(self, blocks: Blocks, count: Callable[[str], int]) -> None:
        self._blocks = blocks
        self._openai = OpenAICache(count), OpenAICache(count)
        self._anthropic = AnthropicCache(), AnthropicCache(), AnthropicCache()

    def charge(
        self, turn: Turn, after: dict[str, Any], *, is_loop: bool
    ) -> Iterator[tuple[str, Cost]]:
        """Yield the costs of a request by provider."""
        old, new = self._blocks.of(turn.before), self._blocks.of(after)
        without, with_korad = self._openai
        paid = without.charge(old)
        yield "openai", Cost(without=paid, with_korad=with_korad.charge(new), ideal=paid)
        marked = self._blocks.of(_decoded(turn.marked))
        client, through_korad, ideal = self._anthropic
        # Nobody reads again what a one-shot wrote: the ideal client marks loops only.
        best = with_moving_marks(old) if is_loop else old
        yield (
            "anthropic",
            Cost(
                without=client.charge(old),
                with_korad=through_korad.charge(marked),
                ideal=ideal.charge(best),
            ),
        )


def evaluate(
    conversations: Sequence[Conversation],
    level: str,
    count_text: Callable[[str], int],
    *,
    timed: bool = True,
) -> Level:
    """Return the figures of a savings level; `count_text` returns the tokens of a text."""
    counter = TokenCounter(lambda text: range(count_text(text)))
    evaluation = Evaluation(level, counter, count_text)
    for conversation in conversations:
        evaluation.add(conversation, timed=timed)
    return evaluation.result()


def _decoded(request: ChatRequest) -> dict[str, Any]:
    """Return a request as Python values; what cannot be one is told as its JSON text."""
    return {name: _value(bytes(raw)) for name, raw in request.members.items()}


def _value(raw: bytes) -> Any:
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return raw.decode("utf-8", "replace")


def _is_prefix(earlier: ChatRequest, later: ChatRequest) -> bool:
    """Return whether the later prompt begins, byte for byte, with the earlier one."""
    if earlier.members.get("tools") != later.members.get("tools"):
        return False
    one = [bytes(raw) for raw in _decode_messages(earlier.members["messages"])]
    other = [bytes(raw) for raw in _decode_messages(later.members["messages"])]
    return one == other[: len(one)]
