"""The optimizer's chain on its evaluation's sample, per 100 KB of request body."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.micro.work import Work
from bench.optimizer.conversation import encode
from bench.optimizer.sample import SEED, make_sample
from korad.adapters.tokenizer import load_encode
from korad.domain.chat import ChatRequest
from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.wire.openai import parse_chat_request

_UNIT_BYTES = 100_000
_LEVEL = "medium"


def _requests() -> list[ChatRequest]:
    """Return the longest request of a conversation of each kind."""
    found = []
    for conversation in make_sample(SEED, 1):
        *_, (_, longest) = conversation.requests()
        found.append(parse_chat_request(encode(longest | {"model": "openai/gpt-4o"})))
    return found


def _counter() -> Callable[[str], int]:
    with tempfile.TemporaryDirectory() as folder:
        encode = load_encode(Path(folder))
    return lambda text: len(encode(text))


def _work(*, keeps_chain: bool) -> Iterator[Work]:
    count = _counter()
    kept = Chain(count) if keeps_chain else None
    requests = _requests()
    size = sum(len(each.raw) for each in requests)

    def call() -> int:
        known = kept or Chain(count)
        saved = 0
        for each in requests:
            optimized = known.run(each, _LEVEL, NO_CACHE_POLICY)
            if optimized is not None:
                saved += len(each.members["messages"]) - len(optimized.request.members["messages"])
        return saved

    expected = call()
    yield Work(call, lambda found: found == expected and expected > 0, size / _UNIT_BYTES)


def cold() -> Iterator[Work]:
    """Make prompts smaller that the chain has never seen."""
    yield from _work(keeps_chain=False)


def warm() -> Iterator[Work]:
    """Make prompts smaller that the chain knows."""
    yield from _work(keeps_chain=True)
