"""How a log's lines are cut into words and the blanks between them."""

from __future__ import annotations

import pytest

from korad.optimizer.logs.spacing import Cutter


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
    found, blanks = Cutter().cut(line)

    assert words == list(found)
    assert gaps == blanks


def test_lines_of_as_many_pieces_keep_their_own_gaps():
    cut = Cutter().cut
    lines = ["a  b c", "a b  c", "aa  b c", "  a b c", "a b c  ", "a   b c", "a  b  c", "a  b c"]

    for line in lines * 2:
        words, gaps = cut(line)
        pieces = [blanks * " " + word for blanks, word in zip(gaps, [*words, ""], strict=True)]
        assert line == "".join(pieces)
        assert ["a", "b", "c"] == [word[:1] for word in words]
