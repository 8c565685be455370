"""How a log's lines are cut into words and the blanks between them."""

from __future__ import annotations

import pytest

from korad.optimizer.logs.spacing import cut


@pytest.mark.parametrize(
    ("line", "words", "gaps"),
    [
        ("a", ["a"], (0, 0)),
        ("a b c", ["a", "b", "c"], (0, 1, 1, 0)),
        (" a  b ", ["a", "b"], (1, 2, 1)),
        ("a\tb  c", ["a\tb", "c"], (0, 2, 0)),
        ("   a", ["a"], (3, 0)),
        ("", [], (0,)),
        ("  ", [], (2,)),
    ],
)
def test_words_and_the_blanks_around_them(line, words, gaps):
    assert ([tuple(words)], [gaps]) == cut([line])


def written(words, gaps):
    """Put a line together again."""
    return "".join(blanks * " " + word for blanks, word in zip(gaps, [*words, ""], strict=True))


def test_lines_of_as_many_pieces_keep_their_own_gaps():
    lines = ["a  b c", "a b  c", "aa  b c", "  a b c", "a b c  ", "a   b c", "a  b  c", "a  b c"]

    found, blanks = cut(lines * 2)

    assert lines * 2 == list(map(written, found, blanks))
    assert [["a", "b", "c"]] * 16 == [[word[:1] for word in words] for words in found]


def test_lines_are_told_in_their_order_whatever_their_length():
    lines = ["one", "", "one two", " one", "one two three", "   ", "two", "one  two", "two  two"]

    found, blanks = cut(lines)

    assert lines == list(map(written, found, blanks))
    assert [line.split() for line in lines] == list(map(list, found))
    assert cut([]) == ([], [])
