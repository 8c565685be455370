"""What stands earlier in the prompt is pointed to, and can be put back word for word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings, strategies as st

from korad.optimizer.base import LEVELS, MARK, MEDIUM, TOOL, USER, Block
from korad.optimizer.seen import Seen
from korad.optimizer.transforms.duplicates import DUPLICATES, refer

_WHOLE = re.compile(r"\[korad: same text as (.+) above\]")
_LINE = re.compile(r'\[korad: same line as in (.+?) above, "(.*)"\]')
_LINES = re.compile(r'\[korad: same (\d+) lines as in (.+?) above, from "(.*?)" to "(.*)"\]')


def tool(text: str) -> Block:
    return Block(text=text, role=TOOL, level=MEDIUM)


def user(text: str, fence: str | None) -> Block:
    return Block(text=text, role=USER, level=MEDIUM, fence=fence)


def seen_with(*texts: str) -> Seen:
    seen = Seen()
    for n, text in enumerate(texts, 1):
        seen.add(text, f"tool result {n}")
    return seen


def function(name: str, lines: int) -> str:
    body = (f"    {name}_{n} = compute({n}, of={name!r}, precision=0.{n})" for n in range(lines))
    return "\n".join([f"def {name}():", *body, f"    return {name}_0"])


def sent(texts: list[str]) -> list[str]:
    """Return the texts, each a tool's, as they go upstream."""
    seen, out = Seen(), []
    for n, text in enumerate(texts, 1):
        out.append(refer(tool(text), seen))
        seen.add(out[-1], f"tool result {n}")
    return out


def expanded(upstream: list[str]) -> list[str]:
    """Return the texts that a reader of notes puts together, who looks at nothing else."""
    return [_expanded(text, upstream) for text in upstream]


def _expanded(text: str, upstream: list[str]) -> str:
    whole = _WHOLE.fullmatch(text)
    if whole:
        text = _message(whole[1], upstream)

        assert "[korad: same" not in text
        return text
    out: list[str] = []
    for line in text.split("\n"):
        one, many = _LINE.fullmatch(line), _LINES.fullmatch(line)
        if one:
            out += _copied(_message(one[1], upstream), 1, one[2], one[2])
        elif many:
            out += _copied(_message(many[2], upstream), int(many[1]), many[3], many[4])
        else:
            out.append(line)
    return "\n".join(out)


def _message(where: str, upstream: list[str]) -> str:
    return upstream[int(where.removeprefix("tool result ")) - 1]


def _copied(text: str, count: int, first: str, last: str) -> list[str]:
    lines = text.split("\n")
    start = next(n for n, line in enumerate(lines) if _reads(line, first))
    copied = lines[start : start + count]

    assert count == len(copied)
    assert _reads(copied[-1], last)
    assert not any(MARK in line for line in copied)
    return copied


def _reads(line: str, quotation: str) -> bool:
    line = line.strip()
    if len(line) <= 32:
        return line == quotation
    return quotation == line[:29] + "..."


def test_it_is_one_of_the_medium_level() -> None:
    assert ("Duplicate reference", "medium") == (DUPLICATES.name, LEVELS[DUPLICATES.level])
    assert refer is DUPLICATES.refer


def test_an_equal_text_becomes_one_note() -> None:
    source = function("area", 20)

    assert "[korad: same text as tool result 2 above]" == refer(
        tool(source), seen_with("ok", source)
    )


def test_what_was_edited_stays_between_two_notes() -> None:
    source = function("area", 30)
    edited = source.replace("area_15 = compute", "area_15 = guess")
    head = "same 16 lines as in tool result 1 above"
    tail = "same 15 lines as in tool result 1 above"

    shorter = refer(tool(edited), seen_with(source))

    assert [
        f'[korad: {head}, from "def area():" to "area_14 = compute(14, of=\'are..."]',
        "    area_15 = guess(15, of='area', precision=0.15)",
        f'[korad: {tail}, from "area_16 = compute(16, of=\'are..." to "return area_0"]',
    ] == shorter.split("\n")


def test_one_long_line_is_pointed_to_alone() -> None:
    row = '{"id": 7, "text": "' + "word " * 80 + '"}'

    above, note = refer(tool(f"a\n{row}"), seen_with(f"{row}\nb")).split("\n")

    assert "a" == above
    assert (
        '[korad: same line as in tool result 1 above, "{"id": 7, "text": "word word ..."]' == note
    )


def test_a_text_that_stands_nowhere_above_is_the_same_object() -> None:
    text = function("area", 20)

    assert text is refer(tool(text), Seen())
    assert text is refer(tool(text), seen_with(function("volume", 20)))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("x" * 299, id="too short"),
        pytest.param("\n" * 2000, id="blank lines"),
        pytest.param("    \n" * 2000, id="blanks"),
        pytest.param("\n".join(f"{n}" for n in range(20)), id="few characters"),
    ],
)
def test_what_a_note_would_cost_more_than_is_left_alone(text: str) -> None:
    longer = f"{text}\nand an end of its own"

    assert longer is refer(tool(longer), seen_with(text))


def test_a_short_equal_text_is_left_alone() -> None:
    text = "y" * 299

    assert text is refer(tool(text), seen_with(text))


def test_the_first_quoted_line_leads_to_the_right_place() -> None:
    first, second = function("area", 12), function("volume", 12)
    earlier = f"# same\n{first}\n# same\n{second}"

    above, note, below = refer(tool(f"# same\n{second}\nend"), seen_with(earlier)).split("\n")

    assert ("# same", "end") == (above, below)
    assert note.startswith('[korad: same 14 lines as in tool result 1 above, from "def volume')


@pytest.mark.parametrize(
    "line",
    [
        pytest.param('say "a" to "b"', id="reads in two ways"),
        pytest.param("\u202egnp.exe", id="right to left"),
        pytest.param("\x1b[31mred", id="control"),
        pytest.param("", id="blank"),
        pytest.param("```python", id="fence"),
    ],
)
def test_a_line_that_cannot_be_quoted_stays_in_full(line: str) -> None:
    source = function("area", 20)
    both = f"{line}\n{source}\n{line}"

    above, note, below, end = refer(tool(f"{both}\nend"), seen_with(both)).split("\n")

    assert (line, line, "end") == (above, below, end)
    assert _LINES.fullmatch(note)


def test_line_ends_of_windows_and_tabs_come_back() -> None:
    source = "\r\n".join(f"\t{n}\tvalue of row number {n}" for n in range(30))
    texts = [source, f"{source}\r\nlast"]

    upstream = sent(texts)

    assert texts == expanded(upstream)
    assert len(upstream[1]) < len(source) // 4


def test_a_reference_is_never_what_another_one_points_to() -> None:
    source = function("area", 30)
    edited = source.replace("area_15 = compute", "area_15 = guess")
    texts = [source, edited, edited, f"{edited}\n"]

    upstream = sent(texts)

    assert texts == expanded(upstream)
    assert upstream[1] == upstream[2]
    assert all("tool result 1" in text for text in upstream[1:])


def test_a_mark_that_somebody_typed_leaves_the_text_alone() -> None:
    source = function("area", 20)
    typed = f"[korad: same text as tool result 9 above]\n{source}"

    assert typed is refer(tool(typed), seen_with(source))


def test_a_line_with_a_mark_is_not_pointed_to() -> None:
    above = [f"line {n} of the first half, which is long enough" for n in range(10)]
    below = [f"line {n} of the second half, which is long enough" for n in range(10)]
    earlier = "\n".join([*above, "[korad: 3 lines left out]", *below])

    shorter = refer(tool("\n".join([*above, *below])), seen_with(earlier))

    assert [10, 10] == [int(count) for count in re.findall(r"same (\d+) lines", shorter)]


def test_a_text_with_a_reference_is_not_pointed_to_as_a_whole() -> None:
    upstream = "[korad: same text as tool result 1 above]\n" + function("row", 20)

    assert upstream is refer(tool(upstream), seen_with("ok", upstream))


def test_of_two_equal_texts_the_first_is_pointed_to() -> None:
    text = function("area", 20)

    assert "[korad: same text as tool result 1 above]" == refer(tool(text), seen_with(text, text))


def test_a_text_with_other_notes_is_pointed_to_as_a_whole_only() -> None:
    table = "[korad: table of 40 rows]\n" + function("row", 40)

    assert "[korad: same text as tool result 1 above]" == refer(tool(table), seen_with(table))
    assert f"{table}\n" == refer(tool(f"{table}\n"), seen_with(table))


def test_part_of_a_message_is_not_called_the_same_text() -> None:
    source = function("area", 20)
    seen = Seen()
    seen.add(source, "user message 1")
    seen.add("and a second part", "user message 1")

    assert refer(tool(source), seen).startswith("[korad: same 22 lines as in user message 1 above")


def test_a_quoted_line_is_looked_for_in_all_parts_of_a_message() -> None:
    seen = Seen()
    seen.add("def area():", "user message 1")
    seen.add(function("area", 20), "user message 1")

    assert refer(tool(function("area", 20)), seen).startswith("def area():\n[korad: same 21 lines")


def test_what_was_added_after_a_look_is_found_by_the_next() -> None:
    first, second = function("area", 20), function("volume", 20)
    seen = seen_with(first)

    assert second is refer(tool(second), seen)
    seen.add(second, "tool result 2")
    assert MARK in refer(tool(second), seen)
    assert MARK in refer(tool(first), seen)


def test_a_users_prose_stays_and_what_was_pasted_goes() -> None:
    rules = "\n".join(f"Rule {n}: always answer politely and at length." for n in range(12))
    source = function("area", 20)
    seen = seen_with(rules, source)

    assert rules == refer(user(rules, fence=None), seen)
    assert MARK in refer(user(rules, fence=""), seen)
    assert MARK in refer(user(source, fence="python"), seen)
    assert MARK in refer(user(f"{source}\n\n", fence=None), seen)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\n" * 100_000, id="one line"),
        pytest.param("a\nb\n" * 50_000, id="two lines"),
        pytest.param("".join(f"{n % 7}\n" for n in range(100_000)), id="seven lines"),
        pytest.param("\n".join(f"{n * n % 3}" for n in range(100_000)), id="three lines"),
        pytest.param(("\x01" + "q" * 150 + "\n") * 5_000, id="lines not to be quoted"),
        pytest.param("[korad: \n" * 20_000, id="marks"),
        pytest.param("z" * 1_000_000, id="one word"),
    ],
)
@pytest.mark.timeout(5)
def test_texts_made_to_be_slow_are_not(text: str) -> None:
    texts = [text, text[1:], text + "end", text[len(text) // 3 :]]

    upstream = sent(texts)

    if MARK not in text:
        assert texts == expanded(upstream)
    assert all(len(new) <= len(old) for new, old in zip(upstream, texts, strict=True))


_ODD_LINES = ["", "}", "\t", 'a" to "b', 'from "x" to "y"', "```", "\r", "\x85", "…"]


def _file(step: int, period: int) -> list[str]:
    """Return 80 lines, of which `period` differ and every seventh is an odd one."""
    rows = (n * step % period for n in range(80))
    return [
        f"{' ' * (row % 5)}row {row} of the values" + " and more" * (row % 7 * 3)
        if n % 7
        else _ODD_LINES[row % len(_ODD_LINES)]
        for n, row in enumerate(rows)
    ]


_FILES = [_file(1, 80), _file(1, 31), _file(3, 9), [f"{n}:" for n in range(80)]]


@st.composite
def _conversations(draw: st.DrawFn) -> list[str]:
    """Texts put together of pieces of the same few files, as an agent reads them."""
    texts = []
    for _ in range(draw(st.integers(2, 5))):
        lines: list[str] = []
        for _ in range(draw(st.integers(1, 3))):
            start, stop = draw(st.integers(0, 79)), draw(st.integers(1, 80))
            lines += draw(st.sampled_from(_FILES))[min(start, stop) : max(start, stop)]
            lines += draw(st.lists(st.sampled_from(_ODD_LINES), max_size=1))
        texts.append("\n".join(lines))
    return texts


@settings(deadline=None, max_examples=200)
@given(_conversations())
def test_the_notes_say_all_that_was_replaced(texts: list[str]) -> None:
    assert texts == expanded(sent(texts))


@settings(deadline=None, max_examples=50)
@given(_conversations())
def test_a_longer_conversation_begins_as_the_shorter_one(texts: list[str]) -> None:
    assert all(sent(texts)[:t] == sent(texts[:t]) for t in range(len(texts)))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=400), max_size=4))
def test_any_text_is_taken(texts: list[str]) -> None:
    marked = [MARK in text for text in texts]
    upstream = sent(texts * 2)

    assert any(marked) or texts * 2 == expanded(upstream)
    assert all(len(new) <= len(old) for new, old in zip(upstream, texts * 2, strict=True))
