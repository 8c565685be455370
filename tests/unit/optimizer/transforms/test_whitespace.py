"""What a terminal would not show goes; what has a form keeps it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, strategies as st

from korad.optimizer.base import LOW, TOOL, USER, Block
from korad.optimizer.transforms.whitespace import TIDY_TEXT

ENTRY = "2026-04-03 10:11:{:02d} INFO served {}"
PIECES = (
    *("\x1b[31m", "\x1b[0m", "\x1b]0;title\x07", "\x1b]8;;u\x07", "\x1b]", "\x1b[", "\x1b", "\x07"),
    *("\r", "\n", "\r\n", "  ", " ", "\t", "\n\n\n", "m", "words", "50%", "100% done", "an error"),
)


def log(end="\n", count=12):
    return "".join(ENTRY.format(n, n) + end for n in range(count))


def tidied(text, role=TOOL, fence=None, call=""):
    return TIDY_TEXT.apply(Block(text=text, role=role, level=LOW, fence=fence, call=call))


def as_read(text):
    """Return what is left of a text when all is gone that may go."""
    text = re.sub(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b\][^\x07]*\x07", "", text)
    lines = text.replace("\r\n", "\n").split("\n")
    text = "\n".join(line.rsplit("\r", 1)[-1].rstrip(" \t") for line in lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip("\n")


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        (log().replace("INFO", "\x1b[1;32mINFO\x1b[0m"), log()),
        (log(end="\r\n"), log()),
        (log(end="   \n"), log()),
        (log(end="\t\n"), log()),
        (log(end="\n\n\n\n"), log(end="\n\n")),
        ("\x1b]0;my shell\x07Done here.", "Done here."),
        ("Plain words.\r\nAnd more of them.\r\n", "Plain words.\nAnd more of them.\n"),
        ("Plain words \nand more.\n", "Plain words\nand more.\n"),
        ("Get it\n  0%\r 50%\r100%\nGot it\n", "Get it\n100%\nGot it\n"),
        ("Get it\n  0%\r 50%\r100%\r\nGot it\r\n", "Get it\n100%\nGot it\n"),
        ("[=>   ] 3/9\r[=====>] 9/9 done\n", "[=====>] 9/9 done\n"),
    ],
)
def test_plain_output_is_tidied(text, tidy):
    assert tidy == tidied(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n",
        "\t\n\t \t\t\n\n\n\n \t\n",
        "Nothing to do.\n",
        "  5067165809410791934955906  \n",
        log(),
        'def f():\n    s = """a   \n\n\n\n   b   \n"""\n    return s   \n',
        "all: a.o   \n\tcc -o all a.o\n\n\n\nclean:\n\trm a.o\n",
        "a:\n  cmd: |\n    run   \n\n\n\n      nested\n  list:\n  - b\n",
        "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n ctx   \n-old   \n+old\n",
        'id,note\n0,"x \n y"\n1,z\n2,w\n',
        "a\tb\tc\n0\t\t\n\t246\t  \n1\t\t\n",
        "n1            2  \nn10           3  \nn100          4  \n",
        "HTTP/1.1 200 OK\r\nX-Id: 1\r\n\r\nbody\r\n",
        "Roses are red,  \nViolets are blue,  \n\n\n\nand more\n",
        '{\r\n  "a": 1\r\n}\r\n',
        "<html>\r\n<p>x</p>   \n</html>",
        "├── a\n│   ├── b   \n└── c\n",
        "a\x0bb\x0cc\x1cd\x85e\n" * 9,
        "not a number\r100%\n",
        "an error at 50%\r100%\n",
        "one\rtwo\rthree\rfour",
        "cut \x1b[",
        "a \x1b]8;;https://example.org\x07link\x1b]8;;\x07\r\n",
        "over \x1b\x1b[0m[31m and over",
    ],
)
def test_what_has_a_form_keeps_it(text):
    assert text is tidied(text)


def test_one_line_that_breaks_on_purpose_keeps_all_line_ends():
    assert "One thing  \nand another \nat last.\n" == tidied(
        "One thing  \nand another \nat last.\n"
    )


def test_a_file_that_a_call_shows_is_kept():
    text = "Words \nin a file.\n"

    assert text is tidied(text, call='bash {"command": "cat a.py"}')


@pytest.mark.parametrize("fence", [None, "python", "yaml", "ansi"])
def test_a_users_text_is_kept(fence):
    text = log(end=" \r\n").replace("INFO", "\x1b[1mINFO\x1b[0m")

    assert text is tidied(text, USER, fence)


@pytest.mark.parametrize("fence", ["", "log", "text", "console"])
def test_in_a_users_fenced_output_only_colours_and_progress_go(fence):
    text = log(end=" \r\n").replace("INFO", "\x1b[1mINFO\x1b[0m") + "1%\r2%\r\n\n\n\n"

    assert log(end=" \r\n") + "2%\r\n\n\n\n" == tidied(text, USER, fence)


def test_a_fence_in_a_tools_output_is_kept():
    assert "a \r\n" == tidied("a \r\n", TOOL, "text")


@pytest.mark.parametrize(
    "text",
    [
        " " * 300_000 + "x",
        "\n" * 300_000 + "x",
        "x\r" * 100_000,
        "\x1b[" * 100_000,
        " \n" * 100_000,
    ],
)
def test_absurd_texts_are_done_at_once(text):
    assert as_read(text) == as_read(tidied(text))


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), st.sampled_from([0, 12]))
def test_what_can_be_read_stays(noise, entries):
    text = log(count=entries) + noise
    once = tidied(text)

    assert as_read(text) == as_read(once)
    assert once == tidied(once)
    assert as_read(text) == as_read(tidied(text, USER, "log"))
