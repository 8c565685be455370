"""Plans are the same for the same seed and hold what their scenario says."""

from __future__ import annotations

import itertools
import statistics
from pathlib import Path
from random import Random

import msgspec
import orjson
import pytest
from hypothesis import given, settings, strategies as st

from bench.load.plan import Answers, Clients, Ladder, Prompts, Scenario, Slo, Stage
from bench.load.prompts import LEAVE_S_MAX, POOL_MIN, plan
from bench.load.scenarios import FOLDER, built_in
from bench.load.texts import body_lengths, one_shot

HERE = Path()
REST_BYTES = 60
"""What the rest of a body is taken to be."""


def scenario(**members):
    stages = (Stage(seconds=10.0, rate=100.0),)
    return Scenario(**({"name": "x", "summary": "x", "stages": stages} | members))


def asks(conversations):
    return [ask for conversation in conversations for ask in conversation]


@pytest.mark.parametrize("name", [each.name for each in built_in()])
def test_the_same_seed_gives_the_same_plan_and_another_another(name):
    shipped = next(each for each in built_in() if each.name == name)

    first, again, other = (plan(shipped, seed, base=FOLDER) for seed in (7, 7, 8))

    assert msgspec.json.encode(first) == msgspec.json.encode(again)
    assert msgspec.json.encode(first) != msgspec.json.encode(other)


def test_conversations_come_in_the_order_of_their_times_within_the_block():
    planned = plan(scenario(), 1, base=HERE)
    times = [conversation[0].at_s for conversation in planned]

    assert sorted(times) == times
    assert 0 <= times[0] <= times[-1] < 10.0
    assert 850 < len(times) < 1150


def test_a_closed_loop_gets_a_pool_without_times():
    planned = plan(scenario(arrivals="closed", clients=Clients(connections=900)), 1, base=HERE)

    assert len(planned) == 1_800 > POOL_MIN
    assert {conversation[0].at_s for conversation in planned} == {0.0}


def test_a_ladder_is_planned_for_its_highest_rung():
    ladder = Ladder(start=10.0, factor=2.0, rungs=4, seconds=3.0)

    planned = plan(scenario(arrivals="constant", ladder=ladder, slo=Slo(e2e_ms=1.0)), 1, base=HERE)

    assert len(planned) == 80 * 3


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), body_bytes=st.integers(200, 30_000))
def test_a_question_has_the_length_it_is_asked_for(seed, body_bytes):
    messages = one_shot(Random(seed), body_bytes)

    assert len(messages) == body_bytes - REST_BYTES
    assert [message["role"] for message in orjson.loads(messages)] == ["system", "user"]


def test_a_question_that_has_no_room_is_still_a_question():
    messages = orjson.loads(one_shot(Random(1), 100))

    assert messages[1]["content"]


def test_lengths_have_the_mean_and_deviation_they_are_asked_for():
    lengths = body_lengths(Random(1), 5_000, 3_000, 20_000)

    assert statistics.mean(lengths) == pytest.approx(5_000, rel=0.05)
    assert statistics.stdev(lengths) == pytest.approx(3_000, rel=0.1)
    assert min(lengths) > 0
    assert body_lengths(Random(1), 5_000, 0, 3) == [5_000] * 3


def test_there_are_as_many_bodies_as_there_should_be_and_all_are_used():
    planned = plan(scenario(prompts=Prompts(distinct=10)), 1, base=HERE)

    assert len({ask.messages for ask in asks(planned)}) == 10


def test_an_agents_conversation_grows_by_turns_with_calls_and_results():
    prompts = Prompts(mean_bytes=2_000, sd_bytes=500, distinct=3, turns=6)

    planned = plan(scenario(prompts=prompts), 1, base=HERE)

    assert {len(conversation) for conversation in planned} == {6}
    for conversation in planned[:20]:
        for before, after in itertools.pairwise(conversation):
            assert after.messages.startswith(before.messages[:-1])
            call, result = orjson.loads(after.messages)[-2:]
            assert result["role"] == "tool"
            assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    lengths = [len(conversation[-1].messages) / 6 for conversation in planned]
    assert statistics.mean(lengths) == pytest.approx(2_000, rel=0.4)


def test_clients_behave_in_the_shares_of_the_scenario():
    clients = Clients(stream=0.5, aborts=0.3, slow=0.2)
    stages = (Stage(seconds=20.0, rate=200.0),)

    found = asks(
        plan(scenario(clients=clients, stages=stages, answers=Answers(latency_s=2.0)), 1, base=HERE)
    )
    streams = [ask for ask in found if ask.stream]
    leaves = [ask for ask in found if ask.leave_after is not None]

    assert len(streams) / len(found) == pytest.approx(0.5, abs=0.05)
    assert len(leaves) / len(found) == pytest.approx(0.3, abs=0.05)
    assert sum(ask.slow for ask in found) / len(found) == pytest.approx(0.2, abs=0.05)
    assert all(0 <= ask.leave_after <= 1 for ask in leaves if ask.stream)
    assert 1 < max(ask.leave_after for ask in leaves if not ask.stream) <= 2


def test_clients_of_answers_that_come_at_once_leave_soon():
    found = asks(plan(scenario(clients=Clients(aborts=1.0)), 1, base=HERE))

    assert all(0 <= ask.leave_after <= LEAVE_S_MAX for ask in found)


def test_no_share_means_nobody():
    found = asks(plan(scenario(), 1, base=HERE))

    assert not any(ask.stream or ask.slow or ask.level or ask.leave_after for ask in found)


def test_levels_come_by_their_weights_and_a_conversation_keeps_its_own():
    planned = plan(
        scenario(levels={"low": 1.0, "high": 3.0, "off": 0.0}, prompts=Prompts(turns=3)),
        1,
        base=HERE,
    )
    levels = [{ask.level for ask in conversation} for conversation in planned]

    assert {len(each) for each in levels} == {1}
    assert levels.count({"high"}) / len(levels) == pytest.approx(0.75, abs=0.06)
    assert {"off"} not in levels


def test_a_data_set_is_sent_whole_or_turn_by_turn(tmp_path):
    said = [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "1"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "3"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "5"},
        {"role": "assistant", "content": "6"},
    ]
    (tmp_path / "talk.jsonl").write_bytes(orjson.dumps({"messages": said}))

    def sent(turns):
        prompts = Prompts(kind="openai_jsonl", path="talk.jsonl", turns=turns)
        (first, *_) = plan(scenario(prompts=prompts), 1, base=tmp_path)
        return [orjson.loads(ask.messages) for ask in first]

    assert sent(1) == [said[:6]]
    assert sent(2) == [said[:2], said[:4]]
    assert sent(9) == [said[:2], said[:4], said[:6]]
