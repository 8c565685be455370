"""What `docs/optimizer.md` shows is what the chain does: every example is run, byte for byte."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import orjson
import pytest

from korad.adapters.tokenizer import load_encode
from korad.cli.main import main
from korad.optimizer import LEVELS, NO_CACHE_POLICY, CachePolicy, Chain, TokenCounter
from korad.optimizer.base import EXTREME, HIGH, LOW
from korad.optimizer.chain import CACHE_MARKS, MASKING, TOOL_DESCRIPTIONS
from korad.optimizer.transforms import REFERENCES, TRANSFORMS
from korad.wire.openai import parse_chat_request

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "optimizer.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")

LEVEL_OF = {each.name: each.level for each in (*TRANSFORMS, *REFERENCES)} | {
    CACHE_MARKS: LOW,
    TOOL_DESCRIPTIONS: HIGH,
    MASKING: EXTREME,
}
EXAMPLE = re.compile(
    r"^~~~text\n((?:off|low|medium|high|extreme) \| [^\n]+)\n(.*?)\n~~~$", re.MULTILINE | re.DOTALL
)
PART = re.compile(r"^--- (earlier|before|after)(?: (\d+)-(\d+))?$", re.MULTILINE)
SIGNS = str.maketrans({"␛": "\x1b", "␍": "\r", "␠": " "})
REPEATED = re.compile(r"«(\d+)…(\d+)»")
ASKED = "What do you see?"
STANDING = "A rule of the house that stands before every conversation. " * 100


class Example(NamedTuple):
    """One fenced example of the page, expanded."""

    section: str
    level: str
    what: str
    call: str
    asked: str
    earlier: list[str]
    before: list[str]
    after: list[str]


def sections() -> dict[str, str]:
    found = re.split(r"^### (.+)\n", PAGE, flags=re.MULTILINE)
    return dict(zip(found[1::2], found[2::2], strict=True))


def expanded(text: str) -> str:
    """Return what the page's signs and repeated lines stand for."""
    lines: list[str] = []
    for line in text.split("\n"):
        found = REPEATED.search(line)
        numbers = range(int(found[1]), int(found[2]) + 1) if found else [0]
        lines += [REPEATED.sub(str(number), line) for number in numbers]
    return "\n".join(lines).translate(SIGNS)


def read_example(section: str, header: str, body: str) -> Example:
    level, what, *more = header.split(" | ")
    given = dict(one.split(": ", 1) for one in more)
    parts: dict[str, list[str]] = {"earlier": [], "before": [], "after": []}
    found = PART.split(body)
    for name, first, last, text in zip(*(found[n::4] for n in (1, 2, 3, 4)), strict=True):
        whole = expanded(text.removeprefix("\n").removesuffix("\n"))
        for number in range(int(first or 1), int(last or 1) + 1):
            parts[name].append(whole.replace("«n»", str(number)))
    return Example(section, level, what, given.get("call", ""), given.get("asked", ASKED), **parts)


EXAMPLES = [
    read_example(section, header, body)
    for section, text in sections().items()
    for header, body in EXAMPLE.findall(text)
]


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return TokenCounter(load_encode(tmp_path_factory.mktemp("state")))


def call_and_result(example, number, text):
    name, _, arguments = example.call.partition(" ")
    function = {"name": name, "arguments": arguments.replace("«n»", str(number))}
    call = {"id": f"call_{number}", "type": "function", "function": function}
    return [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": f"call_{number}", "content": text},
    ]


def body_of(example):
    """Return the request that an example is about."""
    asked = {"role": "user", "content": example.asked}
    body = {"model": "openai/gpt-4o", "messages": [asked]}
    if example.what == "tools":
        body["tools"] = orjson.loads(example.before[0])
    elif example.what == "user":
        body["messages"] = [{"role": "user", "content": example.before[0]}]
    elif example.what == "newest message":
        turns = [asked, {"role": "assistant", "content": "Yes."}]
        newest = orjson.loads(example.before[0])
        body["messages"] = [{"role": "system", "content": STANDING}, *turns, *turns, newest]
    else:
        for number, text in enumerate((*example.earlier, *example.before), 1):
            body["messages"] += call_and_result(example, number, text)
    return body


def indented(raw):
    return msgspec.json.format(bytes(raw), indent=2).decode()


def made_of(example, optimized):
    """Return what became of what an example shows."""
    members = optimized.request.members
    if example.what == "tools":
        return [indented(members["tools"])]
    messages = orjson.loads(bytes(members["messages"]))
    if example.what == "user":
        return [messages[0]["content"]]
    if example.what == "newest message":
        return [indented(orjson.dumps(messages[-1]))]
    results = [message["content"] for message in messages if message["role"] == "tool"]
    assert results[: len(example.earlier)] == example.earlier
    return results[len(example.earlier) :]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.section)
def test_the_chain_makes_of_every_example_what_the_page_shows(example, counter):
    request = parse_chat_request(orjson.dumps(body_of(example)))
    marks = example.what == "newest message"
    policy = CachePolicy(marks=True) if marks else NO_CACHE_POLICY

    optimized = Chain(counter.count_text).run(request, example.level, policy)

    assert optimized is not None
    assert example.after == made_of(example, optimized)
    assert example.section in optimized.strategy
    assert (
        marks
        or counter.count_prompt(optimized.request).tokens < counter.count_prompt(request).tokens
    )


def test_every_transform_has_a_section_with_an_example():
    assert set(LEVEL_OF) == {example.section for example in EXAMPLES}


def test_no_example_is_shown_below_the_level_of_its_transform():
    for example in EXAMPLES:
        assert LEVEL_OF[example.section] <= LEVELS.index(example.level)


def test_the_table_of_transforms_is_that_of_the_code():
    rows = re.findall(r"^\| \[([^\]]+)\]\(#([\w-]+)\) \| (\w+) \|", PAGE, re.MULTILINE)

    assert {name: LEVELS[level] for name, level in LEVEL_OF.items()} == {
        name: level for name, _, level in rows
    }
    assert [name.lower().replace(" ", "-") for name, _, _ in rows] == [link for _, link, _ in rows]


def test_every_note_in_an_example_is_in_the_table_of_notes():
    listed = [numberless(note) for note in re.findall(r"`(\[korad: [^`]+)`", PAGE)]
    shown = [
        numberless(note)
        for example in EXAMPLES
        for text in example.after
        for note in re.findall(r"\[korad: [^\]]+", text)
    ]

    assert shown
    assert [note for note in shown if not note.startswith(tuple(listed))] == []


def numberless(note):
    return re.sub(r"\d+", "0", note)


def test_the_readme_shows_what_the_command_prints(capsys, monkeypatch, tmp_path):
    found = re.search(r"^\.venv/bin/korad (optimize docs/.+)\n```\n\n```text\n(.*?)^```$", README,
                      re.MULTILINE | re.DOTALL)  # fmt: skip
    assert found is not None
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr("korad.cli.options.read_environment", lambda: {"HOME": str(tmp_path)})

    assert main([*found[1].split(), "--state-dir", str(tmp_path)]) == 0
    assert found[2] == capsys.readouterr().out
