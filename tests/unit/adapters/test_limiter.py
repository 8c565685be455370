"""What the limiter makes of Redis' answers, and of none: without a Redis."""

from __future__ import annotations

import pytest
from hiredis import ReplyError

from korad.adapters import limit_plan
from korad.adapters.circuit_breaker import FAILURES_MAX, PAUSE_NS, CircuitBreaker
from korad.adapters.late_holds import WAIT_NS, LateHolds
from korad.adapters.limit_plan import Plans
from korad.adapters.limiter import RedisLimiter
from korad.adapters.redis_errors import NotConnectedError, ReplyTimeoutError
from korad.adapters.shadow_limits import KEYS_MAX, QUIET_NS, ShadowLimits
from korad.config.settings import LimitsSettings
from korad.domain.limits import Budget, EntityLimits, Hold, HoldRequest, Limits, Reset

NEVER_SENT = NotConnectedError("not there")
TIMED_OUT = ReplyTimeoutError("late")


class FakePipeline:
    """Answers with `reply`, or keeps the question where there is none."""

    def __init__(self, reply=None):
        self.reply = reply
        self.calls = []

    def run(self, script, keys, args, then, *, deadline_s=None):
        self.calls.append((script.name, keys, args, then, deadline_s))
        if self.reply is not None:
            then(self.reply)

    @property
    def names(self):
        return [call[0] for call in self.calls]


class Clock:
    now = 0

    def __call__(self):
        return self.now


LIMITS = (
    EntityLimits(
        entity="vk_1",
        limits=Limits(
            budgets=(
                Budget(limit_nano_usd=1000, reset=Reset.DAY),
                Budget(limit_nano_usd=5000),
            ),
            requests_per_minute=60,
        ),
    ),
    EntityLimits(entity="cu_1", limits=Limits(tokens_per_minute=9000, concurrent_max=4)),
)


def ask(**changes):
    terms = {
        "hold_id": "req_1",
        "producer": "m1-w0-e1",
        "account": "cu_1",
        "limits": LIMITS,
        "started_ms": 1_790_000_000_000,
        "amount_nano_usd": 100,
        "least_nano_usd": 100,
        "tokens": 50,
        "fail_closed": False,
        "key_id": "vk_1",
    }
    return HoldRequest(**{**terms, **changes})


def limiter(pipeline, exposure_nano_usd=250):
    clock = Clock()
    settings = LimitsSettings(deadline_ms=15, exposure_nano_usd=exposure_nano_usd)
    made = RedisLimiter(pipeline, shards=16, settings=settings, now_ns=clock)
    return made, clock


def reserve(made, request):
    answers = []
    made.reserve(request, answers.append)
    assert 1 == len(answers)
    return answers[0]


def extend(made, request, extra):
    answers = []
    made.extend(request, extra, answers.append)
    assert 1 == len(answers)
    return answers[0]


def test_a_grant_is_a_hold():
    pipeline = FakePipeline([1, b"80"])
    made, _ = limiter(pipeline)

    answer = reserve(made, ask())

    assert (None, Hold.HELD, 80) == (answer.refusal, answer.hold, answer.granted_nano_usd)
    assert 0.015 == pipeline.calls[0][4]


@pytest.mark.parametrize(
    ("reply", "code", "says", "counter"),
    [
        (
            [0, 1, 1, 0],
            "budget_exceeded",
            "$0.000001 per day (UTC), is used up, or has less left than this request may cost",
            "budget",
        ),
        ([0, 1, 2, 0], "budget_exceeded", "$0.000005 in all", "budget"),
        ([0, 2, 2, 0], "concurrency_limited", "cu_1 may have 4", "concurrency"),
        ([0, 3, 1, 700], "request_limited", "vk_1 may make 60", "requests"),
        ([0, 4, 2, 700], "token_limited", "cu_1 may use 9000", "tokens"),
    ],
)
def test_a_refusal_says_which_limit(reply, code, says, counter):
    made, _ = limiter(FakePipeline(reply))

    answer = reserve(made, ask())

    assert code == answer.refusal.code
    assert says in answer.refusal.message
    assert Hold.NONE is answer.hold
    assert 1 == made.counters[f"refused_{counter}"]


@pytest.mark.parametrize(
    ("reply", "hold"),
    [
        (NEVER_SENT, Hold.NONE),
        (TIMED_OUT, Hold.UNKNOWN),
        ([-9], Hold.NONE),
        (ReplyError("LOADING Redis is loading"), Hold.NONE),
        (ReplyError("ERR no script: abc, on @user_script:80."), Hold.UNKNOWN),
    ],
)
def test_without_a_decision_the_policy_decides(reply, hold):
    pipeline = FakePipeline(reply)
    made, _ = limiter(pipeline)

    allowed = reserve(made, ask())
    refused = reserve(made, ask(fail_closed=True))

    assert (None, hold, 100) == (allowed.refusal, allowed.hold, allowed.granted_nano_usd)
    assert (503, "limits_unavailable") == (refused.refusal.status, refused.refusal.code)
    assert hold is refused.hold
    assert 2 == made.counters["unavailable"]


def test_a_refused_exchange_takes_back_what_it_may_have_taken():
    pipeline = FakePipeline(TIMED_OUT)
    made, _ = limiter(pipeline)

    reserve(made, ask(fail_closed=True))

    assert ["reserve", "release"] == pipeline.names
    assert (b"req_1", b"1", b"0", b"50", b"cu_1", b"9000") == pipeline.calls[1][2]


def test_exposure_ends_with_the_allowance_and_begins_anew_with_redis():
    pipeline = FakePipeline(NEVER_SENT)
    made, clock = limiter(pipeline, exposure_nano_usd=250)
    of_another_key = ask(key_id="vk_2")

    codes = [reserve(made, ask()).refusal for _ in range(3)]

    assert [None, None, "limits_unavailable"] == [error and error.code for error in codes]
    assert reserve(made, of_another_key).refusal is None
    # Where Redis answers now and then, an answer must not renew what is spent in between.
    for quiet_ns, refused in ((0, True), (QUIET_NS, True), (1, False)):
        clock.now += quiet_ns
        pipeline.reply = [0, 2, 2, 0]
        reserve(made, ask())
        pipeline.reply = NEVER_SENT
        assert refused == (reserve(made, ask()).refusal is not None)


def test_five_failures_open_the_breaker_and_one_request_a_second_tries():
    pipeline = FakePipeline(NEVER_SENT)
    made, clock = limiter(pipeline, exposure_nano_usd=10**9)
    for _ in range(FAILURES_MAX + 20):
        assert reserve(made, ask()).refusal is None
    assert FAILURES_MAX == len(pipeline.calls)
    assert (1, False) == (made.counters["breaker_opens"], made.available)

    clock.now += PAUSE_NS
    pipeline.reply = None
    probed = []
    made.reserve(ask(), probed.append)
    assert Hold.NONE is reserve(made, ask()).hold
    assert FAILURES_MAX + 1 == len(pipeline.calls)

    pipeline.calls[-1][3]([1, b"100"])
    assert Hold.HELD is probed[0].hold
    assert made.available
    pipeline.reply = [1, b"100"]
    assert Hold.HELD is reserve(made, ask()).hold


def test_a_failed_probe_keeps_the_breaker_open_for_another_second():
    breaker = CircuitBreaker()
    for _ in range(FAILURES_MAX):
        breaker.failed(0)

    assert breaker.may_call(PAUSE_NS)
    breaker.failed(PAUSE_NS)

    assert not breaker.may_call(2 * PAUSE_NS - 1)
    assert breaker.may_call(2 * PAUSE_NS)
    assert 1 == breaker.opens


def test_an_answer_between_failures_keeps_the_breaker_closed():
    breaker = CircuitBreaker()
    for _ in range(3):
        for _ in range(FAILURES_MAX - 1):
            breaker.failed(0)
        breaker.succeeded()

    assert not breaker.open


def test_a_hold_grows_by_what_redis_allows():
    made, _ = limiter(FakePipeline([1, b"30"]))

    assert 30 == extend(made, ask(), 40)


@pytest.mark.parametrize("reply", [[-1], [-9], NEVER_SENT, TIMED_OUT])
def test_without_a_hold_or_an_answer_the_policy_says_whether_it_grows(reply):
    made, _ = limiter(FakePipeline(reply), exposure_nano_usd=100)

    assert [60, 0] == [extend(made, ask(), 60), extend(made, ask(), 60)]
    assert 0 == extend(made, ask(fail_closed=True, key_id="vk_9"), 1)


def test_with_the_breaker_open_a_hold_grows_by_policy_at_once():
    pipeline = FakePipeline(NEVER_SENT)
    made, _ = limiter(pipeline, exposure_nano_usd=10**6)
    for _ in range(FAILURES_MAX + 1):
        extend(made, ask(), 10)

    assert FAILURES_MAX == len(pipeline.calls)


def test_a_release_is_sent_also_while_the_breaker_is_open():
    pipeline = FakePipeline(NEVER_SENT)
    made, _ = limiter(pipeline)
    for _ in range(FAILURES_MAX):
        reserve(made, ask(fail_closed=True))

    made.release(ask(), 20)

    assert "release" == pipeline.names[-1]
    assert (b"req_1", b"0", b"20", b"50", b"cu_1", b"9000") == pipeline.calls[-1][2]


def test_a_hold_that_may_come_late_is_dropped_a_while_after_its_exchange():
    pipeline = FakePipeline(TIMED_OUT)
    made, clock = limiter(pipeline)
    reserve(made, ask(hold_id="late"))
    pipeline.reply = [1, b"1"]
    clock.now += 5 * WAIT_NS
    reserve(made, ask(hold_id="while it is under way"))
    made.release(ask(hold_id="late"), 50)
    clock.now += WAIT_NS - 1
    reserve(made, ask(hold_id="before"))
    assert ["reserve", "reserve", "release", "reserve"] == pipeline.names

    clock.now += 1
    for _ in range(3):
        reserve(made, ask(hold_id="after"))

    ended = [call[2][:2] for call in pipeline.calls[4:] if call[0] == "release"]
    assert [(b"late", b"1")] == ended


def test_a_hold_that_was_answered_in_time_is_not_dropped():
    late = LateHolds()
    late.end("req_1", 0)

    assert late.take_due(WAIT_NS) is None


def test_all_keys_lie_in_one_slot_and_windows_share_them():
    everything = tuple(Budget(limit_nano_usd=1, reset=reset) for reset in Reset)
    limits = (EntityLimits(entity="cu_1", limits=Limits(budgets=everything)),)

    plan = Plans(16).plan(ask(limits=limits))

    tags = {key[key.index(b"{") : key.index(b"}") + 1] for key in plan.keys}
    assert 1 == len(tags)
    assert 6 + 1 + 30 + 24 == len(plan.keys) == len(set(plan.keys))


def test_a_plan_is_made_once_an_hour_for_the_same_limits():
    plans = Plans(16)

    first = plans.plan(ask())

    assert first is plans.plan(ask(hold_id="req_2"))
    assert first is not plans.plan(ask(started_ms=1_790_000_000_000 + 3_600_000))
    assert first.keys != plans.plan(ask(account="cu_other")).keys


def test_only_so_many_plans_and_keys_are_remembered(monkeypatch):
    monkeypatch.setattr(limit_plan, "PLANS_MAX", 10)
    plans = Plans(1)
    for _ in range(25):
        plans.plan(ask(limits=(LIMITS[0],)))
    shadow = ShadowLimits(10)
    for number in range(KEYS_MAX):
        assert shadow.take(f"vk_{number}", 1, number)

    assert len(plans._plans) <= 10
    assert not shadow.take("vk_one_more", 1, KEYS_MAX)
    assert shadow.take("vk_0", 1, KEYS_MAX)
    assert shadow.take("vk_one_more", 1, KEYS_MAX + QUIET_NS)
