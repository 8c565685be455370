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

    assert "[korad: same text as a string in tool result 1 above]" == last["content"]
    assert last["lines"] == 120


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
    assert seen.whole(CODE) == "a string in tool result 1"


def test_strings_of_different_messages_are_told_apart():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    seen.add(shown(CODE[5:]), "tool result 2")

    assert seen.whole(CODE) == "a string in tool result 1"
    assert seen.whole(CODE[5:]) == "a string in tool result 2"
    assert seen.whole(shown(CODE[5:])) == "tool result 2"


def test_strings_take_room():
    seen = Seen()
    seen.add(shown(CODE), "tool result 1")
    before = seen.chars
    seen.whole(CODE)

    assert seen.chars >= before + len(CODE)
