"""A folded log: what repeats goes, what stands out stays."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import HIGH, TOOL, USER, Block
from korad.optimizer.transforms.log_folding import LOG_FOLDING

NOTE = re.compile(r"\[korad: (\d+) similar lines left out\]")


def fold(text: str, question: str = "", call: str = "", role: str = TOOL) -> str:
    block = Block(text=text, role=role, level=HIGH, question=question, call=call)
    return LOG_FOLDING.apply(block)


def usual(lines: int = 300) -> list[str]:
    chance = random.Random(4)
    return [
        f"2031-03-03T09:{n // 60:02}:{n % 60:02}Z INFO worker-{n % 3} stored"
        f" id={chance.randrange(16**10):010x} shard={chance.randrange(5)}"
        f" took={chance.uniform(0.1, 0.4):.3f}s"
        for n in range(lines)
    ]


def json_lines(lines: int = 300) -> list[str]:
    chance = random.Random(5)
    return [
        f'{{"ts":"2031-03-03T09:{n // 60:02}:{n % 60:02}Z","level":"info","msg":"stored",'
        f'"ms":{chance.randrange(90)},"trace":"{chance.randrange(16**16):016x}"}}'
        for n in range(lines)
    ]


def test_most_of_a_log_goes_and_notes_count_it():
    lines = usual()

    made = fold("\n".join(lines)).split("\n")

    left_out = sum(int(note[1]) for line in made if (note := NOTE.fullmatch(line)))
    kept = [line for line in made if not NOTE.fullmatch(line)]
    assert len(made) < 30
    assert len(lines) == left_out + len(kept)
    assert kept == [line for line in lines if line in set(kept)]
    assert [*lines[:2], lines[-1]] == [*kept[:2], kept[-1]]


STANDING_OUT = [
    pytest.param("took=0.217s", "took=86.049s", id="a far number"),
    pytest.param("shard=3", "shard=17", id="a rare number"),
    pytest.param("worker-1", "janitor-1", id="a rare word"),
    pytest.param("stored", "lost its lease of", id="a rare message"),
    pytest.param("INFO", "WARN", id="a warning"),
    pytest.param("INFO", "ERROR", id="an error"),
]


@pytest.mark.parametrize(("old", "new"), STANDING_OUT)
def test_a_line_that_stands_out_stays(old, new):
    lines = usual()
    odd = re.sub(re.escape(old).replace(r"0\.217", r"[\d.]+").replace("3", r"\d"), new, lines[157])
    odd = odd.replace("worker-1", new) if "worker" in old else odd
    lines[157] = odd

    made = fold("\n".join(lines))

    assert new in odd
    assert odd in made.split("\n")


@pytest.mark.parametrize(
    ("old", "new"), [('"ms":', '"ms":57'), ('"info"', '"warn"'), ('"stored"', '"merged"')]
)
def test_a_json_line_that_stands_out_stays(old, new):
    lines = json_lines()
    lines[157] = lines[157].replace(old, new).replace('"ms":57', '"ms":57715')

    made = fold("\n".join(lines)).split("\n")

    assert lines[157] in made
    assert len(made) < 40


def test_a_json_line_with_blanks_that_stands_out_stays():
    lines = [line.replace('":', '": ').replace(',"', ', "') for line in json_lines()]
    lines[157] = re.sub(r'"ms": \d+', '"ms": 57715', lines[157])

    made = fold("\n".join(lines)).split("\n")

    assert lines[157] in made
    assert len(made) < 40


def test_errors_keep_their_neighbours_and_stack_traces():
    lines = usual()
    trace = [
        "2031-03-03T09:02:30Z ERROR worker-1 cannot store",
        "Traceback (most recent call last):",
        '  File "/opt/x/store.py", line 71, in put',
        "    disk.write(row)",
        "OSError: [Errno 28] No space left on device",
    ]

    made = fold("\n".join([*lines[:150], *trace, *lines[150:]]))

    assert "\n".join([lines[149], *trace, *lines[150:152]]) in made


def test_server_errors_in_an_access_log_stay():
    chance = random.Random(6)
    lines = [
        f'10.1.2.{chance.randrange(250)} - - [03/Mar/2031:09:00:{n % 60:02} +0000] "GET / HTTP/1.1"'
        f" {503 if n in range(80, 90) else 200} {chance.randrange(9999)}"
        for n in range(300)
    ]

    made = fold("\n".join(lines)).split("\n")

    assert [line for line in lines if '" 503 ' in line] == [
        line for line in made if '" 503 ' in line
    ]


def test_both_sides_of_a_gap_in_a_count_stay():
    lines = [
        f"2031-03-03T09:{n // 60:02}:{n % 60:02}Z INFO written seq={n}"
        for n in range(300)
        if n != 217
    ]

    made = fold("\n".join(lines))

    assert "seq=216\n" in made
    assert "seq=218\n" in made
    assert "seq=120\n" not in made


@pytest.mark.parametrize("where", ["question", "call"])
def test_lines_with_what_is_asked_for_stay(where):
    lines = usual()
    asked = re.search("id=(\\w+)", lines[140])
    assert asked

    made = fold("\n".join(lines), **{where: f"What became of {asked[1]}, did it work?"})

    assert lines[140] in made.split("\n")
    assert lines[140] not in fold("\n".join(lines)).split("\n")


def test_the_greatest_value_stays_when_the_question_asks_for_it():
    lines = usual()
    slowest = max(lines, key=lambda line: float(line.rsplit("=", 1)[1][:-1]))

    assert slowest in fold("\n".join(lines), question="Which was the slowest?").split("\n")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\n".join(usual(12)), id="short"),
        pytest.param("\n".join([*usual(60), "[korad: 3 similar lines left out]"]), id="notes"),
        pytest.param("class A:\n    x = 1\n" * 40, id="source"),
        pytest.param("id,name\n" + "".join(f"{n},row {n}\n" for n in range(60)), id="CSV"),
        pytest.param(
            "total 64\n"
            + "".join(
                f"-rw-r--r-- 1 ann ann {n * 37} Mar  3 09:{n:02} f{n}.txt\n" for n in range(60)
            ),
            id="listing",
        ),
        pytest.param("x" * 100_000, id="one word"),
        pytest.param("\n" * 100_000, id="line ends"),
    ],
)
def test_other_text_is_left_alone(text):
    assert fold(text) is text


def test_a_users_own_prose_is_left_alone():
    text = "Please look at this.\nIt fails at 09:00 and I do not know why.\n" * 30

    assert fold(text, role=USER) is text


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 199), st.text(st.sampled_from("a1 .\"'{}\u202e"), max_size=9)),
        max_size=20,
    )
)
def test_kept_lines_are_lines_of_the_log_in_their_order(damage):
    lines = usual(200)
    for place, words in damage:
        lines[place] = f"{lines[place][:40]} {words} {lines[place][40:]}"

    made = fold("\n".join(lines))

    place = 0
    for line in made.split("\n"):
        note = NOTE.fullmatch(line)
        if note:
            place += int(note[1])
        else:
            assert lines[place] == line
            place += 1
    assert len(lines) == place
    assert made == fold("\n".join(lines))


def prose() -> str:
    return "".join(
        f"In the year {1800 + n} the town had {n * 17} houses and a mill that {word} wanted.\n"
        for n, word in enumerate(["nobody", "everybody", "a lord", "few", "many", "all"] * 7)
    )


def long_listing() -> str:
    lines = [f"-rw-r--r-- 1 ann ann {n * 37:5} Mar  3 09:{n:02} f{n}.txt" for n in range(60)]
    return "total 64\n" + "\n".join(lines)


OTHER_TEXT = [
    pytest.param(prose(), id="prose"),
    pytest.param("def f(x):\n    return x + 1\n\n" * 30, id="source"),
    pytest.param("".join(f"    x{n} = call({n}, mode={n})\n" for n in range(60)), id="calls"),
    pytest.param("".join(f"- item {n} is for room {n * 3}\n" for n in range(60)), id="list"),
    pytest.param("".join(f"{n}. Rule {n}: keep {n * 3} apples\n" for n in range(60)), id="rules"),
    pytest.param("id,name\n" + "".join(f"{n},row {n}\n" for n in range(60)), id="CSV"),
    pytest.param("".join(f"| {n} | row {n} | {n * 7} |\n" for n in range(60)), id="table"),
    pytest.param("".join(f"{n:<6}{n * 7:<8}name{n}\n" for n in range(60)), id="columns"),
    pytest.param(long_listing(), id="ls"),
    pytest.param("".join(f"src/a{n}.py:{n * 3}:    return {n}\n" for n in range(60)), id="grep"),
    pytest.param("".join(f"key{n}: {n * 7}\n" for n in range(60)), id="YAML"),
    pytest.param("".join(f"\tcc -c a{n}.c -o a{n}.o\n" for n in range(60)), id="Makefile"),
    pytest.param(
        "==== 3 failed, 57 passed in 4.1s ====\n"
        + "".join(f"FAILED tests/test_a.py::test_{n} - assert {n} == 7\n" for n in range(30)),
        id="test summary",
    ),
]


@pytest.mark.parametrize("text", OTHER_TEXT)
@pytest.mark.parametrize("role", [TOOL, USER])
def test_what_is_no_log_is_left_alone(text, role):
    assert fold(text, role=role) is text


def test_numbers_written_in_other_ways_do_no_harm():
    lines = usual()
    for place, odd in enumerate(["nan", "inf", "-", "1e999", "0x7", "1.2.3"]):
        lines[20 + place] = lines[20 + place].rsplit("=", 1)[0] + f"={odd}s"

    made = fold("\n".join(lines)).split("\n")

    assert lines[:2] == made[:2]
    assert len(made) < 60
