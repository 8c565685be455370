"""A scenario and a seed in, the planned requests out; the same for every target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import orjson

from bench.load.datasets import read_dataset
from bench.load.plan import Ask, Clients, Conversation, Ladder, Scenario, Stage
from bench.load.schedule import arrival_times_s
from bench.load.texts import agent_turns, body_lengths, one_shot

# A turn is one request's `messages` as JSON, before anybody decides who sends it and when.

POOL_MIN = 1_000
"""Conversations planned for a closed loop, which begins again with the first after the last."""
LEAVE_S_MAX = 0.05
"""Clients of answers that come at once leave within this time of their sending."""


def plan(
    scenario: Scenario, seed: int, *, base: Path, tell: Callable[[str], None] | None = None
) -> list[Conversation]:
    """Return the conversations of one block by their first send time, warm-up apart.

    Data sets are relative to `base`. Of a ladder: those of its highest rung. Closed loop: a pool
    without times. The same scenario and seed give the same plan. `tell` is called with what a data
    set gave and what of it was left out. Raises DatasetError.
    """
    pool = _pool(scenario, seed, base, tell)
    times = planned_times_s(scenario, seed)
    random = Random(f"clients {seed}")
    order = list(range(len(pool)))
    conversations: list[Conversation] = []
    for at, at_s in enumerate(times):
        if at % len(order) == 0:
            random.shuffle(order)
        turns = pool[order[at % len(order)]]
        conversations.append(_conversation(random, scenario, turns, at_s))
    return conversations


def planned_times_s(scenario: Scenario, seed: int) -> list[float]:
    """Return when the conversations begin, in seconds from the block's start."""
    if scenario.arrivals == "closed":
        return [0.0] * max(POOL_MIN, 2 * scenario.clients.connections)
    stages: Sequence[Stage] = scenario.stages
    if scenario.ladder is not None:
        stages = [Stage(seconds=scenario.ladder.seconds, rate=top_rate(scenario.ladder))]
    return arrival_times_s(scenario.arrivals, stages, seed)


def top_rate(ladder: Ladder) -> float:
    """Return the rate of the last rung."""
    return float(ladder.start * ladder.factor ** (ladder.rungs - 1))


# ── what is said ─────────────────────────────────────────────────────────────────────────────────


def _pool(
    scenario: Scenario, seed: int, base: Path, tell: Callable[[str], None] | None
) -> list[list[bytes]]:
    prompts = scenario.prompts
    random = Random(f"prompts {seed}")
    if prompts.kind != "synthetic":
        dataset = read_dataset(prompts, base)
        if tell is not None:
            tell(f"{prompts.path}: {dataset.words}")
        return [_turns_of(messages, prompts.turns) for messages in dataset.conversations]
    if prompts.turns > 1:
        return [
            _grown(agent_turns(random, prompts.mean_bytes, prompts.sd_bytes, prompts.turns))
            for _ in range(prompts.distinct)
        ]
    lengths = body_lengths(random, prompts.mean_bytes, prompts.sd_bytes, prompts.distinct)
    return [[one_shot(random, length)] for length in lengths]


def _grown(parts: list[list[dict[str, Any]]]) -> list[bytes]:
    """Return a request for each part, which also has all parts before it."""
    turns = []
    said: list[dict[str, Any]] = []
    for part in parts:
        said += part
        turns.append(orjson.dumps(said))
    return turns


def _turns_of(messages: list[dict[str, Any]], turns: int) -> list[bytes]:
    """Return the whole conversation as one request, or its first `turns` requests in turn."""
    if turns == 1:
        return [orjson.dumps(messages)]
    # A model was asked before each of its messages, and is asked at the end.
    ends = [
        at
        for at in range(1, len(messages) + 1)
        if (at == len(messages) or messages[at]["role"] == "assistant")
        and messages[at - 1]["role"] != "assistant"
    ]
    return [orjson.dumps(messages[:end]) for end in ends[:turns]]


# ── who says it, and how ─────────────────────────────────────────────────────────────────────────


def _conversation(
    random: Random, scenario: Scenario, turns: Sequence[bytes], at_s: float
) -> Conversation:
    levels = scenario.levels
    level = random.choices(list(levels), list(levels.values()))[0] if levels else None
    clients = scenario.clients
    streams = random.random() < clients.stream
    slow = random.random() < clients.slow
    return tuple(
        Ask(
            at_s=at_s,
            messages=messages,
            stream=streams,
            level=level,
            leave_after=_leave_after(random, clients, scenario.answers.latency_s, streams=streams),
            slow=slow,
        )
        for messages in turns
    )


def _leave_after(
    random: Random, clients: Clients, latency_s: float, *, streams: bool
) -> float | None:
    if random.random() >= clients.aborts:
        return None
    return random.random() * (1.0 if streams else max(latency_s, LEAVE_S_MAX))
