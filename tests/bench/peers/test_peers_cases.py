"""The load of each case, what slower peers get of it, and which core does what."""

from __future__ import annotations

import pytest

from bench.peers.cases import FULL, SHORT, TINY, carried, cases, memory
from bench.peers.litellm import LiteLLM
from bench.peers.placement import Placement, place, place_two_workers


def planned(scenario) -> float:
    return sum(stage.rate * stage.seconds for stage in scenario.stages)


def test_the_stream_case_is_ten_thousand_chunks_a_second_of_two_hundred_streams():
    case = next(case for case in cases(FULL) if case.name == "stream")
    answers, (stage,) = case.scenario.answers, case.scenario.stages

    assert stage.rate * answers.chunks == 10_000
    assert stage.rate * answers.chunks * answers.interval_s == 200
    # When it is measured all of them are under way.
    assert case.scenario.warmup_s >= answers.chunks * answers.interval_s
    assert case.scenario.clients.stream == 1.0


@pytest.mark.parametrize("streams", [5_000, 1_000, 20])
def test_slow_streams_are_all_open_before_the_first_one_ends(streams):
    scenario = memory(streams, 3.0)
    opening_s = scenario.stages[0].seconds

    assert planned(scenario) == streams
    assert scenario.warmup_s == 0
    assert scenario.answers.chunks * scenario.answers.interval_s > opening_s + 2
    assert scenario.clients.connections > streams


def test_memory_is_measured_first_on_fresh_peers():
    assert cases(FULL)[0].kind == "memory"
    assert [case.name for case in cases(FULL)] == [case.name for case in cases(SHORT)]


def test_a_slower_peer_gets_less_of_every_case():
    capacity = LiteLLM().capacity

    assert capacity is not None
    for case in cases(FULL):
        less = carried(case, capacity)

        if case.kind == "closed":
            assert less.clients.connections == capacity.connections
            assert less.clients.connections < case.scenario.clients.connections
        else:
            assert planned(less) < planned(case.scenario)
        assert less.prompts == case.scenario.prompts


def test_a_slower_peer_never_gets_more_slow_streams_than_the_others():
    capacity = LiteLLM().capacity
    case = next(case for case in cases(TINY) if case.kind == "memory")

    assert capacity is not None
    assert planned(carried(case, capacity)) <= planned(case.scenario)


def test_the_proxy_has_a_core_of_its_own_where_there_are_two():
    assert place([0]) == Placement((0,), (0,), (0,))
    assert "of little worth" in str(place([0]))
    assert place([0, 1]) == Placement((0,), (1,), (1,))
    assert str(place([2, 5])) == "proxy on core 2, provider and load on core 5"
    assert place([0, 1, 2, 3]) == Placement((0,), (1,), (2,))


def test_two_workers_get_two_cores_only_where_others_are_left():
    assert place_two_workers([0, 1]) is None
    assert place_two_workers([0, 1, 2]) is None
    assert place_two_workers([0, 1, 2, 3, 4]) == Placement((0, 1), (2,), (3, 4))
