"""The scripts of the limits against a model in Python: the same answers, whatever comes in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
import redis
from hypothesis import HealthCheck, given, settings, strategies as st

from korad.adapters.limit_plan import Plan, Plans
from korad.adapters.redis_keys import ShardKeys
from korad.adapters.redis_scripts import load_script
from korad.domain.limits import Budget, EntityLimits, HoldRequest, Limits, Reset
from tests.support.redis import redis_binary, redis_server

__all__ = ["redis_binary", "redis_server"]

STARTED_MS = 1_795_694_400_000
"""2026-11-26, 12:00 UTC: a Thursday."""
KEYS = ShardKeys(0)
# Which sums count for which budget: some of today, of Monday, of ten days ago, of the month before.
SPENT_AT = {
    "": set(Reset),
    "2026-11-26T12": set(Reset),
    "2026-11-25T13": set(Reset) - {Reset.DAY},
    "2026-11-23T00": {Reset.NEVER, Reset.WEEK, Reset.MONTH, Reset.LAST_7D, Reset.LAST_30D},
    "2026-11-20T00": {Reset.NEVER, Reset.MONTH, Reset.LAST_7D, Reset.LAST_30D},
    "2026-11-01T00": {Reset.NEVER, Reset.MONTH, Reset.LAST_30D},
    "2026-10-28T00": {Reset.NEVER, Reset.LAST_30D},
    "2026-10-27T23": {Reset.NEVER},
}
ENTITIES = ("vk_1", "tm_1", "cu_1")

amounts = st.integers(0, 60) | st.integers(0, 2**50)
budgets = st.builds(
    Budget, limit_nano_usd=st.integers(0, 200) | st.integers(0, 2**52), reset=st.sampled_from(Reset)
)
limits = st.builds(
    Limits,
    budgets=st.lists(budgets, max_size=3).map(tuple),
    concurrent_max=st.none() | st.integers(0, 4),
)
spends = st.tuples(
    st.just("spend"),
    st.sampled_from(ENTITIES),
    st.sampled_from([moment for moment in SPENT_AT if moment]),
    amounts,
)
holds = st.integers(0, 5)
reserves = st.tuples(st.just("reserve"), holds, amounts, amounts)
extends = st.tuples(st.just("extend"), holds, amounts)
releases = st.tuples(st.just("release"), holds, st.booleans())
steps = st.lists(spends | reserves | extends | releases, max_size=25)


@dataclass
class Model:
    """What the scripts are to do, told another way."""

    limits: tuple[EntityLimits, ...]
    spent: list[tuple[str, str, int]] = field(default_factory=list)
    holds: dict[str, tuple[int, bool]] = field(default_factory=dict)

    def left(self) -> Iterator[int]:
        held = sum(amount for amount, _ in self.holds.values())
        for row in self.limits:
            for budget in row.limits.budgets:
                spent = sum(
                    amount
                    for entity, moment, amount in self.spent
                    if entity == row.entity and budget.reset in SPENT_AT[moment]
                )
                yield budget.limit_nano_usd - spent - held

    def reserve(self, hold: str, amount: int, least: int) -> list[int]:
        if hold in self.holds:
            return [1, self.holds[hold][0]]
        for place, left in enumerate(self.left(), start=1):
            if left < least:
                return [0, 1, place, 0]
        under_way = sum(1 for _, counts in self.holds.values() if counts)
        for place, row in enumerate(self.limits, start=1):
            most = row.limits.concurrent_max
            if most is not None and under_way >= most:
                return [0, 2, place, 0]
        granted = min((amount, *self.left()))
        self.holds[hold] = (granted, True)
        return [1, granted]

    def extend(self, hold: str, extra: int) -> list[int]:
        if hold not in self.holds:
            return [-1]
        granted = max(0, min((extra, *self.left())))
        held, under_way = self.holds[hold]
        self.holds[hold] = (held + granted, under_way)
        return [1, granted]

    def release(self, hold: str, *, drop: bool) -> int:
        if hold not in self.holds or not (drop or self.holds[hold][1]):
            return 0
        if drop:
            del self.holds[hold]
        else:
            self.holds[hold] = (self.holds[hold][0], False)
        return 1


class Scripts:
    """The scripts themselves, on a server with books that have just begun."""

    def __init__(self, client: redis.Redis, plan: Plan) -> None:
        client.flushall()
        client.set(KEYS.generation, "g")
        self.client = client
        self.plan = plan
        self.reserve_script = client.register_script(load_script("reserve").text)
        self.extend_script = client.register_script(load_script("extend").text)
        self.release_script = client.register_script(load_script("release").text)

    def reserve(self, hold, amount, least):
        words = (hold, "m1-w00-e1", amount, least, 1, *self.plan.entity_args)
        reply = self.reserve_script(self.plan.keys, (*words, *self.plan.budget_args))
        return [int(number) for number in reply]

    def extend(self, hold, extra):
        words = (hold, extra, len(self.plan.budgets), *self.plan.budget_args)
        return [int(number) for number in self.extend_script(self.plan.keys, words)]

    def release(self, hold, *, drop):
        return self.release_script(self.plan.release_keys, (hold, "1" if drop else "0", 0, 1))

    def spend(self, entity, moment, amount):
        for period in ("", moment[:7], moment[:10], moment):
            self.client.hincrby(KEYS.sums(period), entity, amount)

    def totals(self, key):
        return {name.decode(): int(sum_) for name, sum_ in self.client.hgetall(key).items()}


def request(rows):
    return HoldRequest(
        hold_id="", producer="m1-w00-e1", account="cu_1", limits=rows, started_ms=STARTED_MS,
        amount_nano_usd=0, least_nano_usd=0, tokens=1, fail_closed=False, key_id="vk_1",
    )  # fmt: skip


@pytest.fixture
def client(redis_server):
    with redis_server.client() as client:
        yield client


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(each=st.tuples(limits, limits, limits), steps=steps)
def test_the_scripts_answer_as_the_model_does(client, each, steps):
    rows = tuple(
        EntityLimits(entity=entity, limits=own) for entity, own in zip(ENTITIES, each, strict=True)
    )
    model, scripts = Model(rows), Scripts(client, Plans(1).plan(request(rows)))

    for what, *terms in steps:
        if what == "spend":
            scripts.spend(*terms)
            model.spent.append(tuple(terms))
        elif what == "reserve":
            number, amount, more = terms
            args = (f"req_{number}", amount + more, amount)
            assert model.reserve(*args) == scripts.reserve(*args)
        elif what == "extend":
            assert model.extend(f"req_{terms[0]}", terms[1]) == scripts.extend(
                f"req_{terms[0]}", terms[1]
            )
        else:
            hold, drop = f"req_{terms[0]}", terms[1]
            assert model.release(hold, drop=drop) == scripts.release(hold, drop=drop)

    held = sum(amount for amount, _ in model.holds.values())
    under_way = sum(1 for _, counts in model.holds.values() if counts)
    assert set(model.holds) == {name.decode() for name in client.hkeys(KEYS.hold)}
    for entity in ENTITIES:
        assert held == scripts.totals(KEYS.held).get(entity, 0)
        assert under_way == scripts.totals(KEYS.open).get(entity, 0)
