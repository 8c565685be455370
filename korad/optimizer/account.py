"""What each transform of a level does to one request: for people who want to see it."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from korad.domain.chat import ChatRequest
from korad.domain.value import value
from korad.optimizer.caching.breakpoints import NO_CACHE_POLICY, CachePolicy
from korad.optimizer.chain import PASSTHROUGH, Chain
from korad.optimizer.messages import read_message, split_messages
from korad.optimizer.tokens import TokenCounter
from korad.optimizer.transforms import REFERENCES, TRANSFORMS


@value
class Step:
    """A transform that changed something, in the chain's order."""

    name: str
    tokens_before: int
    tokens_after: int


@value
class Change:
    """A text that changed."""

    message: int | None
    """Its message's place in the request, from 0; None: the tool definitions."""
    role: str
    before: str
    after: str


@value
class Account:
    """What a level makes of a request."""

    request: ChatRequest
    """The request as it would go upstream."""
    strategy: str
    steps: list[Step]
    changes: list[Change]
    original_tokens: int
    optimized_tokens: int


def account(
    request: ChatRequest, level: str, counter: TokenCounter, policy: CachePolicy = NO_CACHE_POLICY
) -> Account:
    """Run the chain of `level` on `request` as often as it has transforms, one more each time.

    A transform's figures are what it adds to those before it, so they sum up to the whole.
    """
    original = counter.count_prompt(request).tokens
    steps: list[Step] = []
    tokens = original
    for given_name, chain in _growing_chains(counter):
        optimized = chain.run(request, level)
        name = given_name
        if optimized is not None and not name:
            name = optimized.strategy.rpartition(" (")[0]
        after = original if optimized is None else counter.count_prompt(optimized.request).tokens
        if after != tokens:
            steps.append(Step(name=name, tokens_before=tokens, tokens_after=after))
        tokens = after
    whole = Chain(counter.count_text).run(request, level, policy)
    sent = request if whole is None else whole.request
    return Account(
        request=sent,
        strategy=PASSTHROUGH if whole is None else whole.strategy,
        steps=steps,
        changes=_changes(request, sent),
        original_tokens=original,
        optimized_tokens=counter.count_prompt(sent).tokens,
    )


def _growing_chains(counter: TokenCounter) -> Iterator[tuple[str, Chain]]:
    # What concerns whole messages and the tools is no transform; its strategy names it.
    yield "", Chain(counter.count_text, (), ())
    for count, transform in enumerate(TRANSFORMS, 1):
        yield transform.name, Chain(counter.count_text, TRANSFORMS[:count], ())
    for count, reference in enumerate(REFERENCES, 1):
        yield reference.name, Chain(counter.count_text, TRANSFORMS, REFERENCES[:count])


def _changes(request: ChatRequest, sent: ChatRequest) -> list[Change]:
    changes: list[Change] = []
    tools, shorter = request.members.get("tools"), sent.members.get("tools")
    if tools is not None and shorter is not None and bytes(tools) != bytes(shorter):
        pretty = [msgspec.json.format(bytes(each), indent=2).decode() for each in (tools, shorter)]
        changes.append(Change(message=None, role="tools", before=pretty[0], after=pretty[1]))
    before = split_messages(request.members["messages"]) or []
    after = split_messages(sent.members["messages"]) or []
    for at, (old, new) in enumerate(zip(before, after, strict=True)):
        was, is_now = read_message(old), read_message(new)
        if old == new or was is None or is_now is None:
            continue
        for text, now in zip(was.texts(), is_now.texts(), strict=True):
            if text != now and text is not None and now is not None:
                changes.append(Change(message=at, role=was.role, before=text, after=now))
    return changes
