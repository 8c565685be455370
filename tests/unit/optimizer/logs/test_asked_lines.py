"""Which lines are of a time that a question names, however they write it."""

from __future__ import annotations

import pytest

from korad.optimizer.logs.asked_lines import asked_lines


@pytest.mark.parametrize(
    "line",
    [
        "10:05 up",
        "2031-03-03 10:05:59,120 up",
        "[03/Mar/2031:10:05:02 +0000] up",
        "20310303T100500 up",
        "310303 100530 up",
        "E0303 10:05:00.123 up",
    ],
)
def test_a_line_of_the_minute_is_asked_for(line):
    assert {1} == asked_lines("What happened at 10:05?", ["09:00:00 a", line, "10:06:00 b"])


@pytest.mark.parametrize("line", ["took 1:10:05:07", "x 9.10:05", "7:10:05", "id 310303 100530x"])
def test_what_only_looks_like_a_time_is_none(line):
    assert set() == asked_lines("What happened at 10:05?", ["09:00:00 a", line, "10:06:00 b"])
