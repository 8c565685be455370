"""Any chunking of an Anthropic stream gives the same chunks, usage and flags."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings, strategies as st

from korad.domain.usage import Usage
from korad.errors import UpstreamError
from tests.support.anthropic_wire import (
    block_start,
    block_stop,
    chunks_of,
    delta,
    end,
    event,
    start,
    text,
    tool,
    with_usage,
)

WORDS = st.text(max_size=12)
BLOCKS = st.one_of(
    st.lists(WORDS, max_size=4).map(lambda words: text(0, *words)),
    st.lists(WORDS, max_size=4).map(lambda words: tool(0, "toolu_1", *words)),
    WORDS.map(
        lambda word: (
            block_start(0, type="thinking", thinking="")
            + delta(0, "thinking_delta", thinking=word)
            + delta(0, "signature_delta", signature=word)
            + block_stop(0)
        )
    ),
    st.sampled_from(
        [
            event("ping"),
            b": keep-alive\n\n",
            event("new_event", text=[1]),
            event("error", error={"type": "overloaded_error", "message": "Overloaded"}),
            b"data: <html>\n\n",
        ]
    ),
)
ENDS = st.sampled_from([end(), end("tool_use", cache_read_input_tokens=7), end()[:-9], b""])
STREAMS = st.builds(
    lambda blocks, last, crlf: (start() + b"".join(blocks) + last).replace(
        b"\n", b"\r\n" if crlf else b"\n"
    ),
    st.lists(BLOCKS, max_size=5),
    ENDS,
    st.booleans(),
)
Outcome = tuple[bytes, Usage | None, bool, tuple[int, str | None] | None, str]


def outcome(chunks: list[bytes]) -> Outcome:
    stream = with_usage()
    output = []
    for chunk in chunks:
        try:
            output.append(stream.feed(chunk))
        except UpstreamError:
            break
    error = stream.error
    facts = None if error is None else (error.status, error.code)
    return b"".join(output), stream.usage, stream.finished, facts, stream.generated.take()


@settings(max_examples=150, deadline=None)
@given(data=STREAMS, cuts=st.lists(st.integers(min_value=0, max_value=2000), max_size=30))
def test_any_chunking_gives_the_same_outcome(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[left:right] for left, right in pairwise(edges)]
    whole = outcome([data])

    assert whole == outcome(pieces)
    assert whole == outcome([data[n : n + 1] for n in range(len(data))])


@settings(max_examples=100, deadline=None)
@given(data=STREAMS)
def test_every_output_is_data_events_and_nothing_else(data: bytes) -> None:
    output, _, finished, error, _ = outcome([data])
    chunks = chunks_of(output)
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]

    assert (finished and error is None) == (chunks[-1]["choices"] == [])
    assert sum(reason is not None for reason in reasons) <= 1


@settings(max_examples=100, deadline=None)
@given(words=st.lists(WORDS, max_size=8))
def test_the_contents_add_up_to_what_the_model_wrote(words: list[str]) -> None:
    output = outcome([start() + text(0, *words) + end()])[0]
    contents = [
        choice["delta"].get("content", "")
        for chunk in chunks_of(output)
        for choice in chunk["choices"]
    ]

    assert "".join(words) == "".join(contents)


@settings(max_examples=200, deadline=None)
@given(data=st.binary(max_size=300), prefix=st.sampled_from([b"", start(), b"data: "]))
def test_no_bytes_raise_anything_but_the_promised_error(data: bytes, prefix: bytes) -> None:
    output = outcome([prefix + data + b"\n\n"])[0]

    assert output == b"" or output.endswith(b"\n\n")
