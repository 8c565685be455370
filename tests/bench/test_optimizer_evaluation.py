"""The evaluation's own sample holds what the optimizer promises, and its figures are right."""

from __future__ import annotations

import gzip
import xml.etree.ElementTree as ET

import msgspec
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from bench.__main__ import main
from bench.optimizer import fetch
from bench.optimizer.conversation import (
    LOOP,
    Conversation,
    Facts,
    encode_conversation,
    parts_of,
    text_of,
)
from bench.optimizer.cost import PLAIN, READ, WRITE, AnthropicCache, OpenAICache, PromptBlock
from bench.optimizer.data import DataError, read_folder
from bench.optimizer.figures import decode_report, report_schema
from bench.optimizer.retention import Retention
from bench.optimizer.run import Evaluation, evaluate
from bench.optimizer.sample import KINDS, make_conversation, make_sample
from bench.optimizer.sources import Source, swe, tau
from bench.optimizer.validity import findings, json_tokens, same_at_low
from korad.adapters.tokenizer import load_encode
from korad.optimizer import LEVELS

KEEPING_LEVELS = ("low", "medium")
KINDS_OF_FACTS = {
    "answers", "leaves", "needles", "outliers", "probes", "rows", "types", "words",
}  # fmt: skip
SEEDS = st.integers(0, 10_000_000)
SINGLE = {"family": "x", "sub": "y", "mode": "single"}


@pytest.fixture(scope="module")
def count_text(tmp_path_factory):
    encode = load_encode(tmp_path_factory.mktemp("tokenizer"))
    return lambda text: len(encode(text)) if text else 0


@pytest.fixture(scope="module")
def sample():
    return make_sample(seed=1, per_kind=1)


def estimate(text):
    return len(text) // 3


def lost(level):
    return [example for example in level.examples if example.what.startswith("lost:")]


@pytest.mark.parametrize("level", LEVELS)
def test_the_sample_breaks_no_rule(sample, count_text, level):
    found = evaluate(sample, level, count_text, timed=False)

    assert {} == found.total.violations, found.examples
    assert {} == found.failures
    assert found.total.prefix_pairs > 0


@pytest.mark.parametrize("level", KEEPING_LEVELS)
def test_levels_that_keep_everything_keep_every_fact_of_the_sample(sample, count_text, level):
    found = evaluate(sample, level, count_text, timed=False)

    assert [] == lost(found)
    assert set(found.total.retention) == KINDS_OF_FACTS
    assert all(kept.kept == kept.total > 0 for kept in found.total.retention.values())


def test_off_changes_nothing_and_costs_the_same(sample, count_text):
    total = evaluate(sample, "off", count_text, timed=False).total

    assert total.tokens_before == total.tokens_after
    assert all(cost.with_korad == cost.without > 0 for cost in total.cost.values())


def test_more_is_saved_at_higher_levels(sample, count_text):
    saved = [
        evaluate(sample, level, count_text, timed=False).total.reduction
        for level in ("off", "low", "medium", "high")
    ]

    assert sorted(saved) == saved
    assert saved[0] == 0 < saved[1]


@settings(max_examples=40, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), seed=SEEDS, level=st.sampled_from(KEEPING_LEVELS))
def test_every_generated_conversation_keeps_its_facts(kind, seed, level):
    found = evaluate([make_conversation(kind, seed)], level, estimate, timed=False)

    assert [] == lost(found)
    assert {} == found.total.violations, found.examples


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, level=st.sampled_from(LEVELS[1:]), data=st.data())
def test_the_prefix_of_every_generated_loop_is_stable(seed, level, data):
    loops = [kind for kind in KINDS if make_conversation(kind, 0).mode == LOOP]
    conversation = make_conversation(data.draw(st.sampled_from(loops)), seed)

    total = evaluate([conversation], level, estimate, timed=False).total

    assert total.prefix_pairs == total.requests - 1 > 0
    assert {} == total.violations


@settings(max_examples=20, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), seed=SEEDS)
def test_a_seed_always_gives_the_same_conversation_and_a_line_of_it_can_be_read_again(kind, seed):
    line = encode_conversation(make_conversation(kind, seed))

    assert line == encode_conversation(make_conversation(kind, seed))
    assert line == encode_conversation(msgspec.json.decode(line, type=Conversation))


@settings(max_examples=30, deadline=None)
@given(kind=st.sampled_from(sorted(KINDS)), seed=SEEDS)
def test_an_empty_prompt_keeps_no_fact(kind, seed):
    conversation = make_conversation(kind, seed)
    retention = Retention(conversation)
    empty = [{**message, "content": "", "tool_calls": []} for message in conversation.messages]

    for at, _ in conversation.requests():
        assert all(kept == 0 for _, _, kept, _ in retention.check(empty[:at], at))


def test_facts_the_request_never_held_are_not_counted():
    request = {"messages": [{"role": "user", "content": "blue"}]}
    must = Facts(needles=["blue", "green"], answers=[["red"]], rows=[("blue", "green")])
    conversation = Conversation(**SINGLE, request=request, must=must)

    checked = list(Retention(conversation).check(request["messages"], 1))

    assert [("needles", "blue", 1, 1)] == checked


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("id: 7, port 8080", 1), ("id 8080", 1), ("id 80801", 0), ("80 80", 0)],
)
def test_a_short_scalar_must_stand_alone(sent, kept):
    request = {"messages": [{"role": "user", "content": '{"port": 8080}'}]}
    conversation = Conversation(**SINGLE, request=request, must=Facts(leaves=True))

    (found,) = Retention(conversation).check([{"role": "user", "content": sent}], 1)

    assert ("leaves", "8080", kept, 1) == found


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ('{"a": 1.10}', '{"a":1.10}', True),
        ('{"a": 1.10}', '{"a":1.1}', False),
        ('{"a": 1, "a": 2}', '{"a":2}', False),
        ('{"a": " b "}', '{"a":"b"}', False),
        ("[1E400, -0.0]", "[1E400,-0.0]", True),
        ("one  \r\n\n\n\ntwo", "one\n\ntwo", True),
        ("one two", "one  two", False),
        ("\x1b[31mred\x1b[0m", "red", True),
    ],
)
def test_only_what_says_nothing_may_go_at_low(before, after, same):
    assert same == same_at_low(before, after)


@pytest.mark.parametrize("text", ["{'a': 1}", '{"a": 1,}', '[{"a"', "plain words"])
def test_what_only_looks_like_json_is_none(text):
    assert json_tokens(text) is None


BEFORE = {
    "messages": [
        {"role": "system", "content": "Be good."},
        {"role": "user", "content": [{"type": "text", "text": "a"}]},
        {"role": "tool", "tool_call_id": "1", "content": "b  c"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "description": "g"}}],
    "seed": 1,
}


def changed(*path, to):
    body = orjson.loads(orjson.dumps(BEFORE))
    target = body
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = to
    return body


@pytest.mark.parametrize(
    ("after", "rule"),
    [
        (changed("seed", to=2), "member_changed"),
        (changed("messages", 0, "content", to="Be."), "system_text_changed"),
        (changed("messages", 1, "role", to="tool"), "role_changed"),
        (changed("messages", 1, "content", to="a"), "content_form_changed"),
        (changed("messages", 1, "content", to=[]), "part_count"),
        (changed("messages", 1, "content", 0, "type", to="x"), "part_changed"),
        (changed("messages", 2, "tool_call_id", to="2"), "tool_calls_changed"),
        (changed("messages", 2, "content", to="b c"), "not_lossless"),
        (changed("messages", to=BEFORE["messages"][:2]), "message_count"),
        (changed("tools", 0, "function", "description", to=""), "tools_changed"),
    ],
)
def test_every_broken_rule_is_found(after, rule):
    conversation = Conversation(**SINGLE, request=BEFORE)

    assert rule in {found for found, _ in findings(conversation, BEFORE, after, "low")}
    assert [] == list(findings(conversation, BEFORE, BEFORE, "low"))


def test_an_optimizer_that_rewrites_what_it_sent_before_is_found_out(monkeypatch):
    def spoil(_, request):
        messages = orjson.loads(bytes(request.members["messages"]))
        messages[0]["content"] += f" {len(messages)}"
        members = request.members | {"messages": msgspec.Raw(orjson.dumps(messages))}
        spoilt = msgspec.structs.replace(request, members=members)
        return spoilt, spoilt

    monkeypatch.setattr(Evaluation, "_sent", spoil)

    total = evaluate([make_conversation("agent/booking", 1)], "high", estimate, timed=True).total

    assert total.prefix_pairs == total.violations["prefix_broken"]
    assert total.requests == total.violations["system_text_changed"]
    assert 1 == total.violations["not_deterministic"]


def blocks(*sizes, marks=()):
    return [
        PromptBlock(key=f"{at}", tokens=tokens, is_marked=at in marks)
        for at, tokens in enumerate(sizes)
    ]


def test_openai_reads_whole_steps_of_what_was_sent_before():
    cache = OpenAICache(estimate)

    assert 2_000 * PLAIN == cache.charge(blocks(2_000))
    assert 1_920 * READ + 180 * PLAIN == cache.charge(blocks(2_000, 100))


def test_openai_caches_nothing_short():
    cache = OpenAICache(estimate)
    cache.charge(blocks(1_023))

    assert 1_023 * PLAIN == cache.charge(blocks(1_023))


def test_anthropic_writes_to_a_marker_and_reads_it_at_the_next():
    cache = AnthropicCache()

    assert 2_000 * WRITE == cache.charge(blocks(2_000, marks=[0]))
    assert 2_000 * READ + 100 * WRITE == cache.charge(blocks(2_000, 100, marks=[1]))


def test_anthropic_looks_back_twenty_blocks_and_no_further():
    sizes = [2_000, *[1] * 20]
    near, far = AnthropicCache(), AnthropicCache()
    near.charge(blocks(2_000, marks=[0]))
    far.charge(blocks(2_000, marks=[0]))

    assert 2_000 * READ + 19 * WRITE == near.charge(blocks(*sizes[:20], marks=[19]))
    assert 2_020 * WRITE == far.charge(blocks(*sizes, marks=[20]))


def test_the_command_writes_a_report_that_fits_its_schema_and_a_picture(tmp_path, capsys):
    arguments = ["optimizer", "--limit", "1", "--levels", "low,high", "--out", str(tmp_path)]

    assert main(arguments) == 0
    report = decode_report((tmp_path / "result.json").read_bytes())
    assert ["low", "high"] == list(report.levels)
    assert set(report_schema()["$defs"]["Report"]["properties"]) == set(
        orjson.loads((tmp_path / "result.json").read_bytes())
    )
    root = ET.parse(tmp_path / "optimizer.svg").getroot()  # noqa: S314 - our own file
    drawn = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    assert set(report.levels["low"].families) <= drawn
    assert "agent/booking" in capsys.readouterr().out


def test_a_report_with_an_unknown_member_is_refused():
    with pytest.raises(msgspec.ValidationError):
        decode_report(b'{"schema_version": 1, "more": 2}')


def test_data_is_read_from_plain_and_packed_files(tmp_path):
    conversations = [make_conversation("chat/talk", seed) for seed in (1, 2)]
    one, other = (encode_conversation(conversation) for conversation in conversations)
    (tmp_path / "a.jsonl").write_bytes(one + b"\n\n")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(other))

    assert conversations == read_folder(tmp_path)


@pytest.mark.parametrize("line", [b"{", b"{}", b'{"request": {}}'])
def test_a_line_that_is_no_conversation_is_named(tmp_path, line):
    (tmp_path / "a.jsonl").write_bytes(line)

    with pytest.raises(DataError, match=r"a\.jsonl, line 1"):
        read_folder(tmp_path)


def test_an_empty_folder_is_told_and_not_a_crash(tmp_path, capsys):
    assert main(["optimizer", "--data", str(tmp_path)]) == 2
    assert "holds no" in capsys.readouterr().err


def test_a_download_that_fails_is_told_and_not_a_crash(tmp_path, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError("no route")

    monkeypatch.setattr(fetch.urllib.request, "urlopen", refuse)

    assert main(["fetch", "--out", str(tmp_path)]) == 2
    assert "no route" in capsys.readouterr().err


def test_trajectories_become_loops_with_what_the_assistant_used():
    spoken = [
        {"role": "user", "content": "My flight?"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "find", "arguments": "{}"}},
        ]},
        {"role": "tool", "tool_call_id": "1", "content": '{"flight": "HAT1360"}'},
        {"role": "assistant", "content": "It is HAT1360."},
    ]  # fmt: skip

    (conversation,) = tau(orjson.dumps([{"traj": spoken}]))

    assert {"3": ["HAT1360"]} == conversation.must.turns
    assert [1, 3] == [at for at, _ in conversation.requests()]


def test_agent_runs_become_tool_calls():
    run = {
        "history": [{"role": "user", "content": "Mend it."}],
        "trajectory": [{"action": "ls", "observation": "a.py", "thought": "Look."}],
    }

    (conversation,) = swe(orjson.dumps(run))

    assert ["system", "user", "assistant", "tool"] == [m["role"] for m in conversation.messages]
    assert "a.py" == text_of(parts_of(conversation.messages[-1]["content"])[0])


def test_a_download_in_another_format_is_told(tmp_path):
    source = Source(name="x", url="https://x", licence="", bytes_max=1, convert=tau)

    with pytest.raises(fetch.FetchError, match="format"):
        fetch.write(source, b'{"a": 1}', tmp_path)
