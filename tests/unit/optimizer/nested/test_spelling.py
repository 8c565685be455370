"""Writing a text as a JSON string, in the spelling of another one."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only
import re

import pytest
from hypothesis import given, strategies as st

from korad.optimizer.nested.spelling import respelled

ALL = 'a/b <c> & d "e" \\ é 東 😀 \x1b[0m\x00\x7f\u2028 \t\r\n\b\f \'+=` é'


def ascii_only(text):
    return json.dumps(text)[1:-1]


def plain(text):
    return json.dumps(text, ensure_ascii=False)[1:-1]


def slashed(text):
    return ascii_only(text).replace("/", "\\/")


def safe(text):
    for sign in "<>&\u2028":
        text = text.replace(sign, f"\x02{ord(sign):04x}\x03")
    return re.sub("\x02(....)\x03", r"\\u\1", plain(text).replace("\\u0002", "\x02")
                  .replace("\\u0003", "\x03"))  # fmt: skip


def upper(text):
    written = ascii_only(text).replace('\\"', "\\u0022")
    written = re.sub("[<>&'+`]", lambda found: f"\\u{ord(found[0]):04x}", written)
    return re.sub(r"\\u(....)", lambda found: f"\\u{found[1].upper()}", written)


WRITERS = (ascii_only, plain, slashed, safe, upper)


@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("new", [ALL, ALL[::2], ALL[5:], "", "é", '"\n'])
def test_what_stays_is_spelled_as_it_was(write, new):
    assert write(new) == respelled(write(ALL), ALL, new)


@pytest.mark.parametrize(
    ("source", "new", "expected"),
    [
        ("a\\nb", 'é "x"\\\n\x01', 'é \\"x\\"\\\\\\n\\u0001'),
        ("\\u00e9\\nb", "ü 東 😀 é", "\\u00fc \\u6771 \\ud83d\\ude00 \\u00e9"),
        ("\\u00E9\\nb", "ü 東 😀", "\\u00FC \\u6771 \\uD83D\\uDE00"),
        ("a\\/b", "c/d <é>", "c\\/d <é>"),
        ("\\u003ca\\n", "<b> é", "\\u003cb> é"),
        ("\\u001b[0m\\b", "\x1b\b\x02", "\\u001b\\b\\u0002"),
        ("\\u0008\\u000a", "\b\n", "\\u0008\\u000a"),
    ],
)
def test_what_is_new_is_spelled_alike(source, new, expected):
    assert expected == respelled(source, json.loads(f'"{source}"'), new)


@pytest.mark.parametrize(
    "source", ["a/b\\/c", "é\\u00e9", "\\u00e9\\u00E9", "\\n\\u000a", "\\u0061\\n", "<\\u003c"]
)
def test_what_is_spelled_in_two_ways_cannot_be_written(source):
    assert respelled(source, json.loads(f'"{source}"'), "new") is None


@given(
    old=st.text(alphabet=st.sampled_from(ALL) | st.characters(exclude_categories=["Cs"])),
    new=st.text(alphabet=st.sampled_from(ALL) | st.characters(exclude_categories=["Cs"])),
    write=st.sampled_from([ascii_only, plain, slashed]),
)
def test_any_text_is_read_as_it_was_meant(old, new, write):
    source = write(old)

    assert source == respelled(source, old, old)
    assert new == json.loads(f'"{respelled(source, old, new)}"')
