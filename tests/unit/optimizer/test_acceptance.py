"""When a shorter text is taken."""

from __future__ import annotations

import pytest

from korad.optimizer import acceptance
from korad.optimizer.acceptance import COUNTED_CHARS_MAX, Weighed, estimated_tokens


def words(text):
    return len(text.split())


def pays(old, new, count, *, exact):
    return acceptance.pays(Weighed(old, count), Weighed(new, count), exact=exact)


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


def test_of_longer_texts_only_samples_are_counted_where_they_are_clear():
    old, new = "some words of prose " * 1_000, "some words of prose " * 900
    counted = []

    assert pays(old, new, lambda text: counted.append(len(text)) or words(text), exact=False)
    assert not pays(old, old[:-40], words, exact=False)
    assert 2 * COUNTED_CHARS_MAX == sum(counted)


def test_a_text_that_is_plainly_shorter_is_taken_at_a_glance():
    old, shorter = "some words of prose " * 1_000, "some words of prose " * 700
    counted = []

    assert pays(old, shorter, lambda text: counted.append(len(text)) or words(text), exact=False)
    assert COUNTED_CHARS_MAX // 2 == sum(counted)


def test_a_glance_alone_refuses_no_text():
    counted = []

    def count(text):
        """Find what is looked at first, of the old text, as cheap as drawn lines."""
        counted.append(text)
        return 1 if len(counted) <= 2 else words(text)

    assert pays("a " * 20_000, "word " * 5_000, count, exact=False)
    assert 2 * COUNTED_CHARS_MAX == sum(map(len, counted))


def test_what_is_plainly_shorter_must_save_32_tokens_as_well():
    old, new = "some words of prose " * 1_000, "some words of prose " * 700

    assert not pays(old, new, lambda text: 1 if "s" in text else 0, exact=False)


def test_what_an_exact_transform_leaves_out_of_a_long_text_needs_no_samples():
    old, new = "some words of prose " * 1_000, "some words of prose " * 900
    counted = []

    assert pays(old, new, counted.append, exact=True)
    assert pays(old, old[:-40], counted.append, exact=True)
    assert not counted
    assert not pays(new, old, words, exact=True)


def test_what_one_transform_made_is_not_weighed_again_for_the_next():
    counted = []
    texts = ["some words of prose " * times for times in (1_000, 800, 600)]
    first, second, third = (Weighed(text, lambda text: counted.append(text) or 7) for text in texts)
    acceptance.pays(first, second, exact=False)
    acceptance.pays(second, third, exact=False)

    assert 3 * COUNTED_CHARS_MAX == sum(map(len, counted))


def test_in_doubt_a_longer_text_is_counted_whole():
    old, new = "some words of prose " * 400, "some words of prose " * 392
    counted = []

    assert pays(old, new, lambda text: counted.append(text) or words(text), exact=True)
    assert [old, new] == counted[-2:]


def test_in_doubt_the_longest_texts_change_only_if_nothing_can_be_lost():
    old, new = "some words of prose " * 1_000, "some words of prose " * 980
    counted = []

    assert pays(old, new, lambda text: counted.append(text) or words(text), exact=True)
    assert not pays(old, new, words, exact=False)
    assert old not in counted


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("internationalization 7 ", "A 7 ", id="a long word"),
        pytest.param("-" * 40 + " 7 ", "A 7 ", id="a drawn line"),
        pytest.param('"|:}"     \n', '"|:}" ', id="blanks"),
    ],
)
def test_fewer_characters_in_as_many_tokens_are_no_gain(old, new, exact):
    assert not pays(old * 300, new * 300, words, exact=exact)


@pytest.mark.parametrize(
    ("chars", "expected"), [(COUNTED_CHARS_MAX, COUNTED_CHARS_MAX), (3 * COUNTED_CHARS_MAX, 256)]
)
def test_one_long_side_is_enough_for_samples(chars, expected):
    counted = []
    pays("a" * chars, "b", lambda text: counted.append(len(text)) or 1, exact=False)

    assert expected == counted[0]


@pytest.mark.parametrize("sign", ["a", "7", "{", " ", "\n", "é", "漢", "\ud800", "\x00"])
def test_every_character_counts_for_something(sign):
    assert 0 == estimated_tokens("")
    assert 0 < estimated_tokens(sign * 100) < estimated_tokens(sign * 1_000)


def test_the_kinds_of_characters_add_up():
    parts = ["ab" * 50, "12" * 50, "{}" * 50, " \n" * 50]

    assert estimated_tokens("".join(parts)) == sum(map(estimated_tokens, parts))


def test_blanks_weigh_least_and_signs_most():
    blank, letter, digit, sign = map(estimated_tokens, (" " * 100, "a" * 100, "1" * 100, "{" * 100))

    assert blank < letter < digit < sign


def test_the_threshold_is_five_percent_and_32_tokens():
    assert (32, 20) == (acceptance.SAVED_TOKENS_MIN, acceptance.SAVED_SHARE_MIN)
