"""A command's long output loses its middle, and nothing that matters in it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import EXTREME, HIGH, TOOL, USER, Block
from korad.optimizer.transforms.truncation import TRUNCATION

VERBS = ("measured", "noticed", "wrote", "moved", "counted", "reached", "opened", "skipped")
PLACES = ("the harbour", "a quiet lane", "some old mill", "the north gate", "its second floor")


def prose(count):
    """Lines of one kind of talk, each of another shape."""
    return [
        f"{VERBS[n % 8].capitalize()} {PLACES[n * 3 % 5]} and {VERBS[n * 5 % 7]} "
        + "again " * (n % 4)
        + f"for party {n}"
        for n in range(count)
    ]


def block(text, **given_):
    defaults = {"role": TOOL, "level": HIGH, "call": 'execute_bash {"command": "./survey"}'}
    return Block(text=text, **(defaults | given_))


def cut(text, **given_):
    return TRUNCATION.apply(block(text, **given_))


def test_the_first_sixty_and_the_last_thirty_lines_stay():
    lines = prose(300)

    assert "\n".join([*lines[:60], "[korad: 210 lines left out]", *lines[-30:]]) == cut(
        "\n".join(lines)
    )


def test_a_line_break_at_the_end_stays_and_is_no_line():
    lines = prose(300)
    shorter = cut("\n".join(lines) + "\n")

    assert shorter.endswith(lines[-1] + "\n")
    assert "[korad: 210 lines left out]" in shorter


def test_an_error_stays_with_the_line_before_and_two_after():
    lines = prose(300)
    lines[150] = "fatal: the survey lost its map"
    shorter = cut("\n".join(lines)).split("\n")

    assert lines[149:153] == shorter[61:65]
    assert "[korad: 89 lines left out]" == shorter[60]
    assert "[korad: 117 lines left out]" == shorter[65]


def test_what_is_indented_below_an_error_stays_with_it():
    lines = prose(300)
    lines[150:155] = [
        "Traceback (most recent call last):",
        "  at one",
        "  at two",
        "  at three",
        "x",
    ]
    shorter = cut("\n".join(lines))

    assert "\n  at one\n  at two\n  at three\n[korad:" in shorter


@pytest.mark.parametrize(
    "asked",
    [
        {"question": "what did party 171 do?"},
        {"question": 'look for "for party 171"'},
        {"call": 'execute_bash {"command": "./survey --party 171"}'},
    ],
)
def test_what_is_asked_for_by_name_stays(asked):
    lines = prose(300)

    assert f"\n{lines[171]}\n" in cut("\n".join(lines), **asked)


@pytest.mark.parametrize(
    "call",
    [
        "",
        'execute_bash {"command": "cat notes"}',
        'execute_bash {"command": "cd a && sed -n 1,400p notes"}',
        'str_replace_editor {"command": "view", "path": "notes"}',
        'open {"path": "notes", "line_number": 3}',
        'execute_bash {"command": "survey --help"}',
        'execute_bash {"command": "curl https://example.org/notes"}',
        'execute_bash {"command": "grep -rn party ."}',
        'execute_bash {"command": "find . -newer x"}',
        'search_notes {"query": "party"}',
    ],
)
def test_what_was_asked_for_as_a_whole_stays_whole(call):
    text = "\n".join(prose(300))

    assert text is cut(text, call=call)


def test_a_pipe_into_cat_or_head_shows_no_file():
    text = "\n".join(prose(300))

    assert text != cut(text, call='execute_bash {"command": "./survey 2>&1 | cat"}')


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(f"src/part_{n}.py:{n}:    return {n}" for n in range(300)),
        "\n".join(f"def f{n}(x):\n    return x + {n}\n" for n in range(300)),
        "[\n" + ",\n".join(f'  {{"n": {n}}}' for n in range(300)) + "\n]",
        "n,name,place\n" + "\n".join(f"{n},a{n},b{n}" for n in range(300)),
        "\n".join(f"2026-01-02 03:04:{n % 60:02} INFO worker did {n}" for n in range(300)),
        "\n".join([*prose(150), "[korad: 3 lines left out]", *prose(150)]),
    ],
    ids=["matches", "source", "json", "csv", "log", "noted"],
)
def test_other_kinds_of_text_stay_whole_at_high(text):
    assert text is cut(text)


def test_a_users_text_stays_whole():
    text = "\n".join(prose(300))

    assert text is cut(text, role=USER, call="")


def test_a_list_is_cut_at_extreme():
    text = "\n".join(prose(300))
    call = 'execute_bash {"command": "find . -name party"}'

    assert text is cut(text, call=call)
    assert "[korad: 210 lines left out]" in cut(text, call=call, level=EXTREME)


def test_one_huge_line_keeps_its_beginning_and_its_end_at_extreme():
    text = "START " + "word " * 10_000 + "END"
    shorter = cut(text, level=EXTREME)

    assert text is cut(text)
    assert text[:4_000] + "[korad: 44009 characters left out]" + text[-2_000:] == shorter


@pytest.mark.parametrize(
    "line",
    ["A" * 50_000, "[" + "1, " * 20_000 + "1]", "word " * 5_000 + "error: x " + "word " * 5_000],
    ids=["no words", "json", "error"],
)
def test_one_huge_line_of_another_kind_stays(line):
    assert line is cut(line, level=EXTREME)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([*prose(6), "error: x", "", "\t"]), max_size=400))
def test_every_line_that_stays_is_one_of_the_texts_and_errors_stay(lines):
    text = "\n".join(lines)
    shorter = cut(text)

    assert cut(text) == shorter
    assert lines.count("error: x") == shorter.split("\n").count("error: x")
    assert set(lines or [""]) >= {x for x in shorter.split("\n") if not x.startswith("[korad:")}
    assert len(shorter) <= len(text)


@pytest.mark.parametrize("unit", ["x", "\n", " ", "[", "error\n", "a b\n"])
def test_a_megabyte_of_one_thing_does_no_harm(unit):
    text = unit * (1_000_000 // len(unit))

    assert len(cut(text, level=EXTREME)) <= len(text)
