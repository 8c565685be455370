"""What stands in strings of an earlier message's JSON is pointed to as well."""

from __future__ import annotations

import json  # noqa: TID251 - orjson writes in one way only
import re

import orjson
import pytest

from korad.optimizer import NO_CACHE_POLICY, Chain
from korad.optimizer.seen import Seen
from korad.wire.openai import parse_chat_request

CODE = "\n".join(f'def function_{n}(value):\n    return "{n * 7}" + str(value)' for n in range(60))
NOTE = re.compile(
    r'\[korad: same (\d+) lines as in a string in tool result (\d+) above, from "(.*)" to "(.*)"\]'
)

MORE = "\n".join(f"    row {n}: {n * 13} of a table that is long" for n in range(60))


def wheres(seen, text):
    """Return where runs of a text's lines are found."""
    return {seen.where(place) for _, place in seen.hits(text.split("\n"))}


def sent(*contents, level="medium"):
    messages = [{"role": "user", "content": "Mend it."}]
    for number, content in enumerate(contents):
        function = {"name": "show", "arguments": f'{{"part":{number}}}'}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": content})
    body = parse_chat_request(orjson.dumps({"model": "a/b", "messages": messages}))
    chain = Chain(lambda text: len(text) // 3)
    optimized = chain.run(body, level, NO_CACHE_POLICY)
    raw = body.members["messages"] if optimized is None else optimized.request.members["messages"]
    assert not chain.failures
    return [each["content"] for each in orjson.loads(bytes(raw)) if each["role"] == "tool"]


def shown(text, **more):
    return json.dumps({"path": "a.py", "content": text, **more})


def wrapped(text):
    return json.dumps([{"type": "text", "text": json.dumps({"content": text})}])


@pytest.mark.parametrize("write", [shown, wrapped, json.dumps])
def test_a_plain_text_points_to_the_string_that_says_it(write):
    last = sent(write(CODE), CODE)[1]

    assert last.startswith("[korad: same ")
    assert " a string in tool result 1 above" in last
    assert len(last) < 200


def test_a_string_points_to_the_string_that_says_it():
    last = json.loads(sent(shown(CODE), shown(CODE, lines=120))[1])
    quoted = '"def function_0(value):" to "return "413" + str(value)"'

    assert (
        f"[korad: same 120 lines as in a string in tool result 1 above, from {quoted}]"
        == (last["content"])
    )
    assert last["lines"] == 120


def test_a_string_of_one_line_is_quoted_as_well():
    line = " ".join(f'"{n}" said {n * 7}' for n in range(80))
    last = json.loads(sent(shown(line), shown(line, n=2))[1])

    assert last["content"] == (
        f'[korad: same line as in a string in tool result 1 above, "{line[:29]}..."]'
    )


PROSE = " ".join(f"{n} words of another text that is long." for n in range(40))


@pytest.mark.parametrize(
    "other",
    [
        {"abstract": PROSE, "review": PROSE[::-1]},
        {"input": PROSE + "\n"},
        {"all": [f"{n}\n" + PROSE * 2 for n in range(70)]},
        {"note": "short"},
    ],
    ids=["one line", "passed on", "many", "short"],
)
@pytest.mark.parametrize("last", [CODE, json.dumps({"text": CODE})])
def test_a_string_beside_others_is_known_by_what_it_says(other, last):
    final = sent(json.dumps(other | {"body": CODE + "\n" + CODE[::-1] * 3}), last)[1]
    found = NOTE.search(json.loads(final)["text"] if final[0] == "{" else final)

    assert ("120", "1", "def function_0(value):") == found.groups()[:3]
    assert len(final) < 200


FIRST = CODE.split("\n")[0]


@pytest.mark.parametrize(
    "other",
    [
        {"note": FIRST + "\nx"},
        {"note": FIRST},
        {FIRST: 1},
        {"note": f"  {FIRST}  "},
        {"script": FIRST + "\n" + PROSE},
        {"many": [FIRST + f"\n{n}" + PROSE for n in range(70)]},
        {"deep": json.dumps({"a": json.dumps([json.dumps({"b": "x\n" + FIRST})])})},
    ],
    ids=["short", "line", "key", "indented", "passed on", "many", "deep"],
)
@pytest.mark.parametrize("is_before", [True, False])
def test_no_quotation_stands_in_a_string_that_is_not_indexed(other, is_before):
    body = {"body": f"x\n{CODE}\n" + "y\n" * 9000}
    first = json.dumps(other | body if is_before else body | other)
    seen = Seen()
    seen.add(first, "tool result 1")
    _, place = seen.hits(CODE.split("\n"))[0]
    final = sent(first, "q\n" + CODE)[1].split("\n")

    assert FIRST not in seen.firsts(place)
    assert CODE.split("\n")[1].strip() in seen.firsts(place)
    assert FIRST == final[1]
    assert NOTE.fullmatch(final[2])[3] == 'return "0" + str(value)'


def test_of_indexed_strings_the_first_has_a_quotation():
    seen = Seen()
    seen.add("plain\n" + FIRST + "\n\n\n", "tool result 1")
    seen.add(json.dumps({"a": CODE, "b": f"x\n{CODE}\n"}), "tool result 1")
    _, place = seen.hits(CODE.split("\n"))[0]

    assert place == seen.firsts(place)[FIRST]
    assert place == seen.firsts(place + 130)[FIRST]


def test_what_equals_a_whole_result_points_to_that():
    assert "[korad: same text as tool result 1 above]" == sent(shown(CODE), shown(CODE))[1]


def test_of_a_changed_text_the_lines_that_stayed_are_referred_to():
    changed = CODE.replace('"77" +', '"78" +')
    first, last = sent(shown(CODE), shown(changed))
    lines = json.loads(first)["content"].split("\n")
    restored = []
    for line in json.loads(last)["content"].split("\n"):
        found = NOTE.fullmatch(line)
        if found is None:
            restored.append(line)
            continue
        assert found[2] == "1"
        begin = next(n for n, each in enumerate(lines) if each.strip()[:29] == found[3][:29])
        restored += lines[begin : begin + int(found[1])]

    assert shown(CODE) == first
    assert len(last) < len(first) // 4
    assert changed.split("\n") == restored


def test_a_message_of_several_parts_is_not_any_one_of_them():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    seen.add(CODE[::-1], "tool result 1")

    assert seen.whole(shown(CODE)) is None
    assert seen.whole(CODE[::-1]) is None
    assert seen.whole(CODE) is None


def test_strings_of_different_messages_are_told_apart():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    seen.add(shown(MORE), "tool result 2")

    assert {"a string in tool result 1"} == wheres(seen, CODE)
    assert {"a string in tool result 2"} == wheres(seen, MORE)
    assert seen.whole(shown(MORE)) == "tool result 2"


def test_a_text_is_not_taken_for_the_string_that_says_it_before():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    seen.add(CODE, "user message 1")

    assert seen.whole(CODE) == "user message 1"


def test_strings_take_room():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    before = seen.chars
    seen.whole(CODE)

    assert seen.chars >= before + len(CODE)
