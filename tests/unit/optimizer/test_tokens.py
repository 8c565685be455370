"""Counting prompts by OpenAI's rule, whatever they hold."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from korad.optimizer import tokens
from korad.optimizer.caching.markers import marked_tools
from korad.optimizer.tokens import INLINE_BYTES_MAX, TokenCounter, is_quick_to_count
from korad.wire.openai import parse_chat_request


def words(text):
    return text.split()


def a_request(*messages, **members):
    return parse_chat_request(
        msgspec.json.encode({"model": "a/b", "messages": messages, **members})
    )


def message(content=None, **members):
    return {"role": "user", "content": content, **members}


@pytest.mark.parametrize(
    ("given", "count"),
    [
        (message("one two"), 2),
        (message(""), 0),
        (message(None), 0),
        (message(5), 0),
        (message([{"type": "text", "text": "a b"}, {"type": "text", "text": "c"}]), 3),
        (message([{"type": "image_url", "image_url": {"url": "data:..."}}]), 255),
        (message([{"type": "input_audio", "input_audio": {}}]), 200),
        (message(["odd", None, 3]), 0),
        (message("a", name="b c", refusal="d", reasoning_content="e"), 5),
        (message("a", name=3), 1),
        (message("", tool_calls=[{"function": {"name": "f", "arguments": "a b"}}]), 6),
        (message("", tool_calls=[{"function": None}, 3]), 6),
        (message("", tool_calls="odd"), 0),
    ],
)
def test_a_message_costs_its_texts_and_four(given, count):
    counted = TokenCounter(words).count_prompt(a_request(given))

    assert (count, 1) == counted
    assert 3 + 4 + count == counted.tokens


def test_a_mark_for_the_cache_on_tools_has_no_tokens():
    tools = msgspec.Raw(b'[ {"name": "a"}, {"name" :"b"} ]')
    marked = msgspec.Raw(marked_tools(tools))
    plain, sent = (a_request(message("a"), tools=each) for each in (tools, marked))

    assert plain.members["tools"] != sent.members["tools"]
    assert TokenCounter(len_of_text).count_prompt(plain) == TokenCounter(len_of_text).count_prompt(
        sent
    )


def test_tools_count_as_compact_json():
    loose = parse_chat_request(
        b'{"model":"a/b","messages":[{"role":"user"}],"tools":[ {"a" :\n"b c"} ]}'
    )

    assert TokenCounter(len_of_text).count_prompt(loose) == (len('[{"a":"b c"}]'), 1)


def len_of_text(text):
    return list(text)


@pytest.mark.parametrize("odd", [b"1e999", b"9" * 5_000, b"[" * 900 + b"]" * 900])
def test_json_that_is_no_value_of_pythons_is_counted_all_the_same(odd):
    request = parse_chat_request(
        b'{"model":"a/b","messages":[{"role":"user","content":' + odd + b"}]}"
    )

    assert TokenCounter(words).count_prompt(request).messages == 1


def test_a_message_seen_before_is_not_encoded_again():
    encoded = []
    counter = TokenCounter(lambda text: encoded.append(text) or words(text))
    first = counter.count_prompt(a_request(message("a b"), message("a b"), message("c")))
    second = counter.count_prompt(a_request(message("a b"), message("d e")))

    assert encoded == ["a b", "c", "d e"]
    assert (first, second) == ((5, 3), (4, 2))


@pytest.mark.parametrize(("padding", "quick"), [(0, True), (INLINE_BYTES_MAX, False)])
def test_only_small_prompts_are_counted_on_the_spot(padding, quick):
    assert quick is is_quick_to_count(a_request(message("x" * padding)))


def test_a_long_text_is_encoded_piece_by_piece(monkeypatch):
    monkeypatch.setattr(tokens, "PIECE_CHARS_MAX", 4)
    pieces = []
    counter = TokenCounter(lambda text: pieces.append(text) or text)

    assert 10 == counter.count_text("a" * 10)
    assert ["aaaa", "aaaa", "aa"] == pieces


@pytest.mark.parametrize("pretty", [False, True])
def test_of_a_conversation_that_goes_on_only_the_new_turns_are_counted(pretty):
    counted = []

    def encode(text):
        counted.append(text)
        return text.split()

    counter, fresh = TokenCounter(encode), TokenCounter(str.split)
    messages = [{"role": "system", "content": "rule " * 1_000}]
    for turn in range(6):
        messages += [{"role": "user", "content": f"question {turn}"}]
        messages += [{"role": "assistant", "content": f"some answer {turn}"}]
        option = orjson.OPT_INDENT_2 if pretty else None
        raw = orjson.dumps({"model": "m", "messages": messages}, option=option)
        del counted[:]

        count = counter.count_prompt(parse_chat_request(raw))

        assert count == fresh.count_prompt(parse_chat_request(raw))
        assert count.messages == len(messages)
        assert turn == 0 or counted == [f"question {turn}", f"some answer {turn}"]


def test_a_conversation_that_takes_another_turn_is_counted_by_its_own_messages():
    counter = TokenCounter(str.split)
    begun = [{"role": "system", "content": "rule " * 1_000}]
    for last in ("one", "one two", "one two three", ""):
        raw = orjson.dumps({"model": "m", "messages": [*begun, {"role": "user", "content": last}]})
        assert counter.count_prompt(parse_chat_request(raw)).text == 1_000 + len(last.split())
