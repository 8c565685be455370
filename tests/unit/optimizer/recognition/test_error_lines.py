"""Lines that speak of an error are found among others as each alone."""

from __future__ import annotations

from hypothesis import given, strategies as st

from korad.optimizer.recognition.error_lines import Lines, are_error_lines, is_error_line

WORDS = st.sampled_from(
    [
        *(
            "error",
            "IOError",
            "no errors",
            "0 failed",
            "xfail",
            "fail",
            "couldn't",
            "can't",
            "scan't",
        ),
        *("deadlock", "backoff", "ReadTimeout", "exit code 1", "exit: 0", "not found", "timed out"),
        *("error=0", "\u212aill", "\u0130", "failé", "out of memory", "caused by", "OOM", "_"),
        *("scan't", ":", "x"),
    ]
)
LINES = st.lists(st.lists(WORDS, max_size=5).map(" ".join), max_size=7)


@given(LINES)
def test_lines_are_told_as_each_alone(lines):
    assert list(map(is_error_line, lines)) == are_error_lines(lines)


@given(LINES)
def test_the_lines_with_some_words_are_found(lines):
    parts = ["timed out", "rror", "can't", "killed"]
    wanted = {n for n, line in enumerate(lines) if any(part in line.lower() for part in parts)}

    assert wanted == Lines(lines).with_any(parts)
