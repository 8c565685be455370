"""Tests of `korad.simulator.openai_logprobs`, and of where they stand in an answer."""

from __future__ import annotations

import orjson
import pytest

from korad.simulator import Script, count_words
from korad.simulator.answer import Ask, compose
from korad.simulator.openai_logprobs import logprobs_of
from korad.simulator.openai_reply import completion, events
from korad.simulator.reply import Stamp

STAMP = Stamp.of(1, 1, 1)
SCRIPT = Script(text="Ωne two three", chunk_tokens=2)


def ask(alternatives):
    return Ask(
        model="m",
        stream=False,
        prompt_tokens=1,
        last_user_text="q",
        include_usage=False,
        top_logprobs=alternatives,
    )


def whole(alternatives, script=SCRIPT):
    asked = ask(alternatives)
    answer = compose(asked, script, seed=1, demo=False, count=count_words)
    return orjson.loads(completion(asked, answer, script, STAMP))["choices"][0]["logprobs"]


def streamed(alternatives):
    asked = ask(alternatives)
    answer = compose(asked, SCRIPT, seed=1, demo=False, count=count_words)
    chunks = [
        orjson.loads(f.data[6:]) for f in events(asked, answer, SCRIPT, STAMP) if f.data[6] == 123
    ]
    return [chunk["choices"][0]["logprobs"] for chunk in chunks]


def test_every_token_of_the_answer_has_one():
    found = whole(0)

    assert ["Ωne", " two", " three"] == [entry["token"] for entry in found["content"]]
    assert list("Ωne".encode()) == found["content"][0]["bytes"]
    assert [[], [], []] == [entry["top_logprobs"] for entry in found["content"]]


@pytest.mark.parametrize("alternatives", [1, 3])
def test_alternatives_begin_with_the_token_itself_and_get_less_likely(alternatives):
    top = logprobs_of("one", alternatives)["content"][0]["top_logprobs"]
    values = [entry["logprob"] for entry in top]

    assert (alternatives, "one") == (len(top), top[0]["token"])
    assert sorted(values, reverse=True) == values


def test_a_stream_tells_them_piece_by_piece():
    first, *pieces, last = streamed(0)

    assert (None, None) == (first, last)
    assert whole(0)["content"] == [entry for piece in pieces for entry in piece["content"]]


def test_without_being_asked_and_without_a_text_there_are_none():
    assert whole(None) is None
    assert [None] * 4 == streamed(None)
    assert whole(2, Script(tool_calls=[("f", "{}")])) is None
