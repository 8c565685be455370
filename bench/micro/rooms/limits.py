"""What a key with limits asks for before its exchange begins."""

from __future__ import annotations

from collections.abc import Iterator

from bench.micro.work import Work
from korad.adapters.limit_plan import Plan, Plans, make_plan
from korad.admission import HoldSizes, hold_sizes, hour_of, periods
from korad.domain.limits import Budget, EntityLimits, HoldRequest, Limits, Reset

_STARTED_MS = 1_790_000_000_000
_SHARDS = 16
_LIMITS = (
    EntityLimits(
        entity="vk_1",
        limits=Limits(
            budgets=(
                Budget(limit_nano_usd=1_000, reset=Reset.DAY),
                Budget(limit_nano_usd=5_000, reset=Reset.MONTH),
            ),
            requests_per_minute=60,
        ),
    ),
    EntityLimits(entity="cu_1", limits=Limits(tokens_per_minute=9_000, concurrent_max=4)),
)
_ASK = HoldRequest(
    hold_id="req_1",
    producer="m1-w0-e1",
    account="cu_1",
    limits=_LIMITS,
    started_ms=_STARTED_MS,
    amount_nano_usd=100,
    least_nano_usd=100,
    tokens=50,
    fail_closed=False,
    key_id="vk_1",
)


def plan_again() -> Iterator[Work]:
    """Find the plan of limits that were planned this hour."""
    plans = Plans(_SHARDS)
    first = plans.plan(_ASK)
    yield Work(lambda: plans.plan(_ASK), lambda found: found is first)


def plan_new() -> Iterator[Work]:
    """Plan limits of a key and a customer with two budgets."""
    now = periods(hour_of(_STARTED_MS))

    def is_right(found: object) -> bool:
        return isinstance(found, Plan) and len(found.budgets) == len(_LIMITS[0].limits.budgets)

    yield Work(lambda: make_plan(_LIMITS, "cu_1", now, _SHARDS), is_right)


def sizes() -> Iterator[Work]:
    """Say what a stream asks to hold."""

    def call() -> HoldSizes:
        return hold_sizes(
            prompt_tokens=100,
            max_tokens=None,
            choices=1,
            stream=True,
            input_pico_usd=1_000_000,
            output_pico_usd=2_000_000,
            margin_bp=10_000,
            slice_tokens=256,
            expected_completion=1_024,
        )

    yield Work(
        call,
        lambda found: (
            isinstance(found, HoldSizes) and 0 < found.least_nano_usd <= found.amount_nano_usd
        ),
    )
