"""What is known to go upstream unchanged is not even looked at."""

from __future__ import annotations

import orjson
import pytest

from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.optimizer.forms import Forms
from korad.wire.known_bodies import KnownBodies


def body(text, **more):
    messages = [{"role": "user", "content": text}, {"role": "assistant", "content": "ok"}]
    return orjson.dumps(
        {"model": "m", "messages": [*messages, {"role": "user", "content": "go"}]} | more
    )


@pytest.fixture
def looks(monkeypatch):
    """Count how often a prompt is looked at."""
    levels, are_plain = [], Forms.are_plain

    def watched(self, level, raw):
        levels.append(level)
        return are_plain(self, level, raw)

    monkeypatch.setattr(Forms, "are_plain", watched)
    return levels


def run(chain, bodies, raw, level="medium"):
    request = bodies.parse(raw)
    draft = chain.look_up(request, level, NO_CACHE_POLICY)
    if draft is None:
        return None
    chain.finish(draft)
    return chain.compose(draft, NO_CACHE_POLICY, tenant="", now_ms=0)


def test_a_prompt_that_came_through_unchanged_is_not_looked_at_the_third_time(looks):
    chain, bodies, raw = Chain(lambda text: len(text) // 4), KnownBodies("s"), body("word " * 2_000)
    for _ in range(3):
        assert run(chain, bodies, raw) is None
    del looks[:]

    assert run(chain, bodies, raw) is None
    assert looks == []


def test_another_level_or_further_messages_are_looked_at_again(looks):
    chain, bodies = Chain(lambda text: len(text) // 4), KnownBodies("s")
    text = "word " * 2_000
    for _ in range(3):
        run(chain, bodies, body(text))
    del looks[:]

    run(chain, bodies, body(text), "low")
    run(chain, bodies, body(text)[:-2] + b',{"role":"user","content":"more"}]}')

    assert len(looks) == 2


def test_what_changes_changes_every_time():
    rows = [{"id": n, "name": f"row {n}"} for n in range(500)]
    text = f"```json\n{orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()}\n```"
    chain, bodies, raw = Chain(lambda text: len(text) // 4), KnownBodies("s"), body(text)

    sent = [run(chain, bodies, raw) for _ in range(4)]

    assert all(each is not None for each in sent)
    assert len({bytes(each.request.members["messages"]) for each in sent}) == 1
    assert sent[0].request.messages_json() == bytes(sent[0].request.members["messages"])
