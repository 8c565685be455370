"""The chain: what it changes in a request, what it remembers, what it calls what it did."""

from __future__ import annotations

from collections import Counter

import msgspec
import orjson
import pytest

from korad.optimizer import (
    LEVELS,
    NO_CACHE_POLICY,
    PASSTHROUGH,
    CachePolicy,
    Chain,
    TokenCounter,
    context as context_module,
)
from korad.optimizer.base import HIGH, LOW, MEDIUM, Transform
from korad.optimizer.chain import (
    CACHE_MARKS,
    INLINE_MESSAGES_MAX,
    MASKING,
    TOOL_DESCRIPTIONS,
)
from korad.optimizer.forms import INLINE_BYTES_MAX
from korad.optimizer.masking import MASK_NOTE
from korad.wire.openai import parse_chat_request

PROSE = "word " * 100
FILE = "\n".join(f"    value_{number} = compute(number={number})" for number in range(60))
MARKS = CachePolicy(marks=True, tool_marks=True, minimum_tokens=1_024)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look",
            "description": "Look something up.",
            "parameters": {
                "type": "object",
                "title": "LookParameters",
                "properties": {
                    "where": {
                        "type": "string",
                        "title": "Where",
                        "description": "The shelf. Librarians have used it for many years.",
                    }
                },
            },
        },
    }
]


def words(text):
    return len(text.split())


def cut(block):
    return block.text[: len(block.text) // 2]


def cutting(name="Cut", level=LOW, **fields):
    return Transform(name=name, level=level, apply=cut, **fields)


class Counting:
    """A transform that halves a text and keeps what it was given."""

    def __init__(self):
        self.texts = []
        self.transform = Transform(name="Count", level=LOW, apply=self.apply)

    def apply(self, block):
        self.texts.append(block.text)
        return cut(block)


def user(content):
    return {"role": "user", "content": content}


def assistant(content):
    return {"role": "assistant", "content": content}


def result(call_id, content):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def calling(call_id):
    calls = [{"id": call_id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def request(*messages, **members):
    return parse_chat_request(orjson.dumps({"model": "a/b", "messages": messages, **members}))


def raw_request(messages):
    """Return a request with these bytes for messages, even such as parsing would refuse."""
    parsed = request(user("Hello"))
    return msgspec.structs.replace(
        parsed, members=parsed.members | {"messages": msgspec.Raw(messages)}
    )


def chain_of(*transforms):
    return Chain(words, transforms, ())


def sent(optimized):
    return orjson.loads(bytes(optimized.request.members["messages"]))


def texts_after(chain, *messages, level="medium"):
    """Return the contents that go upstream."""
    optimized = chain.run(request(*messages), level)
    final = messages if optimized is None else sent(optimized)
    return [message["content"] for message in final]


# when there is nothing to do


def test_a_pass_through_has_the_documented_name():
    assert PASSTHROUGH == "Passthrough (no optimization needed)"


def test_off_changes_nothing():
    chain = chain_of(cutting())

    assert chain.look_up(request(user(PROSE), tools=TOOLS), "off", MARKS) is None
    assert chain.run(request(user(PROSE), tools=TOOLS), "off") is None


@pytest.mark.parametrize("level", LEVELS)
def test_a_prompt_with_nothing_to_gain_stays_as_it_is(level):
    assert Chain(words).run(request(user("Hello"), assistant(PROSE), user(PROSE)), level) is None


@pytest.mark.parametrize("level", LEVELS)
def test_short_messages_are_not_even_looked_up(level):
    assert Chain(words).look_up(request(user("Hello")), level, NO_CACHE_POLICY) is None


@pytest.mark.parametrize("messages", [b"{}", b'"hello"', b"[]", b"[[]]", b"[1,2]"])
def test_messages_that_are_none_are_left_to_others(messages):
    assert Chain(words).run(raw_request(messages), "extreme", MARKS) is None


@pytest.mark.parametrize("role", ["system", "developer", "assistant", "critic", "User", ""])
@pytest.mark.parametrize("level", LEVELS)
def test_only_users_and_tools_texts_change(role, level):
    message = {"role": role, "content": f"```json\n{FILE}\n```\n"}
    chain = Chain(words, [cutting(), cutting("Exact", exact=True)])

    assert chain.run(request(message, message, user("Hello")), level) is None


# what is done


@pytest.mark.parametrize("role", ["user", "tool", "function"])
def test_a_text_of_a_user_or_a_tool_changes(role):
    message = {"role": role, "content": PROSE}
    optimized = chain_of(cutting()).run(request(message), "low")

    assert [message | {"content": PROSE[: len(PROSE) // 2]}] == sent(optimized)


def test_the_strategy_names_what_changed_something_and_the_level():
    def on(word):
        return lambda block: cut(block) if block.text.startswith(word) else block.text

    chain = chain_of(
        Transform(name="A", level=LOW, apply=on("a")),
        Transform(name="B", level=LOW, apply=on("b")),
        Transform(name="C", level=LOW, apply=on("c")),
    )

    assert "B (low)" == chain.run(request(user("b " * 199)), "low").strategy
    messages = user("c " * 199), user("a " * 199), user("c " * 198)
    assert "C + A (extreme)" == chain.run(request(*messages), "extreme").strategy


@pytest.mark.parametrize(("level", "names"), [("low", "A"), ("medium", "A + B"), ("high", "A + B")])
def test_a_level_includes_those_below(level, names):
    chain = chain_of(cutting("A"), cutting("B", MEDIUM))
    prose = PROSE * 4

    assert f"{names} ({level})" == chain.run(request(user(prose)), level).strategy


def test_everything_that_is_not_shortened_keeps_its_bytes():
    first = b'{"content":"caf\\u00e9 \\/", "role":"user","x":[1.10, 1E400,123456789012345678901]}'
    odd = b'{"role":"user","content":{"text":"\\u00e9 %b"}}' % PROSE.encode()
    null = b'{"role":"assistant", "content":null}'
    long = b'{"role":"user","x":1.10,"content":"%b","y":"\\u00e9"}' % PROSE.encode()
    body = raw_request(b"[%b, %b,\n%b,%b]" % (first, odd, null, long))
    optimized = chain_of(cutting()).run(body, "low")
    half = PROSE[: len(PROSE) // 2].encode()

    assert bytes(optimized.request.members["messages"]) == b"[%b,%b,%b,%b]" % (
        first, odd, null, b'{"role":"user","x":1.10,"content":"%b","y":"\\u00e9"}' % half,
    )  # fmt: skip
    assert body.raw == optimized.request.raw
    assert ("a/b", False) == (optimized.request.model, optimized.request.stream)


ODD_MESSAGES = [
    b'{"role":"user","content":null,"x":"%b"}',
    b'{"role":"user","content":[],"x":"%b"}',
    b'{"role":"user","content":7,"x":"%b"}',
    b'{"role":"user","content":{"text":"%b"}}',
    b'{"role":"user","content":["%b"]}',
    b'{"role":"user","content":[{"type":"text","text":["%b"]}]}',
    b'{"role":"user","content":[{"type":"refusal","text":"%b"}]}',
    b'{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"%b"}}]}',
    b'{"role":"user","content":[{"type":"image_url","image_url":{"url":"%b"}}]}',
    b'{"role":"tool","content":"%b","tool_call_id":7}',
    b'{"role":"tool","content":"%b","tool_calls":{}}',
    b'{"role":"user","role":"assistant","content":"%b"}',
    b'{"role":"user","content":"%b","content":null}',
    b'{"role":"user","content":' + b"[" * 500 + b'"%b"' + b"]" * 500 + b"}",
    b'{"role":"user","content":[1e999,"%b"]}',
]


@pytest.mark.parametrize("odd", ODD_MESSAGES)
@pytest.mark.parametrize("level", ["low", "extreme"])
def test_a_message_of_an_odd_shape_goes_on_as_it_came(odd, level):
    message = odd % PROSE.encode()
    chain = chain_of(cutting())
    body = raw_request(b'[%b,{"role":"user","content":"%b"}]' % (message, PROSE.encode()))
    optimized = chain.run(body, level, MARKS)

    assert bytes(optimized.request.members["messages"]).startswith(b"[" + message + b',{"role":')
    assert not chain.failures


def test_the_clients_request_stays_as_it_was():
    body = request(user(PROSE), tools=TOOLS)
    before = dict(body.members)
    chain_of(cutting()).run(body, "high")

    assert before == body.members


# what is remembered


def test_a_message_is_dealt_with_once():
    counting = Counting()
    chain = chain_of(counting.transform)
    chain.run(request(user(PROSE)), "low")
    again = chain.look_up(request(user(PROSE)), "low", NO_CACHE_POLICY)
    optimized = chain.run(request(user(PROSE), assistant("ok"), user(PROSE + "!")), "low")

    assert 1 == len(again.forms)
    assert again.is_quick
    assert [PROSE, PROSE + "!"] == counting.texts
    assert PROSE[: len(PROSE) // 2] == sent(optimized)[0]["content"]


def test_what_stays_as_it_is_is_remembered_too():
    given = []
    chain = chain_of(
        Transform(name="None", level=LOW, apply=lambda b: given.append(b.text) or b.text)
    )
    for _ in range(3):
        assert chain.run(request(user(PROSE)), "low") is None

    assert given == [PROSE]


def test_a_remembered_form_is_told_by_the_strategy():
    chain = chain_of(cutting())
    first, second = (chain.run(request(user(PROSE)), "low") for _ in range(2))

    assert "Cut (low)" == first.strategy == second.strategy
    assert first.request.members == second.request.members


@pytest.mark.parametrize(
    "other", [[user("x"), user(PROSE)], [user(PROSE + " ")], [result("c", PROSE)]]
)
def test_a_form_is_for_the_same_message_after_the_same_messages(other):
    counting = Counting()
    chain = chain_of(counting.transform)
    chain.run(request(user(PROSE)), "low")
    chain.run(request(*other), "low")

    assert 2 == len(counting.texts)


def test_a_form_is_for_one_level():
    chain = chain_of(cutting("High", HIGH))

    assert chain.run(request(user(PROSE)), "low") is None
    assert "High (high)" == chain.run(request(user(PROSE)), "high").strategy
    assert chain.run(request(user(PROSE)), "medium") is None


def test_messages_do_not_run_into_each_other():
    counting = Counting()
    chain = chain_of(counting.transform)
    chain.run(raw_request(b'[{"role":"user","content":"%b"},{"role":"x"}]' % PROSE.encode()), "low")
    chain.run(raw_request(b'[{"role":"user","content":"%b"}]' % PROSE.encode()), "low")
    chain.run(raw_request(b'[{"role":"x"},{"role":"user","content":"%b"}]' % PROSE.encode()), "low")

    assert 2 == len(counting.texts)


def conversation(turns, topic="t"):
    """Return a loop that reads one file, in two versions, again and again."""
    messages = [user(f"Mend {topic}.")]
    for turn in range(turns):
        version = FILE.replace("value_7 ", f"value_{turn % 2} ")
        messages += [calling(f"c{turn}"), result(f"c{turn}", f"turn {turn} of {topic}\n{version}")]
    return messages


def test_a_later_copy_points_to_the_earlier_one():
    texts = texts_after(Chain(words), *conversation(2))

    assert FILE.split("\n")[-1] in texts[2]
    assert "as in tool result 1 above" in texts[4]


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_each_request_of_a_loop_begins_as_the_one_before(level):
    messages, chain = conversation(8), Chain(words)
    whole = texts_after(Chain(words), *messages, level=level)

    for end in range(1, len(messages) + 1):
        assert whole[:end] == texts_after(chain, *messages[:end], level=level)


def test_what_is_forgotten_is_done_again_in_the_same_way(monkeypatch):
    messages = conversation(8)
    expected = texts_after(Chain(words), *messages)
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 1)
    chain = Chain(words)

    for end in range(1, len(messages) + 1):
        assert expected[:end] == texts_after(chain, *messages[:end])


def test_two_branches_of_a_conversation_do_not_mix():
    trunk = conversation(3)
    left = [*trunk, user("left"), calling("l"), result("l", f"left\n{FILE}\n{PROSE}left")]
    right = [*trunk, user("right"), calling("r"), result("r", f"right\n{PROSE}left\n{FILE}")]
    alone = [texts_after(Chain(words), *branch) for branch in (left, right)]
    chain = Chain(words)
    texts_after(chain, *trunk)

    for end in range(len(trunk) + 1, len(left) + 1):
        assert alone[0][:end] == texts_after(chain, *left[:end])
        assert alone[1][:end] == texts_after(chain, *right[:end])
    assert alone[0] == texts_after(chain, *left)


def test_a_conversation_taken_up_in_its_middle_gives_the_same():
    messages = conversation(6)
    expected = texts_after(Chain(words), *messages)
    chain = Chain(words)
    texts_after(chain, *messages)

    for end in (5, 9, 3, len(messages)):
        assert expected[:end] == texts_after(chain, *messages[:end])


def test_a_large_item_that_goes_on_is_not_taken_for_the_same():
    numbers = b",".join(b"%d" % number for number in range(1_000, 2_000))
    message = b'{"role":"user","content":"%b"}' % PROSE.encode()
    chain = chain_of(cutting())
    chain.run(raw_request(b"[%b,%b]" % (message, numbers)), "low")
    optimized = chain.run(raw_request(b"[%b,%b0]" % (message, numbers)), "low")

    assert bytes(optimized.request.members["messages"]).endswith(b",%b0]" % numbers)


# what may be done on the event loop


def draft_of(chain, *messages, level="medium", **members):
    return chain.look_up(request(*messages, **members), level, NO_CACHE_POLICY)


@pytest.mark.parametrize(
    ("chars", "is_quick"),
    [(INLINE_BYTES_MAX - 100, True), (INLINE_BYTES_MAX, False), (500_000, False)],
)
def test_what_is_new_and_short_is_quick(chars, is_quick):
    draft = draft_of(Chain(words), user("x" * chars))

    assert is_quick is draft.is_quick


def test_what_is_known_costs_nothing():
    chain = chain_of(cutting())
    old = user(PROSE * 200)
    chain.run(request(old), "medium")

    assert draft_of(chain, old).is_quick
    assert draft_of(chain, old, assistant("ok"), user("And now, what is to be done?")).is_quick
    assert not draft_of(chain, old, assistant("ok"), user("y" * 100_000)).is_quick


def test_a_conversation_whose_context_is_forgotten_is_not_quick(monkeypatch):
    monkeypatch.setattr(context_module, "CONTEXT_CHARS_MAX", 1)
    chain = chain_of(cutting())
    old = user(PROSE * 200)
    chain.run(request(old), "medium")

    assert draft_of(chain, old).is_quick
    assert draft_of(chain, old, assistant("ok")).is_quick
    assert not draft_of(chain, old, assistant("ok"), user("And what now? " * 80)).is_quick


@pytest.mark.parametrize("policy", [NO_CACHE_POLICY, MARKS])
def test_many_new_messages_are_not_looked_at_on_the_event_loop(policy):
    messages = [user(PROSE)] + [user("Hi")] * INLINE_MESSAGES_MAX
    more = request(*messages)
    chain = chain_of(cutting())

    assert not chain.look_up(more, "medium", policy, at_once=True).is_quick
    assert not chain.look_up(more, "medium", policy, at_once=True).keys
    assert chain.look_up(more, "medium", policy).keys
    assert chain.look_up(request(*messages[:-1]), "medium", policy, at_once=True).keys


@pytest.mark.parametrize(("policy", "is_quick"), [(NO_CACHE_POLICY, True), (MARKS, False)])
def test_many_known_messages_are_looked_at_for_marks_elsewhere(policy, is_quick):
    prompt = request(user(PROSE), *[user("Hi")] * INLINE_MESSAGES_MAX)
    chain = chain_of(cutting())
    chain.run(prompt, "medium", policy)

    assert is_quick is chain.look_up(prompt, "medium", policy, at_once=True).is_quick


def test_notes_count_messages_that_cannot_be_read():
    odd = {"role": "tool", "content": {"rows": 1}}
    texts = texts_after(Chain(words), result("a", "short"), odd, *conversation(2))

    assert "as in tool result 3 above" in texts[6]


def test_tools_that_are_new_are_not_quick():
    chain = Chain(words)

    assert not draft_of(chain, user("Hello"), level="high", tools=TOOLS).is_quick
    chain.run(request(user("Hello"), tools=TOOLS), "high")
    assert draft_of(chain, user("Hello"), level="high", tools=TOOLS).is_quick
    assert not draft_of(chain, user("Hello"), level="extreme", tools=TOOLS).is_quick


# tools, masks, marks


@pytest.mark.parametrize(("level", "changes"), [("medium", False), ("high", True)])
def test_tools_are_shortened_from_high_on(level, changes):
    optimized = Chain(words).run(request(user("Hello"), tools=TOOLS), level)

    assert changes is (optimized is not None)
    if optimized is not None:
        assert f"{TOOL_DESCRIPTIONS} ({level})" == optimized.strategy
        (tool,) = orjson.loads(bytes(optimized.request.members["tools"]))
        assert "many years" not in orjson.dumps(tool).decode()
        assert "look" == tool["function"]["name"]
        assert [user("Hello")] == sent(optimized)


@pytest.mark.parametrize("tools", [None, 7, {}, [], [7], [{"type": "function"}], ["x" * 99]])
def test_tools_of_an_odd_shape_stay_as_they_are(tools):
    assert Chain(words).run(request(user("Hello"), tools=tools), "extreme") is None


def test_no_tools_may_be_said_by_null():
    chain = Chain(words)

    assert chain.look_up(request(user("Hello"), tools=None), "high", NO_CACHE_POLICY) is None
    assert chain.run(request(user("Hello"), tools=None), "extreme") is None
    assert not chain.failures


def test_tools_that_cannot_be_shortened_are_counted_once():
    chain = Chain(words)
    for _ in range(2):
        assert chain.run(request(user("Hello"), tools={"a": 1}), "high") is None

    assert Counter({TOOL_DESCRIPTIONS: 1}) == chain.failures


def long_loop(turns):
    messages = [user("Go on.")]
    for turn in range(turns):
        content = f"{turn} " + "unlike the others " * 300
        messages += [calling(f"c{turn}"), result(f"c{turn}", content)]
    return messages


@pytest.mark.parametrize(("level", "masks"), [("high", False), ("extreme", True)])
def test_old_tool_results_are_masked_at_extreme_only(level, masks):
    messages = long_loop(90)
    optimized = chain_of(cutting("Never", HIGH + 2)).run(request(*messages), level)

    assert masks is (optimized is not None)
    if optimized is not None:
        assert f"{MASKING} (extreme)" == optimized.strategy
        final = sent(optimized)
        assert MASK_NOTE == final[2]["content"]
        assert messages[-1] == final[-1]
        assert [m | {"content": 0} for m in messages] == [m | {"content": 0} for m in final]


def test_only_what_is_longer_than_the_note_is_masked():
    messages = long_loop(90)
    image = {"type": "image_url", "image_url": {"url": "https://x"}}
    parts = [{"type": "text", "text": text} for text in ("short", PROSE)]
    messages[2] = result("c0", [*parts, image, *parts])
    messages[4] = result("c1", "x" * 190)
    final = sent(chain_of().run(request(*messages), "extreme"))

    assert [parts[0], {"type": "text", "text": MASK_NOTE}] == final[2]["content"][:2]
    assert image == final[2]["content"][2]
    assert messages[4] == final[4]
    assert MASK_NOTE == final[6]["content"]


def test_marks_for_the_cache_come_last_and_are_named():
    turns = [user(PROSE * 20), assistant("ok"), user("and?"), assistant("ok"), user("so?")]
    optimized = chain_of(cutting()).run(request(*turns), "low", MARKS)
    marked = bytes(optimized.request.members["messages"]).count(b'"cache_control"')

    assert f"Cut + {CACHE_MARKS} (low)" == optimized.strategy
    assert 1 <= marked <= 4


def test_a_message_that_cannot_be_marked_is_counted_and_goes_on(monkeypatch):
    def broken(*_args):
        raise LookupError("broken")

    monkeypatch.setattr("korad.optimizer.chain.plan", broken)
    chain = chain_of(cutting())

    assert "Cut (low)" == chain.run(request(user(PROSE)), "low", MARKS).strategy
    assert Counter({CACHE_MARKS: 1}) == chain.failures


# what fails


def broken(_block):
    raise LookupError("broken")


def test_a_transform_that_raises_is_counted_and_the_others_run():
    chain = chain_of(Transform(name="Broken", level=LOW, apply=broken), cutting())

    assert "Cut (low)" == chain.run(request(user(PROSE), user(PROSE)), "low").strategy
    assert Counter({"Broken": 2}) == chain.failures


def test_a_failure_outside_of_the_transforms_leaves_the_rest_as_it_came(monkeypatch):
    chain = chain_of(cutting())

    def breaks(_self, message):
        if message.texts() == ["poison " * 99]:
            raise LookupError("broken")

    monkeypatch.setattr(context_module.Context, "open", breaks)
    messages = user(PROSE), user("poison " * 99), user(PROSE)
    optimized = chain.run(request(*messages), "low")

    assert [user(PROSE[: len(PROSE) // 2]), *messages[1:]] == sent(optimized)
    assert 1 == sum(chain.failures.values())


@pytest.mark.parametrize("level", ["low", "medium", "high"])
@pytest.mark.parametrize("transforms", [(), (cutting(),)], ids=["as it came", "shortened"])
def test_what_is_counted_goes_on_from_turn_to_turn_though_the_marks_move(transforms, level):
    chain, counter = chain_of(*transforms), TokenCounter(str.split)
    begun = b""
    for turns in range(3, 9):
        messages = [user(PROSE * 20), *conversation(turns)]
        optimized = chain.run(request(*messages, tools=TOOLS), level, MARKS)

        assert CACHE_MARKS in optimized.strategy
        assert b"cache_control" in bytes(optimized.request.members["messages"])
        assert b"cache_control" not in optimized.unmarked
        assert optimized.unmarked.startswith(begun)
        assert counter.count_prompt(optimized.request, optimized.unmarked) == TokenCounter(
            str.split
        ).count_prompt(optimized.request)
        begun = optimized.unmarked[:-1]
