"""What is known of the messages before a block."""

from __future__ import annotations

import orjson
import pytest

from korad.optimizer import context as context_module
from korad.optimizer.context import QUESTION_CHARS_MAX, Context, Contexts
from korad.optimizer.messages import Message, read_message

LONG = "\n".join(f"line {number} of a text that is long enough" for number in range(20))


def message(role, content=None, **members) -> Message:
    read = read_message(orjson.dumps({"role": role, "content": content, **members}))
    assert read is not None
    return read


def calling(call_id, name, arguments):
    function = {"name": name, "arguments": arguments}
    return message("assistant", tool_calls=[{"id": call_id, "function": function}])


def after(*messages):
    context = Context()
    for each in messages:
        context.open(each)
        context.close(each, each.texts())
    return context


def test_the_question_is_what_the_user_said_last():
    context = after(
        message("user", "first?"),
        message("user", "second?"),
        message("assistant", "third?"),
        message("tool", "fourth?", tool_call_id="c"),
        message("system", "fifth?"),
    )

    assert "second?" == context.question


def test_what_stands_in_a_fence_is_no_question():
    context = after(message("user", "Why?\n```py\nprint(1)\n```\nSay it."))

    assert "print" not in context.question
    assert context.question.startswith("Why?")
    assert context.question.endswith("Say it.")


def test_all_text_parts_ask():
    parts = [
        {"type": "text", "text": "one"},
        {"type": "image_url", "image_url": {"url": "https://x"}},
        {"type": "text", "text": "two"},
    ]

    assert "one\ntwo" == after(message("user", parts)).question


def test_of_a_long_question_both_ends_are_read():
    context = after(message("user", "a" * QUESTION_CHARS_MAX + "b" * QUESTION_CHARS_MAX))
    half = QUESTION_CHARS_MAX // 2

    assert "a" * half + "\n" + "b" * half == context.question


def test_a_question_of_the_greatest_length_is_read_whole():
    assert "a" * QUESTION_CHARS_MAX == after(message("user", "a" * QUESTION_CHARS_MAX)).question


def test_a_user_without_a_text_asks_nothing():
    assert "" == after(message("user", "a?"), message("user", [])).question


@pytest.mark.parametrize(
    ("questions", "expected"),
    [
        ([], False),
        (["Which of them failed?"], False),
        (["Is the indentation right?"], True),
        (["Is the indentation right?", "Thanks. Which of them failed?"], False),
        (["Which of them failed?", "Is the indentation right?"], True),
    ],
)
def test_only_the_last_question_decides_whether_the_form_matters(questions, expected):
    context = after(*(message("user", question) for question in questions))

    assert expected is context.keeps_form
    assert expected is context.keeps_form


def test_questions_that_are_over_are_not_looked_into(monkeypatch):
    asked = []
    monkeypatch.setattr(context_module, "cares_for_form", lambda text: asked.append(text) or False)
    context = after(message("user", "one"), message("user", "two"))

    assert not context.keeps_form
    assert not context.keeps_form
    assert asked == ["two"]


def test_a_result_is_known_by_its_call():
    context = after(calling("c1", "read", '{"path":"a"}'), calling("c2", "list", ""))

    assert 'read {"path":"a"}' == context.call_of(message("tool", "x", tool_call_id="c1"))
    assert "list " == context.call_of(message("tool", "x", tool_call_id="c2"))
    assert "" == context.call_of(message("tool", "x", tool_call_id="c3"))
    assert "" == context.call_of(message("tool", "x"))


def test_of_calls_with_the_same_id_the_newest_counts():
    context = after(calling("c", "one", "{}"), calling("c", "two", "{}"))

    assert "two {}" == context.call_of(message("tool", "x", tool_call_id="c"))


def test_a_call_without_a_function_is_passed_over():
    context = after(message("assistant", tool_calls=[{"id": "c", "type": "custom"}]))

    assert "" == context.call_of(message("tool", "x", tool_call_id="c"))


@pytest.mark.parametrize(
    ("roles", "where"),
    [
        (["user"], "user message 1"),
        (["system", "user", "assistant", "user"], "user message 2"),
        (["tool", "user", "tool"], "tool result 2"),
        (["function", "tool"], "tool result 2"),
        (["system"], "system message 1"),
        (["assistant", "user", "assistant"], "assistant message 2"),
        (["critic"], "critic message 1"),
    ],
)
def test_messages_are_counted_by_whose_they_are(roles, where):
    context = after(
        *(message(role, "short") for role in roles[:-1]),
        message(roles[-1], LONG),
    )

    assert where == context.seen.whole(LONG)


def test_what_goes_upstream_is_what_was_seen():
    context = Context()
    sent = message("tool", LONG)
    context.open(sent)
    context.close(sent, ["[" + LONG + "]"])

    assert context.seen.whole(LONG) is None
    assert "tool result 1" == context.seen.whole("[" + LONG + "]")
    assert len(LONG) + 2 == context.chars


def test_texts_are_indexed_when_a_later_one_is_looked_up():
    context = after(message("tool", LONG))
    contexts = Contexts()
    contexts.keep(b"k", context)

    assert len(LONG) == contexts.waiting_chars(b"k")
    assert "tool result 1" == context.seen.whole(LONG)
    assert 0 == contexts.waiting_chars(b"k")
    assert 0 == contexts.waiting_chars(b"another")


def holding(chars):
    return after(message("user", "x" * chars))


def test_a_context_belongs_to_whoever_takes_it():
    contexts, context = Contexts(), holding(10)
    contexts.keep(b"k", context)

    assert b"k" in contexts
    assert context is contexts.take(b"k")
    assert b"k" not in contexts
    assert contexts.take(b"k") is None


def test_the_contexts_used_last_are_kept(monkeypatch):
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 100)
    monkeypatch.setattr(context_module, "CONTEXT_OWN_CHARS", 0)
    contexts = Contexts()
    for key in (b"a", b"b", b"c"):
        contexts.keep(key, holding(33))
    taken = contexts.take(b"a")
    assert taken is not None
    contexts.keep(b"a", taken)
    contexts.keep(b"d", holding(33))

    assert [True, False, True, True] == [key in contexts for key in (b"a", b"b", b"c", b"d")]


def test_a_context_that_is_replaced_makes_room(monkeypatch):
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 100)
    monkeypatch.setattr(context_module, "CONTEXT_OWN_CHARS", 0)
    contexts = Contexts()
    contexts.keep(b"a", holding(40))
    for _ in range(10):
        contexts.keep(b"b", holding(40))

    assert b"a" in contexts
    assert b"b" in contexts


def test_a_context_larger_than_the_room_is_not_kept(monkeypatch):
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 100)
    monkeypatch.setattr(context_module, "CONTEXT_OWN_CHARS", 0)
    contexts = Contexts()
    contexts.keep(b"a", holding(101))
    contexts.keep(b"b", holding(100))

    assert b"a" not in contexts
    assert b"b" in contexts


@pytest.mark.parametrize(
    "small",
    [
        lambda: after(message("user", "x")),
        lambda: after(calling("c", "write", "x" * 100_000)),
        lambda: after(message("tool", "1\n" * 150)),
    ],
)
def test_what_is_not_text_takes_room_too(monkeypatch, small):
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 1_000_000)
    contexts = Contexts()
    for number in range(2_500):
        contexts.keep(b"%d" % number, small())

    assert b"0" not in contexts
    assert b"2499" in contexts


def test_a_message_that_cannot_be_read_is_counted():
    context = after(message("tool", "short"))
    context.count("tool")
    context.close(message("tool", LONG), [LONG])

    assert "tool result 3" == context.seen.whole(LONG)
