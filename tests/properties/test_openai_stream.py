"""Any chunking of an OpenAI stream gives the client the same bytes, and korad the same facts."""

from __future__ import annotations

from itertools import pairwise

import orjson
from hypothesis import given, settings, strategies as st

from korad.domain.usage import Usage
from korad.errors import UpstreamError
from korad.providers.openai_stream import OpenAIStream

Outcome = tuple[bytes, Usage | None, bool, tuple[int, str | None] | None, str]

TEXTS = st.text(max_size=12) | st.sampled_from(
    ["[DONE]", 'data: [DONE]"', '"usage"', '\\"error\\":', "\n\ndata: ", '"content":"', "\r\n\r\n"]
)
COUNTS = st.integers(min_value=0, max_value=10**6)
REPORT = st.builds(
    lambda prompt, completion: {"prompt_tokens": prompt, "completion_tokens": completion},
    COUNTS,
    COUNTS,
)


def delta(**members: object) -> dict[str, object]:
    return {"id": "c", "choices": [{"index": 0, "delta": members}]}


CHUNKS = st.one_of(
    TEXTS.map(lambda text: delta(content=text)),
    TEXTS.map(lambda text: delta(reasoning_content=text)),
    TEXTS.map(lambda text: delta(tool_calls=[{"index": 0, "function": {"arguments": text}}])),
    TEXTS.map(lambda text: delta(content=text) | {"usage": None}),
    REPORT.map(lambda usage: delta(content="") | {"usage": usage}),
    REPORT.map(lambda usage: {"id": "c", "choices": [], "usage": usage}),
).map(orjson.dumps)
EVENTS = st.one_of(
    CHUNKS.map(lambda data: b"data: " + data + b"\n\n"),
    CHUNKS.map(lambda data: b"data:" + data + b"\n\n"),
    st.sampled_from([b": keep-alive\n\n", b"event: ping\ndata: {}\n\n"]),
)
ENDS = st.sampled_from(
    [
        b"data: [DONE]\n\n",
        b"data:[DONE]\n\n",
        b"data: [DONE]\n\nleft over\n\n",
        b"data: [DONE]\n",
        b'data: {"error":{"message":"Overloaded","code":503}}\n\n',
        b'data: {"error": broken\n\n',
        b"",
    ]
)
STREAMS = st.builds(
    lambda events, end, line: (b"".join(events) + end).replace(b"\n", line),
    st.lists(EVENTS, max_size=6),
    ENDS,
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
)


def outcome(pieces: list[bytes], *, strip_usage: bool) -> Outcome:
    """Return all that a stream tells the relay, which stops at its end and at its error."""
    stream = OpenAIStream(strip_usage=strip_usage)
    passed = []
    broken = False
    for piece in pieces:
        try:
            passed.append(stream.feed(piece))
        except UpstreamError:
            broken = True
        if broken or stream.finished or stream.error is not None:
            break
    error = (502, "broken") if broken else None
    if stream.error is not None:
        error = (stream.error.status, stream.error.code)
    return b"".join(passed), stream.usage, stream.finished, error, stream.generated.take()


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(each, len(data)) for each in cuts), len(data)]
    return [data[left:right] for left, right in pairwise(edges)]


@settings(max_examples=200, deadline=None)
@given(
    data=STREAMS,
    cuts=st.lists(st.integers(min_value=0, max_value=1_000), max_size=20),
    strip_usage=st.booleans(),
)
def test_any_chunking_gives_the_same_bytes_usage_and_text(
    data: bytes, cuts: list[int], *, strip_usage: bool
) -> None:
    by_byte = outcome([data[n : n + 1] for n in range(len(data))], strip_usage=strip_usage)
    whole = outcome([data], strip_usage=strip_usage)

    if by_byte[3] is None:
        assert whole == by_byte
        assert whole == outcome(cut(data, cuts), strip_usage=strip_usage)
    else:
        # Events of the read that brings the error may be lost; the error may not.
        assert by_byte[3] == whole[3] == outcome(cut(data, cuts), strip_usage=strip_usage)[3]
        assert by_byte[0].startswith(whole[0])


@settings(max_examples=100, deadline=None)
@given(events=st.lists(EVENTS, max_size=6))
def test_the_client_gets_the_provider_s_own_bytes(events: list[bytes]) -> None:
    data = b"".join(events)

    assert data == outcome([data, b"data: [DONE]\n\n"], strip_usage=False)[0]


@settings(max_examples=100, deadline=None)
@given(texts=st.lists(TEXTS, max_size=8))
def test_the_text_that_is_counted_is_what_the_model_wrote(texts: list[str]) -> None:
    chunks = [orjson.dumps(delta(content=text)) for text in texts]
    data = b"".join(b"data: " + chunk + b"\n\n" for chunk in chunks)

    assert "".join(texts) == outcome([data], strip_usage=True)[4]
    assert (
        "".join(texts) == outcome([data[n : n + 1] for n in range(len(data))], strip_usage=True)[4]
    )


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", b"data: ", b'data: {"usage":']))
def test_no_bytes_raise_anything_but_the_promised_error(data: bytes, prefix: bytes) -> None:
    passed = outcome([prefix + data + b"\n\n"], strip_usage=True)[0]

    assert passed in prefix + data + b"\n\n"


ODD = st.one_of(
    st.none(), st.booleans(), st.floats(-1, 1), st.text(max_size=2), st.integers(-1, 10**9 + 1)
)
DETAILS = st.dictionaries(st.sampled_from(["cached_tokens", "audio_tokens", "x"]), ODD) | ODD
ODD_USAGE = st.fixed_dictionaries(
    {},
    optional={
        "prompt_tokens": ODD,
        "completion_tokens": ODD,
        "prompt_cache_hit_tokens": ODD,
        "prompt_tokens_details": DETAILS,
        "completion_tokens_details": DETAILS,
    },
)


@given(
    event=st.fixed_dictionaries(
        {},
        optional={
            "usage": ODD_USAGE | REPORT | ODD,
            "service_tier": ODD,
            "error": ODD | st.just({"message": "x"}),
            "choices": st.sampled_from([[], [{}], None, "x"]),
        },
    ),
    strip_usage=st.booleans(),
)
def test_an_event_read_by_types_says_what_it_says_read_leniently(event, strip_usage):
    by_types, leniently = (OpenAIStream(strip_usage=strip_usage) for _ in range(2))
    data = orjson.dumps(event)

    assert by_types._read_facts(data) == leniently._read_odd_facts(data)
    assert by_types.usage == leniently.usage
    assert str(by_types.error) == str(leniently.error)
