"""Tests of `korad.simulator.words`."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from korad.simulator.words import VOCABULARY, count_words, split_tokens


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("You are a helpful assistant.", 6),
        ("Hello, world!", 4),
        ("Hello! This is a simulated demo answer.", 9),
        ("naïve 東京 🚀", 3),
    ],
)
def test_words_and_marks_count_one_each(text, tokens):
    assert tokens == count_words(text)


@given(st.text(), st.integers(1, 5))
def test_pieces_joined_are_the_text_again(text, size):
    assert text == "".join(split_tokens(text, size))


@given(st.text(alphabet="ab,. \n", min_size=1).filter(lambda text: not text.isspace()))
def test_each_piece_of_one_token_counts_one(text):
    assert [1] * count_words(text) == [count_words(piece) for piece in split_tokens(text)]


def test_pieces_can_hold_several_tokens():
    assert ["one, two", ", three"] == split_tokens("one, two, three", 3)


def test_every_word_the_simulator_invents_with_is_one_token():
    assert {1} == {count_words(word) for word in VOCABULARY}
