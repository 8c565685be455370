"""A body that begins as an earlier one: the same request, without reading it all again."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given, strategies as st

from korad.errors import ClientError
from korad.wire import known_bodies
from korad.wire.known_bodies import KNOWN_BYTES_MIN, KnownBodies
from korad.wire.openai import SHAPE_CHECK_BYTES_MAX, parse_chat_request

LONG = "x" * KNOWN_BYTES_MIN


@pytest.fixture
def read(monkeypatch):
    """Count the bytes that are really parsed."""
    sizes = []

    def parse(raw):
        sizes.append(len(raw))
        return parse_chat_request(raw)

    monkeypatch.setattr(known_bodies, "parse_chat_request", parse)
    return sizes


def message(text, role="user"):
    return orjson.dumps({"role": role, "content": text})


def body(*messages, before=b'"model":"m",', after=b',"stream":true'):
    return b"{%b%b:[%b]%b}" % (before, b'"messages"', b",".join(messages), after)


def outcome(parse, raw):
    """Return all that a request is, or the error that a client sees."""
    try:
        request = parse(raw)
    except ClientError as error:
        return error.status, error.body()
    members = {name: bytes(value) for name, value in request.members.items()}
    assert request.messages_json() == members["messages"]
    return request.raw, members, request.model, request.stream, request.include_usage


def test_of_a_conversation_that_goes_on_only_the_new_turns_are_read(read):
    known = KnownBodies("s")
    turns = [message(LONG)]
    known.parse(body(*turns))
    for number in range(5):
        turns += [message(f"answer {number}", "assistant"), message("and?")]
        raw = body(*turns, after=b',"temperature": 1.0')
        del read[:]

        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)
        assert sum(read) < 300


def test_the_very_same_body_is_not_read_again(read):
    known, raw = KnownBodies("s"), body(message(LONG * 50))
    known.parse(raw)
    del read[:]

    assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)
    assert sum(read) < 200


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(body(message(LONG), after=b',"messages":[]'), id="empty second"),
        pytest.param(body(message(LONG), after=b',"messages":[%b]' % message("b")), id="second"),
        pytest.param(body(message(LONG), after=b',"mess\\u0061ges":[%b]' % message("b")), id="hid"),
        pytest.param(body(message(LONG), after=b',"model":"n"'), id="second model"),
        pytest.param(body(message(LONG), after=b',"model":""'), id="no model"),
        pytest.param(body(message(LONG), b"5"), id="no message"),
        pytest.param(body(message(LONG), b""), id="nothing behind the comma"),
        pytest.param(body(message(LONG))[:-3], id="cut"),
        pytest.param(body(message(LONG)) + b"x", id="more"),
        pytest.param(body(message(LONG), after=b'"stream":true'), id="no comma"),
        pytest.param(body(message(LONG), after=b',"stream":"yes"'), id="wrong type"),
        pytest.param(body(message(LONG), after=b',"user":"\xff"'), id="no UTF-8"),
        pytest.param(body(message(LONG), after=b',"stream":null ,"stop" : 1e999'), id="spaces"),
        pytest.param(body(message(LONG), message("né")), id="letters"),
        pytest.param(body(message(LONG))[:-20] + b" \n ]}", id="space at the end"),
        pytest.param(body(message(LONG)).replace(b"m", b"n", 1), id="other beginning"),
        pytest.param(body(message(LONG + "y")), id="other end"),
    ],
)
def test_whatever_follows_is_taken_as_without_memory(raw):
    known = KnownBodies("s")
    known.parse(body(message(LONG)))

    for _ in range(2):
        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)


def test_messages_that_stand_in_another_member_too_are_not_mistaken():
    raw = body(message(LONG), before=b'"model":"m","metadata":[%b],' % message(LONG))
    known = KnownBodies("s")

    for _ in range(3):
        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)


def test_the_stand_in_of_another_process_is_a_message_like_any_other():
    known, other = KnownBodies("s"), message("t")
    raw = body(message(LONG), after=b',"messages":[{"role":"t"},%b]' % other)
    known.parse(body(message(LONG)))

    assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)


def test_big_bodies_are_no_more_and_no_less_strict():
    big = message("x" * SHAPE_CHECK_BYTES_MAX)
    for wrong in (b"5", b'{"content":"no role"}', b"[]"):
        known = KnownBodies("s")
        known.parse(body(big))
        for raw in (body(big, wrong), body(big, wrong, message("b"))):
            assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)


def test_memory_is_bounded_and_the_latest_stay(monkeypatch, read):
    monkeypatch.setattr(known_bodies, "KEPT_BYTES_MAX", 5 * KNOWN_BYTES_MIN)
    known = KnownBodies("s")
    bodies = [body(message(f"{number}{LONG}")) for number in range(20)]
    for raw in bodies:
        known.parse(raw)
    del read[:]
    known.parse(bodies[-1])

    assert sum(read) < 200
    known.parse(bodies[0])
    assert sum(read) > KNOWN_BYTES_MIN


TEXTS = st.text(max_size=30)
PIECES = st.sampled_from(
    [b",", b"]", b"}", b"[", b"{", b" ", b'"', b'"messages"', b":", b"\\", b"1", message("a"), b"x"]
)


@given(
    first=st.lists(TEXTS, min_size=1, max_size=3),
    more=st.lists(TEXTS, max_size=3),
    cut=st.integers(0, 60),
    noise=st.lists(PIECES, max_size=4),
    after=st.sampled_from([b"", b',"stream":true', b',"messages":[{"role":"user"}]', b',"n":1.0']),
)
def test_it_never_differs_from_parsing_everything(first, more, cut, noise, after):
    known = KnownBodies("s")
    turns = [message(LONG), *map(message, first)]
    outcome(known.parse, body(*turns, after=after))
    whole = body(*turns, *map(message, more), after=after)
    at = len(whole) - cut
    for raw in (whole, whole[:at] + b"".join(noise) + whole[at:], whole[:at] + b"".join(noise)):
        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)
        assert outcome(known.parse, whole) == outcome(parse_chat_request, whole)


BLANKS = b" " * (SHAPE_CHECK_BYTES_MAX + 5_000)


@pytest.mark.parametrize("begun", [b"[", b"[1", b'[{"content":"no role"}'])
@pytest.mark.parametrize("rest", [b"]", b',{"role":"user","content":"x"}]', b",]"])
def test_blanks_hide_nothing_from_the_next_request(begun, rest):
    known, tools = KnownBodies("s"), b'{"model":"m","tools":"%b","messages":' % (b"t" * 5_000)
    outcome(known.parse, tools + begun + BLANKS + b"]}")

    for _ in range(2):
        raw = tools + begun + rest + b"}"
        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)


def test_numbers_that_are_none_of_pythons_stand_in_options_of_short_and_long_bodies():
    options = b',"stream_options":{"include_usage":true,"x":1e999}'
    known, big = KnownBodies("s"), message("x" * SHAPE_CHECK_BYTES_MAX)
    known.parse(body(big))
    for messages in ([big], [big, message("b")], [message("b")]):
        raw = body(*messages, after=options)
        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)
        assert parse_chat_request(raw).include_usage


def test_a_body_with_half_a_surrogate_pair_is_mended_each_time():
    known = KnownBodies("s")
    turns = [message(LONG)]
    known.parse(body(*turns))
    for _ in range(3):
        turns.append(b'{"role":"user","content":"cut \\ud83d"}')
        raw = body(*turns)

        assert outcome(known.parse, raw) == outcome(parse_chat_request, raw)
        assert b"\\ufffd" in known.parse(raw).messages_json()
        assert b"\\ud83d" not in known.parse(raw).messages_json()
