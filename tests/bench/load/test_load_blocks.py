"""Whole blocks against the stand-in provider: what is counted, timed and named."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from bench.load.blocks import block_order, run_blocks
from bench.load.fleet import FleetError
from bench.load.plan import (
    Answers,
    Ask,
    Clients,
    Conversation,
    Ladder,
    Scenario,
    Slo,
    Stage,
    Target,
)
from bench.load.progress import Progress
from bench.load.result import Figures, TargetResult
from bench.load.stand_in_orders import Counters, Orders, orders_for
from bench.load.stand_in_process import StandIn

KEY, MODEL = "sk-stand-in", "gpt-4o-mini"
QUICK = Answers(chunks=10, interval_s=0.005)
MESSAGES = b'[{"role":"user","content":"hello"}]'


@pytest.fixture(scope="module")
def provider() -> Iterator[StandIn]:
    with StandIn() as running:
        yield running


def scenario_of(**changes) -> Scenario:
    plain = Scenario(
        name="test",
        summary="",
        arrivals="constant",
        stages=(Stage(seconds=0.5, rate=50.0),),
        warmup_s=0.0,
        answers=QUICK,
    )
    return msgspec.structs.replace(plain, **changes)


def plan_of(count: int, **changes) -> list[Conversation]:
    return [(Ask(at_s=n / count / 2, messages=MESSAGES, **changes),) for n in range(count)]


def target_of(provider: StandIn, **changes) -> Target:
    return Target(**({"name": "direct", "url": provider.url, "key": KEY, "model": MODEL} | changes))


def run(
    provider: StandIn,
    plan: list[Conversation],
    *,
    processes: int = 1,
    orders: Orders | None = None,
    target: Target | None = None,
    **changes,
) -> tuple[Figures, Counters]:
    """Run one block; returns its figures and what the stand-in counted."""
    scenario = scenario_of(**changes)
    provider.control(orders or orders_for(scenario.answers, key=KEY, model=MODEL))
    [result] = run_blocks(
        [target or target_of(provider)],
        scenario,
        plan,
        blocks=1,
        processes=processes,
        cpus=None,
        notify=lambda _: None,
    )
    return result.total, provider.control(Orders())


def counts(figures: Figures) -> dict[str, int]:
    return {name: each.percentiles.count for name, each in figures.histograms.items()}


def test_planned_requests_are_sent_once_each_and_their_answers_counted(provider):
    figures, seen = run(provider, plan_of(50), slo=Slo(e2e_ms=60_000))

    assert (figures.started, figures.ok, figures.left, figures.errors) == (50, 50, 0, {})
    assert (seen.requests, seen.wrong_key, seen.wrong_model) == (50, 0, 0)
    assert counts(figures) == {"e2e": 50, "overhead": 50, "lag": 50}
    assert sum(second.started for second in figures.timeline) == 50
    assert figures.goodput == 1.0
    assert figures.resources is None


def test_the_warm_up_is_sent_and_not_counted(provider):
    figures, seen = run(provider, plan_of(50), warmup_s=0.25)

    assert (figures.started, figures.ok) == (50, 50)
    assert seen.requests == 75


def test_streams_are_timed_by_the_chunk_and_the_target_is_watched(provider):
    target = target_of(provider, process_id=provider.process_id)
    figures, seen = run(provider, plan_of(20, stream=True), target=target, slo=Slo(ttft_ms=0.0))

    assert (figures.ok, figures.chunks, figures.tokens_per_s > 0) == (20, 200, True)
    assert (seen.chunks, seen.streams_done) == (200, 20)
    assert counts(figures) == {
        "e2e": 20, "ttft": 20, "itl": 180, "tpot": 20, "overhead": 20, "chunk_overhead": 200,
        "lag": 20,
    }  # fmt: skip
    assert figures.goodput == 0.0
    assert figures.resources is not None
    assert figures.resources.cpu_us_per_chunk
    assert figures.resources.descriptors_max > 0


def test_several_processes_make_one_result(provider):
    one = (Ask(at_s=0.0, messages=MESSAGES),)
    figures, seen = run(
        provider, [one] * 7, processes=2, arrivals="closed", clients=Clients(connections=5)
    )

    assert figures.client.processes == 2
    assert figures.started == figures.ok == seen.requests > 50
    assert sum(second.ok for second in figures.timeline) == figures.ok


def test_a_slice_of_the_schedule_is_sent_by_each_process(provider):
    figures, seen = run(provider, plan_of(31), processes=3)

    assert figures.started == figures.ok == seen.requests == 31


def test_clients_leave_as_planned(provider):
    slow = Answers(chunks=10, interval_s=0.02, latency_s=0.5)
    plan = plan_of(10, stream=True, leave_after=0.5) + plan_of(10, leave_after=0.01)
    figures, seen = run(provider, plan, answers=slow)

    assert (figures.left, figures.ok, figures.errors) == (20, 0, {})
    assert seen.streams_left == 10
    assert figures.chunks == 50
    assert figures.client.invalid != "nothing succeeded"


def test_slow_readers_get_all_of_it_and_are_not_timed(provider):
    answers = Answers(chunks=20, chunk_bytes=1_000)
    plan = plan_of(3, stream=True, slow=True) + plan_of(5, stream=True)
    figures, seen = run(provider, plan, answers=answers, clients=Clients(slow_bytes_per_s=20_000))

    assert (figures.ok, figures.chunks, seen.chunks) == (8, 160, 160)
    assert counts(figures)["e2e"] == 5
    assert figures.seconds > 0.9  # 20 KB at 20 KB/s


def test_turns_follow_their_answers(provider):
    turn = Ask(at_s=0.0, messages=MESSAGES)
    figures, seen = run(provider, [(turn, turn, turn)] * 4)

    assert figures.started == figures.ok == seen.requests == 12


def test_a_failure_ends_its_conversation(provider):
    turn = Ask(at_s=0.0, messages=MESSAGES)
    figures, seen = run(provider, [(turn, turn)] * 4, orders=Orders(fault="429"))

    assert figures.errors == {"status 429": 4}
    assert list(figures.said) == ["status 429"]
    assert figures.said["status 429"].startswith("stand_in_error: ")
    assert seen.requests == 4


@pytest.mark.parametrize(
    ("fault", "stream", "kind"),
    [
        ("reset", False, "reset"),
        ("cut", False, "reset"),
        ("cut", True, "cut stream"),
        ("503", True, "status 503"),
    ],
)
def test_failures_are_named(provider, fault, stream, kind):
    figures, _ = run(provider, plan_of(5, stream=stream), orders=Orders(fault=fault, chunks=2))

    assert (figures.ok, figures.errors) == (0, {kind: 5})
    assert figures.client.invalid == "nothing succeeded"
    assert sum(second.failed for second in figures.timeline) == 5


def test_where_nobody_listens_connections_are_refused(provider):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        target = target_of(provider, url=f"http://127.0.0.1:{port}/v1")
        figures, _ = run(provider, plan_of(5), target=target)

    assert figures.errors == {"refused": 5}


def test_a_stall_is_seen_by_all_who_would_have_sent_meanwhile(provider):
    orders = Orders(stall_every=1.0, stall=1.0)
    figures, _ = run(
        provider,
        [(Ask(at_s=n / 100, messages=MESSAGES),) for n in range(200)],
        orders=orders,
        stages=(Stage(seconds=2.0, rate=100.0),),
        clients=Clients(connections=200),
    )
    e2e = figures.histograms["e2e"].percentiles

    assert figures.ok == 200
    assert e2e.p99_ns > 500_000_000


def test_what_exceeds_the_connections_is_shed_and_makes_the_run_invalid(provider):
    figures, seen = run(
        provider,
        plan_of(20),
        answers=Answers(latency_s=0.5),
        clients=Clients(connections=3),
    )

    assert figures.client.shed > 0
    assert figures.client.shed + figures.started == 20
    assert seen.requests == figures.started
    assert "shed" in (figures.client.invalid or "")


def test_wrong_keys_and_models_are_counted_by_the_stand_in(provider):
    target = target_of(provider, key="another", model="gpt-4")
    _, seen = run(provider, plan_of(3), target=target)

    assert (seen.wrong_key, seen.wrong_model) == (3, 3)


def test_blocks_alternate():
    order = "".join("AB"[target] for _, target in block_order(2, 4))

    assert order == "ABBAABBA"


def run_two(provider: StandIn, notify=lambda _: None, **changes) -> list[TargetResult]:
    targets = [target_of(provider, name=name) for name in ("a", "b")]
    scenario = scenario_of(**changes)
    provider.control(orders_for(scenario.answers))
    return run_blocks(
        targets, scenario, plan_of(20), blocks=2, processes=1, cpus=[0], notify=notify
    )


def test_targets_are_run_in_turn_and_told_of(provider):
    told: list[Progress] = []

    results = run_two(provider, told.append)

    assert ["a", "b"] == [result.name for result in results]
    assert [[20, 20], [20, 20]] == [[b.ok for b in result.blocks] for result in results]
    assert [40, 40] == [result.total.ok for result in results]
    for result in results:
        seconds = [second for block in result.blocks for second in block.timeline]
        assert [s.ok for s in seconds] == [s.ok for s in result.total.timeline]
    assert "abba" == "".join(
        two.target
        for one, two in zip([None, *told], told, strict=False)
        if one is None or (one.target, one.block) != (two.target, two.block)
    )
    assert {told_of.blocks for told_of in told} == {2}
    assert told[-1].ok == 20


def test_a_ladder_ends_at_its_knee(provider, monkeypatch):
    monkeypatch.setattr("bench.load.figures.LAG_P99_NS_MAX", 10**10)  # the machine may be busy

    [first, _] = run_two(
        provider,
        ladder=Ladder(start=10.0, factor=10.0, rungs=5, seconds=1.0, goodput_min=0.0),
        answers=Answers(latency_s=0.5),
        # As many as the first rung has requests: it cannot shed any; the second is sure to.
        clients=Clients(connections=10),
    )

    assert [(10.0, True), (100.0, False)] == [(rung.rate, rung.kept) for rung in first.ladder]
    assert first.knee_rate == 10.0


def test_a_load_process_that_dies_is_an_error(provider):
    with pytest.raises(FleetError):
        run(provider, plan_of(1), target=target_of(provider, url="gopher://127.0.0.1/v1"))
