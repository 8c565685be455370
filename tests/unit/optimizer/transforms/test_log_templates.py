"""A log as templates: shorter, readable, and every byte can be had back."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import MEDIUM, TOOL, USER, Block
from korad.optimizer.transforms.log_templates import LOG_TEMPLATES

HEAD = re.compile(
    r"\[korad: log shortened without loss\. The next (\d+) lines are templates: a later line that"
    r" begins with a template's name is that template with each (\S+?) filled"
)
REPEATS = re.compile(r"\[korad: the line above repeats (\d+) more times\]")


def shorten(text: str, role: str = TOOL, fence: str | None = None) -> str:
    return LOG_TEMPLATES.apply(Block(text=text, role=role, level=MEDIUM, fence=fence))


def restore(text: str) -> str:
    """Read a shortened log as its first line tells to."""
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(end)
    templates: dict[str, list[str]] = {}
    head = HEAD.match(lines[0])
    if head:
        count, braces = int(head[1]), head[2]
        half = len(braces) // 2
        hole = re.compile(re.escape(braces[:half]) + r"(>?\d*)" + re.escape(braces[half:]))
        for line in lines[1 : count + 1]:
            name, template = line.split(" = ", 1)
            templates[name] = hole.split(template)
        lines = lines[count + 1 :]
    made: list[str] = []
    for line in lines:
        repeats = REPEATS.fullmatch(line)
        name, *words = line.split(" ")
        if repeats:
            made += [made[-1]] * int(repeats[1])
        elif name in templates:
            made.append(filled(templates[name], words))
        else:
            made.append(line)
    return end.join(made)


def filled(parts: list[str], words: list[str]) -> str:
    assert len(parts) == 2 * len(words) + 1
    made = parts[0]
    for word, width, after in zip(words, parts[1::2], parts[2::2], strict=True):
        padded = word.rjust(int(width[1:])) if width[:1] == ">" else word.ljust(int(width or 0))
        made += padded + after
    return made


def clock(place: int) -> str:
    return f"{9 + place // 3600:02}:{place // 60 % 60:02}:{place % 60:02}"


def access(chance: random.Random, place: int) -> str:
    path = chance.choice(["/", "/basket", f"/book/{chance.randrange(999)}"])
    return (
        f"172.16.{chance.randrange(256)}.{chance.randrange(256)} - -"
        f' [03/Mar/2031:{clock(place)} +0100] "GET {path} HTTP/1.1"'
        f' {chance.choice([200, 304])} {chance.randrange(9999)} "-" "Fetcher/2.0 (x; y)"'
        f" rt={chance.random():.3f}"
    )


def service(chance: random.Random, place: int) -> str:
    what = chance.choice([f"Stored {place} rows", "Ping ok", f"Took lease {chance.randrange(99)}"])
    level, name = chance.choice(["INFO", "DEBUG"]), chance.choice(["o.a.Store", "o.a.net.Peer"])
    return f"2031-03-03 {clock(place)}.{place:03} {level:<5} [pool-{place % 7}] {name:<20} : {what}"


def kernel(chance: random.Random, place: int) -> str:
    return (
        f"I0303 {clock(place)}.{chance.randrange(10**6):06} {chance.randrange(10**5):7}"
        f' sync.go:{chance.choice([12, 90])}] "Pod synced" pod="x/web-{chance.randrange(9)}" '
    )


def build(chance: random.Random, place: int) -> str:
    return f"[{place + 1}/900] Building CXX object lib/{chance.choice('abc')}_{place}.cpp.o"


def tracing(chance: random.Random, place: int) -> str:
    return (
        f"  2031-03-03T{clock(place)}.123456Z  INFO {chance.choice(['cart', 'pay'])}::srv:"
        f" handled order {chance.randrange(9999)}"
    )


def machine(chance: random.Random, place: int) -> str:
    return (
        f"- {1131566461 + place} 2031.03.03 dn{chance.randrange(99)} Mar 3 {clock(place)} dn7/dn7"
        f" crond(pam_unix)[{chance.randrange(9999)}]: session opened for user root"
    )


def found(chance: random.Random, place: int) -> str:
    return f"app.log:{place + 7}:2031-03-03 {clock(place)} INFO stored {chance.randrange(999)} rows"


def numbered(chance: random.Random, place: int) -> str:
    return (
        f"{place + 1:6}\t2031-03-03 {clock(place)} INFO stored {chance.randrange(999)} rows of it"
    )


STYLES: list[Callable[[random.Random, int], str]] = [
    *(access, service, kernel, build),
    *(tracing, machine, found, numbered),
]


def log_of(style: Callable[[random.Random, int], str], lines: int = 120) -> str:
    chance = random.Random(style.__name__)
    return "".join(style(chance, place) + "\n" for place in range(lines))


@pytest.mark.parametrize("style", STYLES)
def test_a_log_gets_shorter_and_can_be_restored(style):
    text = log_of(style)

    made = shorten(text)

    assert len(made) < 0.8 * len(text)
    assert text == restore(made)


@pytest.mark.parametrize("style", STYLES)
def test_every_value_still_stands_in_one_piece(style):
    text = log_of(style)

    made = shorten(text)

    values = set(
        re.findall(r"\brt=[\d.]+|/book/\d+|x/web-\d|(?<=[ :T])\d\d:\d\d:\d\d[.\d]*|lib/\S+", text)
    )
    assert values
    assert {value for value in values if value not in made} == set()


def test_a_template_stands_at_the_top_and_its_lines_give_only_their_words():
    lines = [f"2031-03-03 {clock(n)} INFO job seq={n} done in {n * 7 % 50} ms" for n in range(40)]

    made = shorten("\n".join(lines)).split("\n")

    assert "A = 2031-03-03 {} INFO job {} done in {} ms" == made[1]
    assert "A 09:00:05 seq=5 35" == made[7]


def test_errors_and_stack_traces_stay_as_they_are_at_their_place():
    lines = log_of(service).splitlines()
    trace = [
        "2031-03-03 09:00:40.001 ERROR [pool-3] o.a.Store            : Stored 0 rows",
        "java.lang.IllegalStateException: disk 7 is gone",
        "\tat o.a.Store.put(Store.java:71)",
        "\tat o.a.Store.run(Store.java:12)",
        "Caused by: java.io.IOException: no route",
        "\t... 4 more",
    ]
    text = "\n".join([*lines[:40], *trace, *lines[40:]])

    made = shorten(text)

    assert "\n".join(trace) in made
    assert text == restore(made)


def test_equal_lines_in_a_row_are_counted():
    text = log_of(service, 40) + "2031-03-03 10:00:00.000 INFO  waiting for the lock\n" * 30

    made = shorten(text)

    assert "[korad: the line above repeats 29 more times]" in made
    assert text == restore(made)


def test_of_equal_lines_only_those_are_counted_that_pay_wherever_they_stand():
    waits = "2031-03-03 10:00:00.000 INFO  waiting for the lock\n"
    text = waits * 9 + "x\nx\n" + log_of(service, 40) + "\n" * 30 + waits * 12 + "\n" * 200

    made = shorten(text)

    assert [8, 11, 200] == [int(found) for found in REPEATS.findall(made)]
    assert "\nx\nx\n" in made
    assert text == restore(made)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(log_of(access, 10), id="short"),
        pytest.param('{"level": "info", "n": 1}\n' * 60, id="JSON lines"),
        pytest.param(log_of(service).replace("\n", "\r\n", 7), id="two kinds of line ends"),
        pytest.param("x" * 100_000, id="one word"),
        pytest.param("\n" * 100_000, id="line ends"),
    ],
)
def test_other_text_is_left_alone(text):
    assert shorten(text) is text


def test_a_users_log_in_a_fence_is_shortened_but_not_a_users_code():
    text = log_of(access)

    assert text == restore(shorten(text, USER, "log"))
    assert len(shorten(text, USER, "log")) < len(text)
    assert shorten(text, USER, "python") is text


def test_windows_line_ends_and_tabs_are_restored():
    text = log_of(service).replace(" : ", "\t: ").replace("\n", "\r\n")

    made = shorten(text)

    assert len(made) < len(text)
    assert text == restore(made)


def test_lines_that_look_like_templates_or_their_lines_are_not_mistaken_for_them():
    odd = ["A 1 2", "B = {} {}", "A", "C {5} x", "{} {>7} <>"]
    lines = log_of(service).splitlines()
    braces = [f"2031-03-03 {clock(n)} INFO set {{}} to {n} and {{5}} to <{n}>" for n in range(40)]
    text = "\n".join([*lines[:50], *odd, *lines[50:], *braces])

    made = shorten(text)

    assert len(made) < len(text)
    assert text == restore(made)


def test_shortening_twice_changes_nothing_more():
    made = shorten(log_of(access))

    assert made == shorten(made)


WORDS = st.text(st.sampled_from("aB1 .:{}<>=[]\"',/\t\u00e9\u202e\U0001f600"), max_size=12)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(STYLES),
    st.lists(st.tuples(st.integers(0, 60), WORDS, st.integers(0, 12)), max_size=25),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_damaged_log_is_restored_exactly(style, damage, end):
    lines = log_of(style, 60).splitlines()
    for place, words, column in damage:
        line = lines[place % 60]
        parts = line.split(" ")
        parts.insert(column % len(parts), words)
        lines[place % 60] = " ".join(parts)
    text = end.join(lines)

    made = shorten(text)

    assert len(made) <= len(text)
    assert text == restore(made)
    assert made == shorten(text)


def prose() -> str:
    return "".join(
        f"In the year {1800 + n} the town had {n * 17} houses and a mill that {word} wanted.\n"
        for n, word in enumerate(["nobody", "everybody", "a lord", "few", "many", "all"] * 7)
    )


OTHER_TEXT = [
    pytest.param(prose(), id="prose"),
    pytest.param("def f(x):\n    return x + 1\n\n" * 30, id="source"),
    pytest.param("".join(f"    x{n} = call({n}, mode={n})\n" for n in range(60)), id="calls"),
    pytest.param("".join(f"- item {n} is for room {n * 3}\n" for n in range(60)), id="list"),
    pytest.param("".join(f"{n}. Rule {n}: keep {n * 3} apples\n" for n in range(60)), id="rules"),
    pytest.param("id,name\n" + "".join(f"{n},row {n}\n" for n in range(60)), id="CSV"),
    pytest.param("".join(f"| {n} | row {n} | {n * 7} |\n" for n in range(60)), id="table"),
    pytest.param("".join(f"{n:<6}{n * 7:<8}name{n}\n" for n in range(60)), id="columns"),
    pytest.param(
        "".join(f"-rw-r--r-- 1 a a {n:5} Mar  3 09:{n:02} f\n" for n in range(60)), id="ls"
    ),
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
    assert shorten(text, role) is text


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_that_share_few_words_are_left_alone(end):
    chance = random.Random(8)
    text = end.join(f"line {n} = {chance.randrange(10**6)}" for n in range(200))

    assert shorten(text) is text


@pytest.mark.parametrize("word", ["line", "Step", "(page", "worker", "attempt", "#"])
def test_a_number_stays_beside_the_word_that_counts_it(word):
    text = "".join(
        f"2031-03-03 {clock(n)} INFO the importer is done with {word} {n * 7} and goes on\n"
        for n in range(60)
    )

    made = shorten(text)

    assert len(made) < len(text)
    assert text == restore(made)
    assert [n for n in range(60) if f"{word} {n * 7}" not in made] == []


def test_every_line_of_another_wording_is_a_story_and_left_alone():
    letters = "ghijklmnopqrstuvwxyz"
    text = "".join(
        f"2031-03-03 {clock(n)} INFO {letters[n % 20] * (n % 7 + 2)} took {letters[n // 3]} home\n"
        for n in range(60)
    )

    assert shorten(text) is text
