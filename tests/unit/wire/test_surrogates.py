"""Half surrogate pairs in JSON become U+FFFD; whole ones, and what only looks like one, stay."""

from __future__ import annotations

import json  # noqa: TID251 - reads half pairs
import re

import msgspec
import pytest
from hypothesis import given, strategies as st

from korad.wire.surrogates import ESCAPES_MAX, without_half_pairs

HIGH, LOW, PAIR = r"\ud83d", r"\uDE00", r"\uD83D\ude00"
HALF = re.compile("[\ud800-\udfff]")


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (HIGH, r"\ufffd"),
        (LOW, r"\ufffd"),
        (PAIR, PAIR),
        (HIGH + PAIR, r"\ufffd" + PAIR),
        (PAIR + LOW, PAIR + r"\ufffd"),
        (LOW + HIGH, r"\ufffd\ufffd"),
        (HIGH + r"\u0041", r"\ufffd\u0041"),
        (r"C:\\" + HIGH, r"C:\\\ufffd"),
        (r"\\ud83d", r"\\ud83d"),
        (r"\u00e9 \n \\u", r"\u00e9 \n \\u"),
        (r"\\ud83d\ude00", r"\\ud83d\ufffd"),
        (r"\\\\" + HIGH, r"\\\\\ufffd"),
        (r"\\" * 40 + HIGH, r"\\" * 40 + HIGH),
        (r"\u0041" * ESCAPES_MAX + HIGH, r"\u0041" * ESCAPES_MAX + HIGH),
        ("", ""),
    ],
)
def test_halves_are_replaced(text, mended):
    assert mended.encode() == without_half_pairs(text.encode())


@given(
    st.lists(
        st.sampled_from([HIGH, LOW, PAIR, r"\n", r"\u00e9", "a", "ud83d", r"\"", r"\\"]), max_size=8
    )
)
def test_what_is_mended_is_what_an_encoder_would_write(pieces):
    spelled = f'"{"".join(pieces)}"'
    mended = msgspec.json.decode(without_half_pairs(spelled.encode()))

    assert HALF.sub("\ufffd", json.loads(spelled)) == mended
