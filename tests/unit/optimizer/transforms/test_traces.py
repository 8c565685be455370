"""Library frames of stack traces are counted, the user's own stay."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import HIGH, TOOL, USER, Block
from korad.optimizer.transforms.traces import STACK_TRACES


def fold(text, **given_):
    return STACK_TRACES.apply(Block(text=text, **({"role": TOOL, "level": HIGH} | given_)))


def java(number, libraries):
    return "\n".join(
        [
            f"java.lang.IllegalStateException: order {number} is closed",
            f"\tat com.acme.Pay.settle(Pay.java:{number})",
            *(f"\tat org.springframework.web.F{n}.go(F{n}.java:{n})" for n in range(libraries)),
            "\tat com.acme.Main.run(Main.java:9)",
            *(f"\tat java.base/java.lang.T{n}.run(T{n}.java:{n})" for n in range(libraries)),
            "Caused by: java.io.IOException: pipe",
            "\t... 23 more",
        ]
    )


LIBRARY_AND_OWN = {
    "java": ("\tat java.base/java.util.A{n}.f(A.java:{n})", "\tat com.acme.X.f(X.java:{n})"),
    "dotnet": ("   at System.Linq.A{n}.F()", "   at Acme.X.F() in /src/X.cs:line {n}"),
    "node": (
        "    at handle (/srv/node_modules/express/a{n}.js:{n}:5)",
        "    at load (/srv/app/a.js:{n}:5)",
    ),
    "python": (
        '  File "/usr/lib/python3.11/site-packages/web/a{n}.py", line {n}, in f\n    g({n})',
        '  File "/srv/app/a.py", line {n}, in f\n    g({n})\n      ^^',
    ),
    "go": (
        "net/http.(*conn).f{n}(0xc0)\n\t/usr/local/go/src/net/http/server.go:{n} +0x1",
        "main.f(0x1)\n\t/srv/app/main.go:{n} +0x1d",
    ),
    "rust": (
        "  {n}: std::panicking::f{n}\n             at /rustc/ab12/library/std/src/p.rs:{n}:5",
        "  {n}: app::f\n             at ./src/main.rs:{n}:5",
    ),
    "ruby": (
        "\tfrom /usr/lib/ruby/gems/3.0/gems/rack/a{n}.rb:{n}:in `call'",
        "\tfrom app/a.rb:{n}:in `f'",
    ),
}
BEGINS = {"go": "panic: boom\n\ngoroutine 1 [running]:", "rust": "stack backtrace:"}


@pytest.mark.parametrize("language", LIBRARY_AND_OWN)
def test_the_first_two_the_last_three_and_the_users_frames_stay(language):
    library, own = LIBRARY_AND_OWN[language]
    begin = BEGINS.get(language, "it went wrong:")
    frames = [(own if n == 20 else library).format(n=n) for n in range(10, 31)]
    indent = frames[0][: len(frames[0]) - len(frames[0].lstrip())]
    expected = [
        begin,
        *frames[:2],
        f"{indent}[korad: 8 frames left out]",
        frames[10],
        f"{indent}[korad: 7 frames left out]",
        *frames[-3:],
        "and ended",
    ]

    assert "\n".join(expected) == fold("\n".join([begin, *frames, "and ended"]))


def test_messages_and_causes_stay():
    shorter = fold(java(17, 12))

    assert "java.lang.IllegalStateException: order 17 is closed" in shorter
    assert "Caused by: java.io.IOException: pipe\n\t... 23 more" in shorter


def test_a_trace_that_repeats_refers_to_the_first():
    text = f"{java(17, 3)}\n{java(17, 3)}"
    again = (
        "\tat com.acme.Pay.settle(Pay.java:17)\n\t[korad: same stack trace as above]\nCaused by:"
    )

    assert 1 == fold(text).count(again)


def test_a_python_trace_that_repeats_shows_its_last_frame():
    frames = [LIBRARY_AND_OWN["python"][1].format(n=n) for n in range(4)]
    trace = "\n".join(["Traceback (most recent call last):", *frames, "ValueError: no"])
    expected = (
        f"{trace}\nTraceback (most recent call last):\n  [korad: same stack trace as above]\n"
        f"{frames[-1]}\nValueError: no"
    )

    assert expected == fold(f"{trace}\n{trace}")


def test_a_frame_that_begins_two_different_traces_refers_to_neither():
    one = "\n".join(["a", *(f"\tat com.acme.X.f(X.java:{n})" for n in (1, 2, 3))])
    two = "\n".join(["b", *(f"\tat com.acme.X.f(X.java:{n})" for n in (1, 2, 4))])
    text = f"{one}\n{two}\n{one}\n{two}"

    assert text is fold(text)


def test_a_recursion_is_counted():
    frame = '  File "/srv/app/a.py", line 3, in f\n    f()'
    text = "\n".join(["Traceback (most recent call last):", *[frame] * 300, "RecursionError: deep"])

    assert "  [korad: 295 frames left out]" in fold(text)
    assert 5 == fold(text).count(frame)


def test_a_frame_that_is_asked_for_stays():
    shorter = fold(java(17, 12), question="what does F7.java do here?")

    assert "\tat org.springframework.web.F7.go(F7.java:7)\n" in shorter
    assert "F5.java" not in shorter


def test_a_users_pasted_trace_is_folded():
    assert "frames left out" in fold(java(17, 12), role=USER, fence="")


@pytest.mark.parametrize(
    "block",
    [
        {"fence": "python"},
        {"call": 'execute_bash {"command": "cat tests/test_log.py"}'},
    ],
)
def test_source_code_that_quotes_a_trace_stays(block):
    text = java(17, 12)

    assert text is fold(text, **block)


def test_a_short_trace_stays():
    text = java(17, 1)

    assert text is fold(text)


def test_text_without_frames_stays():
    text = "we meet at noon (or later)\n  at the gate\n" * 50

    assert text is fold(text)


PIECES = [
    *java(17, 3).split("\n"),
    '  File "a.py", line 1, in f',
    "    x()",
    "goroutine 1 [running]:",
    "main.f()",
    "\t/srv/a.go:1",
    "stack backtrace:",
    "   1: core::f",
    "\tfrom a.rb:1:in `f'",
    "",
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_lines_that_are_no_frames_always_stay(lines):
    text = "\n".join(lines)
    shorter = fold(text)

    assert fold(text) == shorter
    for line in (
        "Caused by: java.io.IOException: pipe",
        "goroutine 1 [running]:",
        "stack backtrace:",
    ):
        assert lines.count(line) == shorter.split("\n").count(line)


@pytest.mark.parametrize(
    "unit", ["\tat ", "\tat (\n", '  File "', "\n ", "goroutine \n", "1: at\n"]
)
def test_a_megabyte_of_one_thing_does_no_harm(unit):
    text = unit * (1_000_000 // len(unit))

    assert len(fold(text)) <= len(text)
