"""What an answer's figures look like."""

from __future__ import annotations

import pytest

from korad.wire.figures import billed_line, closing_comment, figure_lines, usd
from korad.wire.sse import event_data


def test_the_documented_figures_look_as_documented():
    lines = figure_lines(10, 10, 0, b"Passthrough (no optimization needed)", b"1.50x")

    assert lines.split(b"\r\n") == [
        b"X-Korad-Original-Tokens: 10",
        b"X-Korad-Optimized-Tokens: 10",
        b"X-Korad-Savings-USD: $0.000000",
        b"X-Korad-Strategy: Passthrough (no optimization needed)",
        b"X-Korad-Profit-Margin: 1.50x",
        b"",
    ]
    assert billed_line(57_000) == b"X-Korad-Billed-Amount: $0.000057\r\n"


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, b"$0.000000"),
        (499, b"$0.000000"),
        (500, b"$0.000000"),
        (501, b"$0.000001"),
        (1_500, b"$0.000002"),
        (-1_000, b"-$0.000001"),
        (123_456_789_012_345_678, b"$123456789.012346"),
    ],
)
def test_an_amount_has_six_decimals_half_even(nano_usd, text):
    assert text == usd(nano_usd)


def test_the_closing_comment_is_an_event_that_parsers_ignore():
    comment = closing_comment(57_000, -1_000, "req_1")

    assert comment == b": korad billed=$0.000057 savings=-$0.000001 request_id=req_1\n\n"
    assert event_data(comment) == b""
