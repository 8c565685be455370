"""What holds of every tool result that is JSON with long texts in its strings."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only
import random
import re

import orjson
import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.optimizer.base import MARK
from korad.optimizer.nested.strings import CHARS_MIN
from korad.wire.openai import parse_chat_request
from tests.support.conversations import PIECES

LEVELS = ("medium", "high", "extreme")
SEEDS = st.integers(0, 10_000_000)
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s"\[\]{},:]+', re.DOTALL)
NAMES = ("stdout", "content", "text", "result", "token", "path", "url", "größe", 'a"b', "n")
SMALL = (0, -1.5, 1e300, True, None, "", "x", "é\n", 'a/"<b>"', "\\", "https://e.org/a", "a.py")


def pieces_of(chance):
    """Return a text of the kinds that tools send, or JSON with such a text in it."""
    text = chance.choice(PIECES)(chance)
    return json.dumps({"result": text}) if chance.random() < 0.2 else text


def a_value(chance, depth=0):
    kind = chance.random()
    if depth < 3 and kind < 0.35:
        return [a_value(chance, depth + 1) for _ in range(chance.randint(0, 4))]
    if depth < 3 and kind < 0.7:
        return {name: a_value(chance, depth + 1) for name in chance.sample(NAMES, 3)}
    return pieces_of(chance) if kind < 0.85 else chance.choice(SMALL)


def written(chance, value):
    """Return a value as one of the usual writers of JSON does."""
    text = json.dumps(
        value,
        ensure_ascii=chance.random() < 0.5,
        indent=chance.choice((None, None, 2)),
        separators=chance.choice((None, (",", ":"))),
    )
    if chance.random() < 0.3:
        text = text.replace("/", "\\/")
    if chance.random() < 0.3:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e")
    if chance.random() < 0.2:
        text = text.replace("-1.5", "-1.50").replace('"x"', '"\\u0078"')
    return text


def conversation(contents):
    messages = [{"role": "user", "content": "What do you see?"}]
    for number, content in enumerate(contents):
        function = {"name": "get", "arguments": f'{{"number":{number}}}'}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": content})
    return messages


def sent(chain, messages, level):
    body = parse_chat_request(orjson.dumps({"model": "a/b", "messages": messages}))
    optimized = chain.run(body, level, NO_CACHE_POLICY)
    raw = body.members["messages"] if optimized is None else optimized.request.members["messages"]
    return orjson.loads(bytes(raw))


def estimate(text):
    """Stand in for the encoding where figures do not matter."""
    return len(text) // 3


def is_kept(old, new):
    """Return whether all of a JSON text but its long strings stands as it was written."""
    json.loads(new)
    before, after = TOKEN.findall(old), TOKEN.findall(new)
    return len(before) == len(after) and all(map(_is_same, before, after))


def _is_same(old, new):
    return old == new or (old[0] == '"' and len(json.loads(old)) >= CHARS_MIN and new[0] == '"')


@pytest.mark.parametrize("level", LEVELS)
@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_all_but_long_strings_stays_as_it_was_written(level, seed):
    chance = random.Random(seed)
    content = written(chance, a_value(chance))
    chain = Chain(estimate)
    final = sent(chain, conversation([content]), level)[-1]["content"]

    assert not chain.failures
    # A note that stands before all is of the whole text: a table, or a log of records.
    assert final == content or MARK in final.split("\n")[0][:60] or is_kept(content, final)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('{"a": 1.10}', '{"a":1.10}', True),
        ('{"a": 1.10}', '{"a":1.1}', False),
        ('{"a": "\\u0061"}', '{"a":"a"}', False),
        ('{"a": "b"}', '{"a":"c"}', False),
        ('{"a": "' + "b" * 300 + '"}', '{"a":"c"}', True),
        ('{"a": "' + "b" * 300 + '"}', '{"b":"c"}', False),
        ('{"a": "' + "b" * 300 + '"}', '{"a":1}', False),
    ],
)
def test_the_judge_of_what_stays_sees_changes(old, new, expected):
    assert expected is is_kept(old, new)


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS)
def test_at_low_no_string_changes(seed):
    chance = random.Random(seed)
    content = written(chance, a_value(chance))
    final = sent(Chain(estimate), conversation([content]), "low")[-1]["content"]

    assert TOKEN.findall(content) == TOKEN.findall(final)


@pytest.mark.parametrize("level", ["medium", "high"])
@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_a_conversation_begins_upstream_as_it_began_when_it_was_shorter(level, seed):
    chance = random.Random(seed)
    contents = [written(chance, a_value(chance)) for _ in range(3)]
    contents += chance.choices([*contents, pieces_of(chance)], k=3)
    messages = conversation(contents)
    whole = sent(Chain(estimate), messages, level)
    growing = Chain(estimate)

    for end in range(1, len(messages) + 1):
        assert whole[:end] == sent(growing, messages[:end], level)
    assert not growing.failures
