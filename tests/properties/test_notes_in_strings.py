"""A reader finds by its note what stood in a string: among all strings of the earlier message."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only
import random
import re

from hypothesis import given, settings, strategies as st

from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.optimizer.seen import quoted
from korad.wire.openai import parse_chat_request

WORDS = ("alpha", "beta", "gamma", "delta", "kappa", "sigma", "omega", "theta")
NAMES = ("body", "text", "out", "input", "script", "note", "thinking", "path", "review", "content")
NOTE = re.compile(
    r'\[korad: same (?:(?P<count>\d+) lines?|line|text) (?:as|as in) (?P<inside>a string in )?'
    r'tool result (?P<number>\d+) above(?:, (?:from )?"(?P<first>.*?)"(?: to ".*")?)?\]'
)  # fmt: skip


class Author:
    """Writes tool results that have lines in common."""

    def __init__(self, chance):
        self.chance = chance
        self.stock = [self.lines(chance.randint(1, 25)) for _ in range(4)]

    def lines(self, count):
        pick = self.chance
        return [
            " ".join(pick.choices(WORDS, k=pick.randint(3, 8))) + pick.choice(("", ".", ' "x"'))
            for _ in range(count)
        ]

    def text(self):
        pick, lines = self.chance, []
        for _ in range(pick.randint(1, 3)):
            stock = pick.choice(self.stock)
            lines += stock[pick.randrange(len(stock)) :] if pick.random() < 0.5 else stock
            lines += self.lines(pick.randint(0, 1))
        return ("\n" if pick.random() < 0.85 else " ").join(lines)

    def value(self, depth=0):
        pick, kind = self.chance, self.chance.random()
        if depth < 3 and kind < 0.25:
            return [self.value(depth + 1) for _ in range(pick.randint(1, 4))]
        if depth < 3 and kind < 0.55:
            return self.members(depth)
        if depth < 3 and kind < 0.63:
            return json.dumps(self.value(depth + 1))
        return pick.choice(pick.choice(self.stock)) if kind < 0.8 else self.text()

    def members(self, depth=0):
        names = self.chance.sample(NAMES, self.chance.randint(1, 4))
        return {name: self.value(depth + 1) for name in names}

    def result(self):
        return self.text() if self.chance.random() < 0.3 else json.dumps(self.members())


def sent(contents):
    messages = [{"role": "user", "content": "What happened?"}]
    for n, content in enumerate(contents):
        call = {"id": f"c{n}", "type": "function", "function": {"name": "run", "arguments": "{}"}}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{n}", "content": content})
    raw = json.dumps({"model": "a/b", "messages": messages}).encode()
    chain = Chain(lambda text: len(text) // 3)
    optimized = chain.run(parse_chat_request(raw), "medium", NO_CACHE_POLICY)
    assert not chain.failures
    if optimized is not None:
        messages = json.loads(bytes(optimized.request.members["messages"]))
    return [each["content"] for each in messages if each["role"] == "tool"]


def parsed(text):
    """Return the value of a text that is JSON, else None."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list | dict | str) else None


def strings(value):
    """Yield all strings of a value as a reader comes upon them, JSON in strings as well."""
    if isinstance(value, str):
        yield value
        yield from strings(parsed(value))
    for each in value if isinstance(value, list) else ():
        yield from strings(each)
    for name, each in value.items() if isinstance(value, dict) else ():
        yield from strings(name)
        yield from strings(each)


def told(text, earlier):
    """Return a text with what its notes stand for."""
    return "\n".join(_told_line(line, earlier) for line in text.split("\n"))


def _told_line(line, earlier):
    found = NOTE.fullmatch(line)
    if found is None:
        return line
    source = earlier[int(found["number"]) - 1]
    if found["first"] is None:
        assert not found["inside"]
        return source
    for text in strings(json.loads(source)) if found["inside"] else (source,):
        lines = text.split("\n")
        for n, each in enumerate(lines):
            if quoted(each) == found["first"]:
                return "\n".join(lines[n : n + int(found["count"] or 1)])
    return f"not found: {line}"


def plain(value, earlier=()):
    """Return a value with its notes resolved and the JSON in its strings parsed."""
    if isinstance(value, str):
        text = told(value, earlier)
        inside = parsed(text)
        return text if inside is None else ["JSON", plain(inside, earlier)]
    if isinstance(value, dict):
        return {name: plain(each, earlier) for name, each in value.items()}
    return [plain(each, earlier) for each in value] if isinstance(value, list) else value


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10_000_000))
def test_a_reader_finds_what_a_note_stands_for(seed):
    author = Author(random.Random(seed))
    contents = [author.result() for _ in range(author.chance.randint(2, 5))]
    upstream = sent(contents)

    for n, (content, final) in enumerate(zip(contents, upstream, strict=True)):
        assert plain(content) == plain(final, upstream[:n])
