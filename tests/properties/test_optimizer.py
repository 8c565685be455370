"""What holds of every prompt at every level, whatever it is made of."""

from __future__ import annotations

import json  # noqa: TID251 - keeps numbers and repeated keys as they were written
import random
import re
from collections import Counter

import orjson
import pytest
from hypothesis import example, given, settings, strategies as st

from korad.adapters.tokenizer import load_encode
from korad.optimizer import NO_CACHE_POLICY, CachePolicy, Chain
from korad.optimizer.base import MARK
from korad.optimizer.masking import MASK_NOTE
from korad.wire.openai import parse_chat_request
from tests.support.conversations import PIECES, QUESTIONS, Builder

CAREFUL_LEVELS = ("low", "medium", "high")
MARKS = CachePolicy(marks=True, tool_marks=True, minimum_tokens=1_024)
SEEDS = st.integers(0, 10_000_000)


@pytest.fixture(scope="session")
def tokens(tmp_path_factory):
    """Return the number of tokens of a text, as the real encoding counts."""
    encode = load_encode(tmp_path_factory.mktemp("tokenizer"))
    return lambda text: len(encode(text))


def some(examples):
    return settings(max_examples=examples, deadline=None)


def request(messages):
    return parse_chat_request(orjson.dumps({"model": "a/b", "messages": messages}))


def estimate(text):
    """Stand in for the encoding where figures do not matter."""
    return len(text) // 3


def sent(chain, messages, level, policy=NO_CACHE_POLICY):
    """Return the messages that go upstream, in their own bytes."""
    body = request(messages)
    optimized = chain.run(body, level, policy)
    raw = body.members["messages"] if optimized is None else optimized.request.members["messages"]
    return orjson.loads(bytes(raw))


def texts_of(content):
    if isinstance(content, str):
        return [content]
    return [part["text"] for part in content or () if part.get("type") == "text"]


def without_texts(message):
    """Return all of a message but its texts."""
    content = message.get("content")
    if isinstance(content, list):
        return message | {"content": [part | {"text": ""} for part in content if "text" in part]}
    return message | {"content": "" if isinstance(content, str) else content}


# determinism


@pytest.mark.parametrize("level", CAREFUL_LEVELS)
@some(40)
@given(seed=SEEDS)
def test_a_conversation_begins_upstream_as_it_began_when_it_was_shorter(level, seed):
    messages = Builder(seed).conversation()
    whole = sent(Chain(estimate), messages, level)
    growing = Chain(estimate)
    for end in range(1, len(messages) + 1):
        assert whole[:end] == sent(growing, messages[:end], level)
    assert whole == sent(growing, messages, level)
    assert not growing.failures


@pytest.mark.parametrize("level", CAREFUL_LEVELS)
@some(10)
@given(seed=SEEDS)
def test_it_does_not_matter_what_was_asked_before_or_in_which_order(level, seed):
    chance = random.Random(seed)
    conversations = [Builder(seed).conversation(), Builder(seed + 1).conversation()]
    conversations.append(conversations[0][: len(conversations[0]) // 2] + conversations[1])
    prompts = [
        each[:end] for each in conversations for end in range(1, len(each) + 1, len(each) // 4 or 1)
    ]
    alone = [sent(Chain(estimate), prompt, level) for prompt in prompts]
    order = list(range(len(prompts))) * 2
    chance.shuffle(order)
    shared = Chain(estimate)
    for number in order:
        assert alone[number] == sent(shared, prompts[number], level)


# what never changes, and what never grows


@pytest.mark.parametrize("level", [*CAREFUL_LEVELS, "extreme"])
@some(40)
@given(seed=SEEDS)
def test_only_texts_of_users_and_tools_change_and_none_grows(level, seed, tokens):
    messages = Builder(seed).conversation()
    chain = Chain(tokens)
    final = sent(chain, messages, level)

    assert not chain.failures
    assert [*map(without_texts, messages)] == [*map(without_texts, final)]
    for old, new in zip(messages, final, strict=True):
        if old["role"] not in ("user", "tool"):
            assert old == new
        before, after = (sum(map(tokens, texts_of(each["content"]))) for each in (old, new))
        assert after <= before


@pytest.mark.parametrize("level", [*CAREFUL_LEVELS, "extreme"])
@some(10)
@given(seed=SEEDS)
def test_marks_for_the_cache_change_no_text(level, seed):
    messages = Builder(seed).conversation()
    plain, marking = Chain(estimate), Chain(estimate)
    for end in range(len(messages) - 2, len(messages) + 1):
        prompt = messages[: max(end, 1)]
        unmarked = sent(plain, prompt, level)
        marked = sent(marking, prompt, level, MARKS)
        raw = orjson.dumps(marked)

        assert raw.count(b'"cache_control"') <= 4
        assert [texts_of(each["content"]) for each in unmarked] == [
            texts_of(each["content"]) for each in marked
        ]
        assert not marking.failures


# nothing is lost at low

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07\x1b\n]*\x07")
FENCE = re.compile(r"(^ {0,3}(?:`{3,}|~{3,})[^\n]*$)", re.MULTILINE)


def lexically(text):
    """Return what JSON says, every number, escape and repeated key as it is written."""
    strings = []

    def kept(found):
        strings.append(found.group())
        return f'"{len(strings) - 1}"'

    plain = re.sub(r'"(?:[^"\\]|\\.)*"', kept, text, flags=re.DOTALL)
    json.loads(text)
    return re.sub(r"\s+", "", plain), strings


def on_the_screen(text):
    """Return what is left of a text without colours, overwritten progress and blanks at ends."""
    lines = ESCAPES.sub("", text).replace("\r\n", "\n").split("\n")
    shown = "\n".join([line.rstrip("\r").split("\r")[-1].rstrip(" \t") for line in lines])
    return re.sub(r"\n{3,}", "\n\n", shown)


def says_the_same(old, new):
    """Return whether nothing of `old` is lost in `new`: part by part between the fence lines."""
    old_parts, new_parts = FENCE.split(old), FENCE.split(new)
    return len(old_parts) == len(new_parts) and all(map(_is_same, old_parts, new_parts))


def _is_same(old, new):
    if old == new or on_the_screen(old) == on_the_screen(new):
        return True
    try:
        return lexically(old) == lexically(new)
    except ValueError:
        return False


@some(60)
@given(seed=SEEDS)
def test_at_low_nothing_is_lost(seed):
    messages = Builder(seed).conversation()
    final = sent(Chain(estimate), messages, "low")

    for old, new in zip(messages, final, strict=True):
        for before, after in zip(texts_of(old["content"]), texts_of(new["content"]), strict=True):
            assert says_the_same(before, after)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('{"a": 1.10}', '{"a":1.10}', True),
        ('{"a": 1.10}', '{"a":1.1}', False),
        ('{"a": 1, "a": 2}', '{"a":2}', False),
        ('{"a": "\\u0061"}', '{"a":"a"}', False),
        ('{"a": "b c"}', '{"a":"bc"}', False),
        ("a  \n\n\n\nb\x1b[0m", "a\n\nb", True),
        ("1%\r2%\ndone", "2%\ndone", True),
        ("  a\n  b", "a\nb", False),
        ("a\nb", "a\nc", False),
        ('```\n{"a": 1}\n```', '```\n{"a":1}\n```', True),
        ('```\n{"a": 1}\n```', '{"a":1}', False),
    ],
)
def test_the_judge_of_losses_sees_them(old, new, expected):
    assert expected is says_the_same(old, new)


@some(40)
@given(seed=SEEDS)
def test_low_writes_no_notes(seed):
    messages = Builder(seed).conversation()
    final = sent(Chain(estimate), messages, "low")

    assert orjson.dumps(messages).count(MARK.encode()) == orjson.dumps(final).count(MARK.encode())


# garbage

SNIPPETS = (
    *("```", "~~~~", "\n", "\r\n", "\r", "\n\n\n", MARK, "[korad: same text as"),
    *("{", "}", "[", "]", "\u2028", "\ufeff"),
    *('"', "\\", ",", ":", "<", "</", ">", "<table>", "<!--", "\x1b[", "\x1b]8;;", "\x00", "\t"),
    *("@@ -1 +1 @@", "+++ ", "--- ", "Traceback", "ERROR", "2026-01-01T00:00:00Z "),
    *("at a.b(C.java:1)", "| a | b |", "a,b,c", '{"a":1}', '"a": 1e999', "%", "0" * 50, " " * 70),
)  # fmt: skip
GARBAGE = st.one_of(
    st.text(min_size=64, max_size=400),
    st.lists(st.sampled_from(SNIPPETS), min_size=10, max_size=120).map("".join),
    st.lists(st.sampled_from(SNIPPETS) | st.text(max_size=9), min_size=9, max_size=60).map(
        lambda parts: "".join(parts) * 9
    ),
    st.tuples(st.text(min_size=1, max_size=3), st.integers(30, 5_000)).map(lambda t: t[0] * t[1]),
)


def clean(text):
    """Return a text that can be sent: lone surrogates are no characters."""
    return text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("level", [*CAREFUL_LEVELS, "extreme"])
@some(60)
@given(
    texts=st.lists(GARBAGE.map(clean), min_size=1, max_size=3),
    role=st.sampled_from(["tool", "user"]),
    fence=st.sampled_from([None, "", "json", "html", "diff", "log", "csv"]),
    question=st.sampled_from(QUESTIONS),
)
@example(texts=["\x00" * 99], role="tool", fence=None, question="")
def test_no_garbage_makes_a_transform_fail(level, texts, role, fence, question, tokens):
    messages = [{"role": "user", "content": question}]
    for number, text in enumerate([*texts, *texts]):
        content = text if fence is None else f"{question}\n```{fence}\n{text}\n```\n"
        messages.append({"role": role, "content": content, "tool_call_id": f"c{number}"})
    chain = Chain(tokens)
    final = sent(chain, messages, level)

    assert Counter() == chain.failures
    assert [*map(without_texts, messages)] == [*map(without_texts, final)]
    for old, new in zip(messages, final, strict=True):
        assert new["content"] == MASK_NOTE or tokens(new["content"]) <= tokens(old["content"])


@pytest.mark.parametrize("level", [*CAREFUL_LEVELS, "extreme"])
@some(40)
@given(seed=SEEDS, cut=st.floats(0, 1), repeats=st.integers(1, 3))
def test_texts_cut_anywhere_make_no_transform_fail(level, seed, cut, repeats):
    chance = random.Random(seed)
    text = chance.choice(PIECES)(chance)
    at = int(len(text) * cut)
    content = (text[at:] + text[:at]) * repeats
    chain = Chain(estimate)
    sent(chain, [{"role": "tool", "content": content, "tool_call_id": "c"}], level)

    assert Counter() == chain.failures
