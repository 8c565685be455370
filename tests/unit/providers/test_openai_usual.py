"""A usual event is recognised by all of its bytes but the text, and by nothing less."""

from __future__ import annotations

import pytest

from korad.providers import openai_usual
from korad.providers.openai_stream import OpenAIStream
from korad.providers.openai_usual import OpenAIText
from korad.wire.http1 import chunk


def event(text: str, rest: str = "") -> bytes:
    return (
        f'data: {{"id":"c","choices":[{{"index":0,"delta":{{"content":"{text}"}},'
        f'"finish_reason":null}}]{rest}}}\n\n'
    ).encode()


def learned(first: bytes) -> OpenAIText:
    usual = OpenAIText()
    usual.learn(first)
    return usual


@pytest.mark.parametrize("text", ["", "b", "two words", "\\n", '\\"', "\\\\", "é", "[DONE]"])
def test_the_text_of_a_usual_event_is_found(text):
    assert text.encode() == learned(event("a")).text_in(event(text))


def test_padding_may_differ():
    usual = learned(event("a", ',"obfuscation":"xYz"'))

    assert usual.text_in(event("bc", ',"obfuscation":"Q"')) == b"bc"
    assert usual.text_in(event("bc", ',"obfuscation":"Q","usage":{}')) is None
    assert usual.text_in(event("bc")) is None


@pytest.mark.parametrize(
    "other",
    [
        b"",
        b"data: [DONE]\n\n",
        event("b")[:-1],
        event("b") + b"data: [DONE]\n\n",
        event("b") + event("c"),
        event("b", ',"usage":{"prompt_tokens":1}'),
        event('b","refusal":"c'),
        event("b\n\ndata: [DONE]\n\n"),
        event("b\\"),
        event("b").replace(b'"c"', b'"d"'),
    ],
)
def test_anything_else_is_not_usual(other):
    assert learned(event("a")).text_in(other) is None


def test_nothing_is_usual_before_an_event_with_one_text():
    assert OpenAIText().text_in(event("a")) is None
    assert learned(b"data: {}\n\n").text_in(b"data: {}\n\n") is None
    assert learned(event("a") + event("b")).text_in(event("a")) is None


@pytest.mark.parametrize(("text", "deltas"), [("b", 1), ("", 0), ("two words", 1), ("\\n", 1)])
@pytest.mark.parametrize("rest", ["", ',"obfuscation":"xYz"'])
def test_a_usual_event_is_counted_in_its_chunk(text, deltas, rest):
    usual = learned(event("a", rest))

    assert deltas == usual.deltas_with(chunk(event(text, rest)))
    assert deltas == usual.deltas
    assert (len(text), text.count(" ")) == (usual.chars, usual.spaces)
    assert text.replace("\\n", "\n") == usual.take()


def test_a_text_that_is_not_kept_is_counted_all_the_same():
    usual = learned(event("a"))
    usual.is_kept = False

    assert usual.deltas_with(chunk(event("two words"))) == 1
    assert (0, "") == (usual.chars, usual.take())


def test_padding_may_differ_in_a_chunk():
    usual = learned(event("a", ',"obfuscation":"xYz"'))

    assert usual.deltas_with(chunk(event("bc", ',"obfuscation":"Q"'))) == 1
    assert usual.deltas_with(chunk(event("bc", ',"obfuscation":"Q","usage":{}'))) == -1
    assert usual.deltas_with(chunk(event("bc"))) == -1


USUAL_CHUNK = chunk(event("b"))


@pytest.mark.parametrize(
    "other",
    [
        b"",
        event("b"),
        USUAL_CHUNK[:-1],
        USUAL_CHUNK + b"\r\n",
        USUAL_CHUNK + USUAL_CHUNK,
        b"0" + USUAL_CHUNK,
        USUAL_CHUNK.replace(b"\r\n", b";x=1\r\n", 1),
        USUAL_CHUNK.replace(b"\r\n", b"\n", 1),
        b"%X\r\n%b\r\n" % (len(event("b" * 330)), event("b" * 330)),
        chunk(event("b") + event("c")),
        chunk(event("b") + b"data: [DONE]\n\n"),
        chunk(event("b", ',"usage":{"prompt_tokens":1}')),
        chunk(event('b","refusal":"c')),
        chunk(event("b\n\ndata: [DONE]\n\n")),
        chunk(event("b\\")),
        chunk(event("b").replace(b'"c"', b'"d"')),
        chunk(event("b" * 5_000)),
        chunk(b"data: [DONE]\n\n"),
        b"0\r\n\r\n",
    ],
)
def test_anything_else_is_not_counted_in_its_chunk(other):
    usual = learned(event("a"))

    assert usual.deltas_with(other) == -1
    assert usual.deltas == 0


def test_learning_ends():
    usual = OpenAIText()
    for number in range(openai_usual.LESSONS_MAX):
        usual.learn(event("a", f',"n":{number}'))
    usual.learn(event("a"))

    assert usual.text_in(event("b")) is None
    assert usual.text_in(event("b", f',"n":{openai_usual.LESSONS_MAX - 1}')) == b"b"


def test_a_stream_keeps_the_order_of_usual_and_other_texts():
    stream = OpenAIStream(strip_usage=False)
    events = [event("a"), event("b"), event("c") + event("d"), event("e"), event("f", ',"x":1')]

    assert events == [stream.feed(each) for each in events]
    assert stream.generated.take() == "abcdef"
