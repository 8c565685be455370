"""When a shorter text is taken."""

from __future__ import annotations

import pytest

from korad.optimizer import acceptance
from korad.optimizer.acceptance import COUNTED_CHARS_MAX, estimated_tokens, pays


def words(text):
    return len(text.split())


def never(_text):
    raise AssertionError("a long text is not counted")


def text_of(count):
    return "w " * count


@pytest.mark.parametrize(
    ("before", "after", "exact", "expected"),
    [
        (100, 99, True, True),
        (100, 100, True, False),
        (100, 101, True, False),
        (0, 0, True, False),
        (100, 68, False, True),
        (100, 69, False, False),
        (640, 608, False, True),
        (660, 628, False, False),
        (660, 627, False, True),
        (40, 0, False, True),
        (31, 0, False, False),
        (100, 200, False, False),
    ],
)
def test_a_short_text_is_counted(before, after, exact, expected):
    assert expected is pays(text_of(before), text_of(after), words, exact=exact)


def test_longer_texts_are_estimated():
    old, new = "some words of prose " * 1_000, "some words of prose " * 900

    assert pays(old, new, never, exact=False)
    assert pays(old, new, never, exact=True)
    assert not pays(new, old, never, exact=True)
    assert not pays(old, old[:-40], never, exact=False)


@pytest.mark.parametrize("chars", [COUNTED_CHARS_MAX, COUNTED_CHARS_MAX + 1])
def test_one_long_side_is_enough_for_an_estimate(chars):
    counted = []
    pays("a" * chars, "b", lambda text: counted.append(text) or 1, exact=False)

    assert counted == (["a" * chars, "b"] if chars == COUNTED_CHARS_MAX else [])


@pytest.mark.parametrize("sign", ["a", "7", "{", " ", "\n", "é", "漢", "\ud800", "\x00"])
def test_every_character_counts_for_something(sign):
    assert 0 == estimated_tokens("")
    assert 0 < estimated_tokens(sign * 100) < estimated_tokens(sign * 1_000)


def test_an_exact_text_that_is_clearly_shorter_is_not_even_estimated():
    old = "word " * 100

    assert pays(old, old[: len(old) * 15 // 16 - 1], never, exact=True)
    with pytest.raises(AssertionError):
        pays(old, old[: len(old) * 15 // 16 + 1], never, exact=True)


def test_the_kinds_of_characters_add_up():
    parts = ["ab" * 50, "12" * 50, "{}" * 50, " \n" * 50]

    assert estimated_tokens("".join(parts)) == sum(map(estimated_tokens, parts))


def test_blanks_weigh_least_and_signs_most():
    blank, letter, digit, sign = map(estimated_tokens, (" " * 100, "a" * 100, "1" * 100, "{" * 100))

    assert blank < letter < digit < sign


def test_the_threshold_is_five_percent_and_32_tokens():
    assert (32, 20) == (acceptance.SAVED_TOKENS_MIN, acceptance.SAVED_SHARE_MIN)
