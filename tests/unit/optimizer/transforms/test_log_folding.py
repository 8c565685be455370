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


@pytest.mark.parametrize(
    "warning",
    ["W0303 09:02:30.000001 7 disk.go:71] is slow", "Timed Out: 7 of 9", "a WARNING of the disk"],
)
def test_warnings_keep_their_neighbours(warning):
    lines = usual()

    made = fold("\n".join([*lines[:150], warning, *lines[150:]]))

    assert "\n".join([lines[149], warning, *lines[150:152]]) in made


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


def logins(lines: int = 600) -> list[str]:
    chance = random.Random(9)
    return [
        f"2031-03-03 10:{n // 60:02}:{n % 60:02} INFO auth user={chance.choice(USERS)} logged in"
        f" from 10.0.0.{chance.randrange(250)}"
        for n in range(lines)
    ]


USERS = ("ann", "bob", "cyd", "dee")


def between(lines: list[str], first: str, last: str) -> list[str]:
    return [line for line in lines if first <= line.split(" ")[1] <= last]


@pytest.mark.parametrize(
    ("question", "first", "last"),
    [
        ("What happened at 10:05?", "10:05:00", "10:05:59"),
        ("What happened at 10:05:07?", "10:05:07", "10:05:07"),
        ("And at 10:02 and 10:05?", "10:05:00", "10:05:59"),
        ("What was there between 10:03:00 and 10:03:05?", "10:03:00", "10:03:05"),
        ("Show 2031-03-03 10:03:10 to 10:04.", "10:03:10", "10:04:59"),
        ("Anything odd from 2031-03-03T10:03 until 2031-03-03T10:04?", "10:03:00", "10:04:59"),
        ("What came 10:03\u201310:04?", "10:03:00", "10:04:59"),
        ("What happened after 10:07?", "10:07:00", "10:09:59"),
        ("What happened at 2031-03-03T10:05?", "10:05:00", "10:05:59"),
        ("What happened before 10:02:30 am?", "10:00:00", "10:02:30"),
        ("Was geschah zwischen 10:03 und 10:04?", "10:03:00", "10:04:59"),
    ],
)
def test_all_lines_of_a_time_that_is_asked_for_stay(question, first, last):
    lines = logins()

    made = fold("\n".join(lines), question=question).split("\n")

    wanted = between(lines, first, last)
    assert wanted
    assert wanted == [line for line in between(made, first, last) if line in set(wanted)]
    assert len(made) < len(lines) - 100


def test_a_span_may_go_over_midnight_and_takes_lines_without_a_time_along():
    lines = [
        f"2031-03-03 {n // 60 % 24:02}:{n % 60:02}:00 INFO stored n" for n in range(0, 1440, 3)
    ]
    lines += [f"2031-03-04 00:{n:02}:00 INFO stored n" for n in range(20)]
    lines.insert(-15, "and more of it")

    made = fold("\n".join(lines), question="What happened between 23:30 and 00:10?").split("\n")

    assert [line for line in lines if " 23:3" in line or " 00:0" in line] == [
        line for line in made if " 23:3" in line or " 00:0" in line
    ]
    assert "and more of it" in made
    assert "2031-03-03 12:00:00 INFO stored n" not in made


@pytest.mark.parametrize(
    "question",
    [
        "List every login of bob.",
        "list the logins of Bob",
        "Which of all bob's logins came from elsewhere?",
        "How many logins did bob have?",
        "Please count the logins of bob",
        "Zeige alle Anmeldungen von bob",
    ],
)
def test_all_lines_of_what_is_asked_for_altogether_stay(question):
    lines = logins()

    made = fold("\n".join(lines), question=question).split("\n")

    assert [line for line in lines if "=bob" in line] == [line for line in made if "=bob" in line]
    assert len(made) < len(lines) // 2


@pytest.mark.parametrize(
    "question",
    [
        "How many users logged in?",
        "Print every line.",
        "Give me all entries and records",
        "Which of all the IPs from auth is new?",
        "What happened before 10:08?",
    ],
)
def test_a_log_of_which_most_is_asked_for_is_not_folded(question):
    text = "\n".join(logins())

    assert fold(text, question=question) is text


@pytest.mark.parametrize(
    "question",
    [
        "Why did all of it stop?",
        "Find the slowest request and the one that got a 502.",
        "Make sure that every user is logged in.",
        f"{'Mind the rules. ' * 30}Show all users. {'Mind the rules. ' * 30}",
        "It is 16:9, see app.py:10:05 for 12:30:45:11",
        "Does node10:05 answer 10.0.0.10:05, and what is 10:75?",
        "What is the count of auth?",
    ],
)
def test_other_questions_keep_no_more_than_the_usual(question):
    lines = logins()

    assert len(fold("\n".join(lines), question=question)) < len("\n".join(lines)) // 5


def test_all_lines_of_a_day_that_is_asked_for_stay():
    lines = [f"2031-03-{n // 60 + 1:02} 10:{n % 60:02}:00 INFO stored n" for n in range(600)]

    made = fold("\n".join(lines), question="What happened on 2031-03-04?").split("\n")

    assert 60 == sum(line.startswith("2031-03-04") for line in made)
    assert len(made) < 80


STAMPS = {
    "apache": '10.1.2.3 - - [03/Mar/2031:10:{m:02}:{s:02} +0000] "GET /a{n} HTTP/1.1" 200 5',
    "basic": "20310303T10{m:02}{s:02}Z INFO stored id={n}",
    "hdfs": "310303 10{m:02}{s:02} 25 INFO dfs.Node: stored blk_{n}",
    "klog": "I0303 10:{m:02}:{s:02}.000001 7 disk.go:71] stored {n}",
    "json": '{{"ts":"2031-03-03T10:{m:02}:{s:02}Z","level":"info","msg":"stored","n":{n}}}',
}


@pytest.mark.parametrize("form", STAMPS.values(), ids=STAMPS)
def test_a_time_is_found_in_stamps_of_many_forms(form):
    lines = [form.format(m=n // 60, s=n % 60, n=n * 7919 % 1009) for n in range(600)]

    made = fold("\n".join(lines), question="What happened at 10:05?").split("\n")

    assert [line for line in lines if line in set(lines[300:360])] == [
        line for line in made if line in set(lines[300:360])
    ]
    assert len(made) < 100


def test_an_entry_of_an_indented_log_is_no_stack_trace():
    lines = [f"  {line.replace('worker', 'w')}" for line in usual()]
    lines[150:150] = ["  2031-03-03T09:02:30Z ERROR cannot store", "      at put (store.x)"]

    made = fold("\n".join(lines)).split("\n")

    assert lines[150:152] == [line for line in made if line in lines[150:152]]
    assert len(made) < 40


def test_records_a_line_each_are_left_to_the_table():
    text = "".join(f'{{"flight": "QX{n}", "to": "LIS", "fare": {n * 7 % 90}}}\n' for n in range(60))

    assert fold(text, question="Which flights go to Lisbon?") is text


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
