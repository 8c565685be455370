"""Where the provider's cache is asked for, and when."""

from __future__ import annotations

import importlib.resources

import msgspec
import orjson
import pytest

from korad.domain.value import Fact
from korad.optimizer.caching.breakpoints import NO_CACHE_POLICY, CachePolicy, plan
from korad.optimizer.caching.prefix_memory import CACHE_TTL_MS, PrefixMemory
from korad.providers.anthropic import AnthropicDialect
from korad.providers.anthropic_models import CapabilityTable
from korad.providers.base import Target
from korad.wire.openai import parse_chat_request

MARKS = CachePolicy(marks=True, tool_marks=True, minimum_tokens=1_024)
KEY = CachePolicy(key=True)
MARKER = {"type": "ephemeral"}
LONG = "Answer in plain words. " * 200
SYSTEM = {"role": "system", "content": LONG}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}


class View(Fact, frozen=True):
    role: str
    raw: bytes


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def call(call_id):
    function = {"name": "look", "arguments": "{}"}
    calls = [{"id": call_id, "type": "function", "function": function}]
    return {"role": "assistant", "content": None, "tool_calls": calls}


def result(call_id, content="found"):
    return {"role": "tool", "tool_call_id": call_id, "content": content}


class Proxy:
    """Plans one request after the other with one memory; shows which messages are marked."""

    def __init__(self, policy=MARKS, memory=None):
        self.policy = policy
        self.memory = memory or PrefixMemory()
        self.now_ms = 1_000_000

    def plan(self, messages, *, tenant="vk_a", after_ms=1_000, **members):
        self.now_ms += after_ms
        return plan(
            [View(role=m.get("role", ""), raw=orjson.dumps(m)) for m in messages],
            {"model": b'"anthropic/claude"', **{n: orjson.dumps(v) for n, v in members.items()}},
            self.policy,
            self.memory,
            tenant,
            self.now_ms,
        )

    def marked(self, messages, **options):
        found = self.plan(messages, **options)
        return [] if found is None else sorted(found.messages)

    def new(self, messages, at, **options):
        """Return message `at` as it would go upstream."""
        return orjson.loads(self.plan(messages, **options).messages[at])


def a_loop(turns, opening="task", system=SYSTEM):
    """Return the requests of an agent's loop: each is the one before and one more turn."""
    messages = [system, user(opening)]
    requests = [list(messages)]
    for turn in range(turns):
        messages += [call(f"c{turn}"), result(f"c{turn}", f"found {turn}")]
        requests.append(list(messages))
    return requests


def under_way(turns=2, newest="what next?"):
    return [
        SYSTEM,
        *(m for turn in range(turns) for m in (user(f"{turn}?"), assistant(f"{turn}!"))),
        user(newest),
    ]


# --- when ---------------------------------------------------------------------------------------


def test_a_destination_without_a_cache_to_ask_for_gets_nothing():
    assert Proxy(NO_CACHE_POLICY).plan(under_way()) is None
    assert not NO_CACHE_POLICY.is_used
    assert MARKS.is_used
    assert KEY.is_used


def test_a_one_shot_request_is_not_marked():
    assert Proxy().plan([SYSTEM, user("a")]) is None


def test_a_one_shot_request_with_one_tool_call_behind_it_is_not_marked():
    assert Proxy().plan([SYSTEM, user("a"), call("c"), result("c", LONG)]) is None


def test_a_conversation_seen_before_is_marked_from_its_second_request():
    proxy = Proxy()
    first, second, third = a_loop(2)

    assert [] == proxy.marked(first)
    assert [0, 1, 3] == proxy.marked(second)
    assert [0, 3, 5] == proxy.marked(third)


def test_the_first_request_is_marked_once_such_conversations_went_on():
    proxy = Proxy()
    for request in a_loop(2, "one"):
        proxy.plan(request)

    assert [0, 1] == proxy.marked(a_loop(0, "two")[0])


def test_another_tenant_learns_for_itself():
    proxy = Proxy()
    for request in a_loop(2, "one"):
        proxy.plan(request)

    assert [] == proxy.marked(a_loop(0, "two")[0], tenant="vk_b")


def test_one_shot_requests_unlearn_what_conversations_taught():
    proxy = Proxy()
    for number in range(20):
        for request in a_loop(1, f"loop {number} {LONG}", {"role": "system", "content": "Hi"}):
            proxy.plan(request)
    singles = [a_loop(0, f"{n} {LONG}", {"role": "system", "content": "Hi"})[0] for n in range(40)]
    marked = [bool(proxy.marked(request)) for request in singles]

    assert marked[0]
    assert sum(marked) < 16
    assert not any(marked[-20:])


def test_other_messages_between_the_same_first_and_last_are_another_prompt():
    proxy = Proxy()
    requests = [[user("Read this."), user("x" * n + LONG), user("Sum it up.")] for n in range(6)]

    assert [[]] * 6 == [proxy.marked(request) for request in requests]


def test_an_unknown_conversation_is_marked_from_its_second_answer():
    assert [0, 3, 5] == Proxy().marked(under_way(2))


def test_transcripts_that_never_go_on_are_soon_left_alone():
    proxy = Proxy()
    marked = [
        bool(proxy.marked([user(f"{n}?"), assistant("a"), user("b"), assistant("c"), user(LONG)]))
        for n in range(40)
    ]

    assert marked[0]
    assert not any(marked[-20:])


def test_a_prefix_sent_twice_lately_is_marked_for_whatever_follows():
    proxy = Proxy()
    found = [proxy.marked([SYSTEM, user(f"question {number}")]) for number in range(4)]

    assert [[], [], [0], [0]] == found


def test_a_prefix_sent_too_rarely_is_not_marked():
    proxy = Proxy()
    found = [
        proxy.marked([SYSTEM, user(f"question {number}")], after_ms=CACHE_TTL_MS + 1)
        for number in range(4)
    ]

    assert [[], [], [], []] == found


def test_the_examples_that_one_shot_requests_share_are_marked_but_not_the_questions():
    proxy = Proxy()
    examples = [SYSTEM, user("an example"), assistant("a label")]
    found = [proxy.marked([*examples, user(f"question {number}")]) for number in range(4)]

    assert [[], [], [0, 1], [0, 1]] == found


def test_the_same_prompt_again_and_again_reads_its_own_marker():
    proxy = Proxy()
    found = [proxy.marked([user(LONG)]) for _ in range(4)]

    assert [[], [], [0], [0]] == found


def test_a_retry_is_no_second_bet_on_the_conversation():
    proxy = Proxy()
    first, second = a_loop(1)
    proxy.plan(first)
    proxy.plan(first)

    assert [0, 1, 3] == proxy.marked(second)


def test_a_request_cut_back_to_an_earlier_turn_is_known_when_it_goes_on():
    proxy = Proxy()
    start = [SYSTEM, user("task")]
    proxy.plan([*start, assistant("done"), user("more")])
    proxy.plan(start)

    assert [0, 1, 3] == proxy.marked([*start, assistant("other"), user("words")])


def test_a_conversation_slower_than_the_cache_is_not_marked():
    proxy = Proxy()
    first, second = a_loop(1)
    proxy.plan(first)

    assert [] == proxy.marked(second, after_ms=CACHE_TTL_MS + 1)


def test_branches_of_one_conversation_are_both_known():
    proxy = Proxy()
    start, _ = a_loop(1)
    proxy.plan(start)
    branches = [[*start, assistant(word), user("go on")] for word in ("yes", "no")]

    assert [[0, 1, 3], [0, 1, 3]] == [proxy.marked(branch) for branch in branches]


def test_the_memory_is_bounded():
    memory = PrefixMemory(entries_max=8)
    proxy = Proxy(memory=memory)
    for number in range(50):
        proxy.plan([SYSTEM, user(f"question {number}")], tenant=f"vk_{number}")

    assert 8 == len(memory._sights)
    assert 8 == len(memory._odds)


def test_a_forgotten_request_is_an_unknown_one():
    proxy = Proxy(memory=PrefixMemory(entries_max=1))
    first, second = a_loop(1)
    proxy.plan(first)
    proxy.plan([SYSTEM, user("another")])

    assert [] == proxy.marked(second)


# --- the caller's markers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "members"),
    [
        ({1: {**user("a"), "cache_control": MARKER}}, {}),
        (
            {1: {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": {}}]}},
            {},
        ),
        ({0: {**SYSTEM, "cache_control": None}}, {}),
        ({}, {"tools": [{**TOOL, "cache_control": MARKER}]}),
        ({}, {"cache_control": MARKER}),
    ],
)
def test_a_caller_who_sets_a_marker_is_left_alone(change, members):
    messages = [change.get(at, message) for at, message in enumerate(under_way())]

    assert Proxy().plan(messages, **members) is None


def test_a_marker_spelt_with_space_counts():
    views = [View(role=m["role"], raw=orjson.dumps(m)) for m in under_way()]
    spaced = b'{"role":"user","content":"a", "cache_control" : {"type":"ephemeral"}}'
    views[1] = View(role="user", raw=spaced)

    assert plan(views, {}, MARKS, PrefixMemory(), "vk_a", 0) is None


@pytest.mark.parametrize("text", ['"cache_control": {}', "cache_control", '{"cache_control":1}'])
def test_words_about_markers_are_none(text):
    assert [0, 3, 5] == Proxy().marked(under_way(newest=text))


# --- where --------------------------------------------------------------------------------------


def test_a_text_becomes_a_part_with_a_marker():
    messages = under_way(newest="what next?")
    expected = [{"type": "text", "text": "what next?", "cache_control": MARKER}]

    assert {"role": "user", "content": expected} == Proxy().new(messages, 5)


def test_every_other_byte_of_a_marked_message_stays():
    views = [View(role=m["role"], raw=orjson.dumps(m)) for m in under_way()]
    views[5] = View(role="user", raw=b'{"n":1.10, "content":"\\u00e9\\/","role":"user"}')
    found = plan(views, {}, MARKS, PrefixMemory(), "vk_a", 0)

    assert found is not None
    assert (
        b'{"n":1.10,"content":[{"type":"text","text":"\\u00e9\\/",'
        b'"cache_control":{"type":"ephemeral"}}],"role":"user"}'
    ) == found.messages[5]


def test_the_last_text_of_several_parts_is_marked():
    image = {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}}
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}, image]
    messages = [*under_way()[:-1], {"role": "user", "content": parts}]
    content = Proxy().new(messages, 5)["content"]

    assert [parts[0], {**parts[1], "cache_control": MARKER}, image] == content


@pytest.mark.parametrize("content", ["found", [{"type": "text", "text": "found"}]])
def test_a_tool_message_is_marked_as_a_whole(content):
    messages = [*under_way()[:-1], call("c"), result("c", content)]

    assert {**result("c", content), "cache_control": MARKER} == Proxy().new(messages, 6)


@pytest.mark.parametrize(
    "content",
    [
        "",
        " \n",
        "\u2003",
        None,
        [],
        [{"type": "text", "text": " "}],
        [{"type": "image_url"}],
        7,
        ["a"],
    ],
)
def test_a_message_without_text_is_passed_over_for_the_one_before(content):
    messages = [*under_way(), {"role": "user", "content": content}]

    assert [0, 3, 5] == Proxy().marked(messages)


def test_a_turn_without_text_has_no_marker_and_none_goes_to_the_assistant():
    messages = [*under_way()[:-1], user("")]

    assert [0, 3] == Proxy().marked(messages)


def test_of_parallel_results_the_last_is_marked():
    messages = [*under_way()[:-1], call("c"), result("c"), result("d"), result("e")]

    assert [0, 3, 8] == Proxy().marked(messages)


def test_an_answer_begun_by_the_caller_is_not_marked():
    assert [0, 3, 5] == Proxy().marked([*under_way(), assistant("The answer is")])


def test_a_message_without_a_role_is_not_marked():
    assert [0, 3, 5] == Proxy().marked([*under_way(), {"content": "x"}])


def test_requests_missed_are_bridged_with_a_fourth_marker():
    proxy = Proxy()
    requests = a_loop(6)
    proxy.plan(requests[0])
    proxy.plan(requests[1])

    assert [0, 3, 11, 13] == proxy.marked(requests[6])


def test_a_system_prompt_in_several_messages_is_marked_at_its_end():
    developer = {"role": "developer", "content": LONG}

    assert [1, 4, 6] == Proxy().marked([SYSTEM, developer, *under_way()[1:]])


def test_tools_are_marked_where_there_is_no_system_prompt():
    tools = [TOOL, {**TOOL, "function": {**TOOL["function"], "description": LONG}}]
    found = Proxy().plan(under_way()[1:], tools=tools)

    assert found is not None
    assert [2, 4] == sorted(found.messages)
    assert [tools[0], {**tools[1], "cache_control": MARKER}] == orjson.loads(found.members["tools"])


@pytest.mark.parametrize("tools", [[], [7], {}, "x" * 4_096, [TOOL]])
def test_tools_without_a_place_for_a_marker_stay(tools):
    found = Proxy().plan([user(LONG), *under_way()[1:]], tools=tools)

    assert found is not None
    assert {} == found.members


def test_tools_stay_where_the_destination_takes_no_markers_on_them():
    found = Proxy(CachePolicy(marks=True)).plan(
        under_way()[1:], tools=[{**TOOL, "description": LONG}]
    )

    assert found is not None
    assert {} == found.members


def test_a_prompt_shorter_than_the_model_caches_is_left_alone():
    short = [user("a"), assistant("b"), user("c"), assistant("d"), user("e")]

    assert Proxy().plan(short) is None


def test_only_places_far_enough_in_are_marked():
    messages = [{"role": "system", "content": "Be brief."}, *under_way()[1:-1], user(LONG)]

    assert [5] == Proxy().marked(messages)


@pytest.mark.parametrize("messages", [[], [SYSTEM], [SYSTEM, assistant("hello")]])
def test_a_prompt_without_a_question_has_nothing_to_mark(messages):
    assert Proxy().plan(messages) is None


def test_never_more_than_four_markers_and_all_survive_the_translation():
    table = importlib.resources.files("korad.data") / "anthropic_models.toml"
    dialect = AnthropicDialect(CapabilityTable.parse(table.read_text()), lambda: 1)
    proxy = Proxy()
    counts = []
    for messages in a_loop(30):
        found = proxy.plan(messages, tools=[TOOL])
        sent = [orjson.loads(found.messages[at]) if found and at in found.messages else message
                for at, message in enumerate(messages)]  # fmt: skip
        raw = orjson.dumps({"model": "anthropic/claude", "messages": sent, "tools": [TOOL]})
        target = Target(provider="anthropic", model="claude-sonnet-4-5")
        body = dialect.build_body(parse_chat_request(raw), target)
        counts.append((len(found.messages) if found else 0, body.count(b'"cache_control"')))

    assert [(0, 0), *[(3, 3)] * 30] == counts


# --- OpenAI -------------------------------------------------------------------------------------


def test_a_long_prompt_gets_a_key_that_its_prefix_shares():
    proxy = Proxy(KEY)
    keys = {proxy.plan([SYSTEM, user(str(number))]).members["prompt_cache_key"] for number in "ab"}

    assert 1 == len(keys)
    assert orjson.loads(keys.pop()).startswith("korad-")


def test_other_tenants_and_other_prefixes_have_other_keys():
    proxy = Proxy(KEY)
    plans = [
        proxy.plan([SYSTEM, user("a")]),
        proxy.plan([SYSTEM, user("a")], tenant="vk_b"),
        proxy.plan([SYSTEM, user("a")], tools=[TOOL]),
        proxy.plan([{**SYSTEM, "content": LONG + "."}, user("a")]),
    ]

    assert 4 == len({found.members["prompt_cache_key"] for found in plans})
    assert not any(found.messages for found in plans)


def test_a_key_is_short_enough_for_the_api():
    found = Proxy(KEY).plan([SYSTEM, user("a")])

    assert len(orjson.loads(found.members["prompt_cache_key"])) <= 64


def test_a_callers_key_stays_and_a_short_prompt_needs_none():
    assert Proxy(KEY).plan([SYSTEM, user("a")], prompt_cache_key="mine") is None
    assert Proxy(KEY).plan([user("a")]) is None


def test_members_may_be_raw_json():
    views = [View(role=m["role"], raw=orjson.dumps(m)) for m in under_way()[1:]]
    tools = msgspec.Raw(orjson.dumps([{**TOOL, "description": LONG}]))
    found = plan(views, {"tools": tools}, MARKS, PrefixMemory(), "vk_a", 0)

    assert found is not None
    assert b'"cache_control":{"type":"ephemeral"}}]' == found.members["tools"][-38:]
