"""Which requests are the same, and which answers are kept, for how long."""

from __future__ import annotations

import msgspec
import pytest

from korad import response_cache
from korad.domain.answer import StoredAnswer
from korad.domain.usage import Usage
from korad.response_cache import AnswerMemory, Recording, cache_key, takes_part
from korad.wire.openai import parse_chat_request

HOUR_S = 3_600
NOW_MS = 1_700_000_000_000
OVERHEAD_BYTES = response_cache._ENTRY_OVERHEAD_BYTES
MESSAGES = b'[{"role":"user","content":"Hi"}]'


def a_request(members: bytes = b"", *, messages: bytes = MESSAGES, model: bytes = b"openai/m"):
    return parse_chat_request(b'{"model":"%b",%b"messages":%b}' % (model, members, messages))


def key_of(raw: bytes) -> bytes:
    return cache_key(parse_chat_request(raw), "vk_1", "medium")


def an_answer(size_bytes: int = 10, stored_ms: int = NOW_MS) -> StoredAnswer:
    return StoredAnswer(
        body=b"x" * size_bytes,
        lines=b"",
        original_tokens=1,
        usage=Usage(prompt_tokens=1, completion_tokens=1),
        stored_ms=stored_ms,
    )


def found(memory: AnswerMemory, key: bytes, now_ms: int = NOW_MS) -> StoredAnswer | None:
    return memory.get(key, now_ms)


# ── who takes part ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("zero", [b"0", b"0.0", b"-0", b"-0.0", b"0e5"])
def test_temperature_0_takes_part_without_asking(zero):
    assert takes_part(a_request(b'"temperature":%b,' % zero), asked=False)


@pytest.mark.parametrize("value", [b"1", b"0.1", b"null", b"false", b'"0"', b"[]", b"1e999"])
def test_any_other_temperature_must_be_asked_for(value):
    request = a_request(b'"temperature":%b,' % value)

    assert not takes_part(request, asked=False)
    assert takes_part(request, asked=True)


def test_no_temperature_must_be_asked_for():
    assert not takes_part(a_request(), asked=False)
    assert takes_part(a_request(), asked=True)


def test_a_long_body_takes_no_part_even_if_it_asks(monkeypatch):
    request = a_request(b'"temperature":0,')
    monkeypatch.setattr(response_cache, "BODY_BYTES_MAX", len(request.raw))
    assert takes_part(request, asked=True)

    monkeypatch.setattr(response_cache, "BODY_BYTES_MAX", len(request.raw) - 1)

    assert not takes_part(request, asked=True)
    assert not takes_part(request, asked=False)


def test_a_body_of_very_many_members_takes_no_part(monkeypatch):
    request = a_request(b'"temperature":0,')
    monkeypatch.setattr(response_cache, "MEMBERS_MAX", len(request.members))
    assert takes_part(request, asked=True)

    monkeypatch.setattr(response_cache, "MEMBERS_MAX", len(request.members) - 1)

    assert not takes_part(request, asked=True)


# ── what is the same ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "raw",
    [
        b'{"messages":[{"role":"user","content":"Hi"}],"model":"openai/m"}',
        b'{"model":"openai/m","messages":[{"content":"Hi","role":"user"}]}',
        b' {"model" :\n"openai/m",\t"messages":[ {"role":"user","content":"Hi"} ] } ',
        b'{"model":"openai\\/m","messages":[{"role":"user","content":"\\u0048i"}]}',
    ],
)
def test_order_blanks_and_escapes_do_not_count(raw):
    assert key_of(a_request().raw) == key_of(raw)


@pytest.mark.parametrize(
    "raw",
    [
        a_request(model=b"openai/n").raw,
        a_request(b'"temperature":0,').raw,
        a_request(b'"stream":true,').raw,
        a_request(b'"stream":false,').raw,
        a_request(b'"user":"u",').raw,
        a_request(b'"never_heard_of":null,').raw,
        a_request(messages=b'[{"role":"user","content":"hi"}]').raw,
        a_request(messages=b'[{"role":"user","content":"Hi "}]').raw,
        a_request(messages=b'[{"role":"user","content":"Hi","name":"n"}]').raw,
        a_request(messages=b'[{"role":"user","content":["Hi"]}]').raw,
    ],
)
def test_every_member_counts(raw):
    assert key_of(a_request().raw) != key_of(raw)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"18446744073709551617", b"18446744073709551618"),
        (b"9007199254740993.0", b"9007199254740992.0"),
        (b"0.1", b"0.10000000000000000001"),
        (b"1e999", b"1e998"),
        (b"1e-999", b"0.0"),
        (b"1", b"true"),
        (b"1", b'"1"'),
        (b"9" * 5_000, b"9" * 4_999 + b"8"),
        (b'{"a":1,"a":2}', b'{"a":2}'),
        (b'{"a":1,"a":2}', b'{"a":3,"a":2}'),
        (b'{"a\\u0022\\u0022":1,"b":1,"b":2}', b'{"a\\u0022\\u0022":1,"b":3,"b":2}'),
        (b'"a\\u0022"', b'"a"'),
    ],
)
def test_what_decoding_might_confuse_stays_apart(one, other):
    keys = {key_of(a_request(b'"x":{"in":%b},' % value).raw) for value in (one, other)}

    assert len(keys) == 2


@pytest.mark.parametrize("odd", [b'{"a":1,"a":2}', b"9" * 5_000])
def test_a_body_that_cannot_be_decoded_is_the_same_in_any_order_of_its_members(odd):
    one = b'{"model":"openai/m","messages":%b,"x":%b}' % (MESSAGES, odd)
    other = b'{"x":%b, "messages":%b,"model":"openai/m"}' % (odd, MESSAGES)

    assert key_of(one) == key_of(other)


def test_of_a_long_body_the_members_own_bytes_count(monkeypatch):
    one = b'{"model":"openai/m","messages":%b}' % MESSAGES
    same = b'{ "messages":%b, "model":"openai/m"}' % MESSAGES
    other = b'{"model":"openai/m","messages":[{"content":"Hi","role":"user"}]}'
    assert key_of(one) == key_of(same) == key_of(other)

    monkeypatch.setattr(response_cache, "DECODED_BYTES_MAX", len(one) - 1)

    assert key_of(one) == key_of(same)
    assert key_of(one) != key_of(other)


def test_tenant_level_and_destination_count_and_do_not_run_together():
    request = a_request()
    parts = [
        ("vk_1", "low", "p", "m"),
        ("vk_2", "low", "p", "m"),
        ("vk_1", "high", "p", "m"),
        ("vk_1", "low", "q", "m"),
        ("vk_1", "low", "p", "n"),
        ("vk_1", "lowp", "", "m"),
        ("vk_1low", "", "p", "m"),
    ]

    assert len(parts) == len({cache_key(request, *each) for each in parts})


def test_a_key_is_32_bytes_and_no_part_of_the_prompt_is_in_it():
    key = cache_key(a_request(messages=b'[{"role":"user","content":"a secret"}]'), "vk_1", "low")

    assert len(key) == 32
    assert b"secret" not in key


# ── recording ────────────────────────────────────────────────────────────────────────────────


def test_a_recording_is_all_its_pieces():
    recording = Recording(b"k")
    for piece in (b"data: 1\n\n", b"", b"data: 2\n\n"):
        recording.take(piece)

    assert recording.whole() == b"data: 1\n\ndata: 2\n\n"


def test_a_recording_that_grows_too_long_holds_nothing(monkeypatch):
    monkeypatch.setattr(response_cache, "ENTRY_BYTES_MAX", 10)
    recording = Recording(b"k")
    recording.take(b"x" * 10)
    assert recording.whole() == b"x" * 10

    recording.take(b"x")
    recording.take(b"y")

    assert recording.whole() is None
    assert recording._pieces == []


# ── the memory ───────────────────────────────────────────────────────────────────────────────


def test_an_answer_is_found_until_its_time_is_over():
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=10_000)
    answer = an_answer()
    memory.put(b"k", answer)

    assert found(memory, b"other") is None
    assert found(memory, b"k", NOW_MS + HOUR_S * 1000 - 1) is answer
    assert found(memory, b"k", NOW_MS + HOUR_S * 1000) is None
    assert (len(memory), memory.bytes_held) == (0, 0)


def test_time_that_goes_back_finds_the_answer_still():
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=10_000)
    memory.put(b"k", an_answer())

    assert found(memory, b"k", NOW_MS - 5_000) is not None


def test_the_least_recently_used_goes_first():
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=2 * (OVERHEAD_BYTES + 10))
    for name in (b"1", b"2"):
        memory.put(name, an_answer())
    found(memory, b"1")
    memory.put(b"3", an_answer())

    assert [False, True, False] == [found(memory, name) is None for name in (b"1", b"2", b"3")]


def test_the_bytes_held_never_pass_the_bound_and_add_up():
    bound = 20 * OVERHEAD_BYTES
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=bound)
    for number in range(200):
        memory.put(b"%d" % (number % 37), an_answer(number * 97 % 5_000))

        assert memory.bytes_held <= bound
        assert memory.bytes_held == sum(map(response_cache._size_bytes, memory._entries.values()))
    assert len(memory) > 1


def test_a_newer_answer_takes_the_place_of_the_older():
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=10_000)
    memory.put(b"k", an_answer(1_000))
    newer = an_answer(10)
    memory.put(b"k", newer)

    assert found(memory, b"k") is newer
    assert memory.bytes_held == OVERHEAD_BYTES + 10


@pytest.mark.parametrize(("entry_max", "bytes_max"), [(99, 10_000), (1_000, OVERHEAD_BYTES + 99)])
def test_an_answer_that_is_too_large_is_not_kept_and_drops_nothing_else(
    monkeypatch, entry_max, bytes_max
):
    monkeypatch.setattr(response_cache, "ENTRY_BYTES_MAX", entry_max)
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=bytes_max)
    memory.put(b"small", an_answer(10))
    memory.put(b"large", an_answer(100))

    assert found(memory, b"large") is None
    assert found(memory, b"small") is not None


def test_a_memory_of_no_bytes_keeps_nothing():
    memory = AnswerMemory(ttl_s=HOUR_S, bytes_max=0)
    memory.put(b"k", an_answer(0))

    assert found(memory, b"k") is None


def test_a_stored_answer_survives_a_wire():
    answer = an_answer()

    assert answer == msgspec.msgpack.decode(msgspec.msgpack.encode(answer), type=StoredAnswer)
