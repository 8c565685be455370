"""A menu that stands a second time goes, a form leaves a note, and nothing else is touched."""

from __future__ import annotations

import pytest

from korad.optimizer.html.again import without_said_again
from korad.optimizer.html.marks import AGAIN, TARGET

NAMES = ("ann", "bob", "eve", "joe")
FIRST = "\n".join(f"- [{name}]({TARGET}/{name})" for name in NAMES)
SECOND = "\n".join(f"- {AGAIN}{name}{AGAIN}" for name in NAMES)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (f"text\n{SECOND}\nend", "text\nend"),
        (f"text\n\n{SECOND}\n\nend", "text\n\nend"),
        (f"text\n{SECOND}", "text"),
        (f"text\n- close\n{SECOND}\n- live", "text\n- close\n- live"),
        (f"text\n- [new]({TARGET}/n)\n\n{SECOND}", f"text\n- [new]({TARGET}/n)\n"),
        (f"text\n{SECOND}\n\n- [new]({TARGET}/n)", f"text\n\n- [new]({TARGET}/n)"),
    ],
)
def test_a_menu_given_before_goes(second, expected):
    assert f"{FIRST}\nmid\n{expected}" == without_said_again(f"{FIRST}\nmid\n{second}")


def test_a_menu_on_one_line_goes_too():
    first = " ".join(f"[{name}]({TARGET}/{name})" for name in NAMES)
    second = " ".join(f"{AGAIN}{name}{AGAIN}" for name in NAMES)

    assert f"{first}\nmid\nend" == without_said_again(f"{first}\nmid\n{second}\nend")


def test_the_labels_of_a_menu_go_with_it():
    first = f"- People\n{FIRST.replace('- ', '  - ')}"
    second = f"- People\n{SECOND.replace('- ', '  - ')}"

    assert f"{first}\nmid\nend" == without_said_again(f"{first}\nmid\n{second}\nend")


@pytest.mark.parametrize(
    "second",
    [
        f"## New\n\n{SECOND}",
        f"Banned:\n{SECOND}",
        f"- New\n{SECOND.replace('- ', '  - ')}",
        "\n".join(SECOND.split("\n")[:3]),
        "\n".join(reversed(SECOND.split("\n"))),
        SECOND.replace(f"{AGAIN}bob{AGAIN}", "bob"),
        SECOND.replace(f"{AGAIN}bob{AGAIN}", f"{AGAIN}bob{AGAIN} left"),
        f"{SECOND}\n- [new]({TARGET}/n)",
        f"- [new]({TARGET}/n)\n{SECOND}",
        f"{SECOND}\n  - new",
        f"{SECOND}\n{SECOND.replace('ann', 'ned')}",
    ],
    ids=[
        *("heading", "label", "parent", "few links", "other order", "no link", "more words"),
        *("one more", "one before", "one below", "longer"),
    ],
)
def test_what_is_no_whole_menu_given_before_stays(second):
    text = f"{FIRST}\nmid\n{second}"

    assert text == without_said_again(text)


def test_a_part_of_a_menu_is_no_menu():
    text = f"{FIRST}\n- [new]({TARGET}/n)\nmid\n{SECOND}"

    assert text == without_said_again(text)


def test_rows_of_a_table_stay():
    row = f"| {AGAIN}ann{AGAIN} | {AGAIN}bob{AGAIN} |"
    text = f"| [ann]({TARGET}/a) | [bob]({TARGET}/b) |\n{row}\n{row}\n{row}"

    assert text == without_said_again(text)


FORM = f"[form GET {TARGET}/find]\nFor [input name=q] [button: Go]"
NOTE = f"[form GET {TARGET}/find: as above]"


def test_a_form_that_stands_twice_leaves_a_note():
    assert f"{FORM}\nmid\n{NOTE}\nend" == without_said_again(f"{FORM}\nmid\n{FORM}\nend")
    assert f"{FORM}\nmid\n{NOTE}\nmid\nend" == without_said_again(f"{FORM}\nmid\n{FORM}\nmid\nend")


@pytest.mark.parametrize(
    "other",
    [
        FORM + "\n[hidden name=id value=2]",
        f"[form GET {TARGET}/find]\n[hidden name=id value=2]",
        FORM.replace("/find", "/search"),
        FORM.replace("name=q", "name=p"),
    ],
)
def test_a_form_with_another_field_or_target_is_another_form(other):
    text = f"{FORM}\nmid\n{other}"

    assert text == without_said_again(text)
