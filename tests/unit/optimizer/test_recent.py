"""Prompts recognised by what they begin with."""

from __future__ import annotations

import msgspec
import pytest

from korad.optimizer import recent as recent_module
from korad.optimizer.recent import PROMPT_BYTES_MIN, Recent


def a_conversation(count, name="a"):
    return [
        msgspec.json.encode({"role": "user", "content": f"{name} {n} " + "x" * 300})
        for n in range(count)
    ]


def array_of(messages, between=b","):
    return b"[" + between.join(messages) + b"]"


def kept(recent, messages, level=2, between=b",", *, is_plain=False):
    keys = [b"%d" % n for n in range(len(messages))]
    recent.keep(
        level,
        array_of(messages, between),
        messages,
        keys,
        list(range(len(messages))),
        is_plain=is_plain,
    )


@pytest.mark.parametrize("before", [4, 7, 30, 59])
@pytest.mark.parametrize("between", [b",", b", ", b",\n  "])
def test_a_conversation_that_goes_on_is_recognised(before, between):
    recent: Recent[int] = Recent()
    messages = a_conversation(60)
    kept(recent, messages[:before], between=between)
    after = before + max(1, before // 4)
    found = recent.find(2, array_of(messages[:after], between))

    assert found is not None
    known, rest = found
    assert known.messages == messages[:before]
    assert msgspec.json.decode(rest) == [msgspec.json.decode(m) for m in messages[before:after]]


def test_the_same_prompt_again_has_no_rest():
    recent: Recent[int] = Recent()
    messages = a_conversation(9)
    kept(recent, messages)
    found = recent.find(2, array_of(messages))

    assert found is not None
    assert msgspec.json.decode(found[1]) == []


def test_a_pretty_array_is_recognised_too():
    recent: Recent[int] = Recent()
    messages = a_conversation(9)
    raw = b"[\n  " + b",\n  ".join(messages) + b"\n]"
    recent.keep(2, raw, messages, [b"k"] * 9, [0] * 9, is_plain=False)
    longer = raw[:-2] + b",\n  " + a_conversation(10)[9] + b"\n]"
    found = recent.find(2, longer)

    assert found is not None
    assert len(msgspec.json.decode(found[1])) == 1


@pytest.mark.parametrize("at", [0, 3, 8])
def test_a_prompt_that_differs_anywhere_is_another(at):
    recent: Recent[int] = Recent()
    messages = a_conversation(9)
    kept(recent, messages)
    messages[at] = messages[at].replace(b"xxx", b"xyx", 1)

    assert recent.find(2, array_of(messages)) is None


def test_levels_know_nothing_of_each_other():
    recent: Recent[int] = Recent()
    messages = a_conversation(9)
    kept(recent, messages, level=1)

    assert recent.find(2, array_of(messages)) is None


def test_a_short_prompt_is_not_kept():
    recent: Recent[int] = Recent()
    messages = [b'{"role":"user","content":"hi"}']
    kept(recent, messages)

    assert len(array_of(messages)) < PROMPT_BYTES_MIN
    assert recent.find(2, array_of(messages)) is None


def test_what_was_kept_first_is_forgotten_when_there_is_too_much(monkeypatch):
    monkeypatch.setattr(recent_module, "KEPT_BYTES_MAX", 100_000)
    recent: Recent[int] = Recent()
    many = [a_conversation(20, name=f"n{n}") for n in range(30)]
    for messages in many:
        kept(recent, messages)

    assert recent.find(2, array_of(many[0])) is None
    assert recent.find(2, array_of(many[-1])) is not None
    assert recent._long._bytes <= 100_000


@pytest.mark.parametrize("is_plain", [True, False])
def test_only_the_very_prompt_is_known_to_be_plain(is_plain):
    recent: Recent[int] = Recent()
    messages = a_conversation(9)
    kept(recent, messages, is_plain=is_plain)
    other = [*messages[:4], messages[4].replace(b"xxx", b"xyx", 1), *messages[5:]]

    assert recent.holds_plain(2, array_of(messages)) is is_plain
    assert not recent.holds_plain(3, array_of(messages))
    assert not recent.holds_plain(2, array_of(other))
    assert not recent.holds_plain(2, array_of(a_conversation(10)))
    assert not recent.holds_plain(2, array_of(messages[:1]))


def test_a_short_prompt_is_remembered_if_nothing_in_it_can_change(monkeypatch):
    monkeypatch.setattr(recent_module, "SHORT_MAX", 3)
    recent: Recent[int] = Recent()
    prompts = [array_of([b'{"role":"user","content":"short %d"}' % n]) for n in range(4)]
    for raw in prompts:
        recent.keep(2, raw, [raw[1:-1]], [b"0"], [0], is_plain=True)
    recent.keep(2, b'[{"role":"user"}]', [b'{"role":"user"}'], [b"0"], [0], is_plain=False)

    assert [False, True, True, True] == [recent.holds_plain(2, raw) for raw in prompts]
    assert not recent.holds_plain(3, prompts[3])
    assert not recent.holds_plain(2, b'[{"role":"user"}]')
