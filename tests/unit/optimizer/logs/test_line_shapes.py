"""What is masked in a log's lines: two lines are of one shape as the patterns here have it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from korad.optimizer.logs.line_shapes import mask, mask_coarsely

FINE = re.compile(
    r"\"[^\"\n]*[\d/][^\"\n]*\"|'[^'\n]*[\d/][^'\n]*'"
    r"|(?<![\w.:/@%+-])[\w.:/@%+-]*\d[\w.:/@%+-]*| {2,}"
)
COARSE = re.compile(
    r"\"[^\"\n]*\"(?!:)|'[^'\n]*'|(?<![^\s\"'])\S*[\d./_]\S*|\b(?:TRACE|DEBUG|INFO)\b| {2,}"
)
PIECES = st.sampled_from(
    [
        *("a", "Bé", " ", "  ", "\t", "\n", '"', "'", "0", "17", "\u0663", "/", ".", "_", ":", "="),
        *("-", "@", "%", "+", "(", "]", "INFO", " DEBUG ", '"key":', "TRACE2", "\u00b2"),
    ]
)
LINES = st.lists(PIECES, max_size=40).map("".join)


@pytest.mark.parametrize(
    ("line", "fine", "coarse"),
    [
        ("took 17ms at a/b.c", "took \0 at a/b.c", "took \0 at \0"),
        ("job-7:done  (4 of x1y)", "\0\0(\0 of \0)", "\0\0\0 of \0"),
        ('say "no" or "in /tmp"', 'say "no" or \0', "say \0 or \0"),
        ("it's INFO now", "it's INFO now", "it's \0 now"),
        ("INFO now", "INFO now", "\0 now"),
    ],
)
def test_what_is_masked(line, fine, coarse):
    assert (fine, coarse) == (mask(line), mask_coarsely(line))


@given(LINES)
def test_lines_of_one_shape_are_those_of_the_slow_patterns(text):
    assert groups(FINE.sub("\0", text)) == groups(mask(text))
    assert groups(COARSE.sub("\0", text)) == groups(mask_coarsely(text))


def groups(masked):
    """Return for each line which is the first one like it."""
    lines = masked.split("\n")
    return [lines.index(line) for line in lines]
