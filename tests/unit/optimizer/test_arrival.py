"""Messages found in a body that is still arriving."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.arrival import TRIES_MAX, Arrival

MESSAGES = [
    {"role": "system", "content": 'Say {"role":"x"} and [{"messages": []}]'},
    {"role": "user", "content": '\u00e9 \\ " }, {'},
    {"role": "assistant", "content": None, "tool_calls": [{"function": {"arguments": "{}"}}]},
    {"content": "role comes last", "role": "tool"},
    {"role": "user", "content": [{"type": "text", "text": "{"}]},
]
BODIES = [
    msgspec.json.encode({"model": "a/b", "messages": MESSAGES, "stream": True}),
    msgspec.json.format(msgspec.json.encode({"messages": MESSAGES, "model": "a/b"}), indent=2),
]


def all_found(pieces):
    arrival = Arrival()
    return [msgspec.json.decode(raw) for piece in pieces for raw in arrival.feed(piece)]


@pytest.mark.parametrize("body", BODIES)
def test_a_message_is_found_when_the_next_one_begins(body):
    (first,) = all_found([body[: body.index(b"tool_calls")]])[:1]

    assert first == MESSAGES[0]


@pytest.mark.parametrize("body", BODIES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_cut_of_the_body_gives_the_same_messages(body, data):
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body) - 1), max_size=12)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    assert all_found(pieces) == all_found([body])


@pytest.mark.parametrize("body", BODIES)
def test_the_messages_found_are_a_prefix_as_far_as_roles_come_first(body):
    assert all_found([body]) == MESSAGES[:2]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"messages": 5}',
        b'{"messages":[',
        b'{"messages":[{"role":"user"',
        b"\x00" * 999,
    ],
)
def test_in_what_is_no_request_nothing_is_found(body):
    assert all_found([body[:3], body[3:]]) == []


def test_a_body_that_fools_the_search_is_not_searched_for_ever(monkeypatch):
    reads = []
    monkeypatch.setattr("korad.optimizer.arrival.read_message", reads.append)
    nested = b'{"messages":[{"role":"user","x":[' + b'{"role":1},' * 1_000
    arrival = Arrival()
    for at in range(0, len(nested), 100):
        arrival.feed(nested[at : at + 100])

    assert len(reads) == TRIES_MAX
