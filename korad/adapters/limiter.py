"""Budgets and rates, kept by Redis for all workers of all machines.

An exchange takes what it may come to cost before it begins (reserve.lua), takes more while it runs
(extend.lua), and gives back what is no money when it is over (release.lua). Its event, settled by
another process, ends the hold.

Redis that does not answer within the deadline decides nothing: the policy of the key does. A key
that fails open may spend an allowance, one that fails closed hears 503.
"""

from __future__ import annotations

from collections.abc import Callable

from hiredis import ReplyError

from korad.adapters.circuit_breaker import CircuitBreaker
from korad.adapters.late_holds import LateHolds
from korad.adapters.limit_plan import Plan, Plans
from korad.adapters.redis_errors import PipelineError
from korad.adapters.redis_pipeline import RedisPipeline
from korad.adapters.redis_scripts import load_script
from korad.adapters.shadow_limits import ShadowLimits
from korad.admission import (
    budget_exceeded,
    concurrency_limited,
    limits_unavailable,
    request_limited,
    shard_of,
    token_limited,
)
from korad.clock import monotonic_ns
from korad.config.settings import LimitsSettings
from korad.domain.limits import Admission, Hold, HoldRequest
from korad.errors import KoradError

_GRANTED, _REFUSED, _HOLD_GONE = 1, 0, -1
_BUDGET, _CONCURRENCY, _REQUESTS, _TOKENS = 1, 2, 3, 4
_COUNTER_OF = {
    _BUDGET: "refused_budget",
    _CONCURRENCY: "refused_concurrency",
    _REQUESTS: "refused_requests",
    _TOKENS: "refused_tokens",
}


class RedisLimiter:
    """The limits of one worker's exchanges. Use it on the pipeline's event loop.

    `counters`: "asked"; refused by Redis: "refused_budget", "refused_concurrency",
    "refused_requests", "refused_tokens"; "unavailable" (Redis did not decide), of which
    "allowed_unchecked" and "refused_unavailable"; "breaker_opens".
    """

    def __init__(
        self,
        pipeline: RedisPipeline,
        *,
        shards: int,
        settings: LimitsSettings,
        now_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        """`now_ns`: nanoseconds of a clock that never goes back."""
        self._pipeline = pipeline
        self._deadline_s = settings.deadline_ms / 1000
        self._now_ns = now_ns
        self._plans = Plans(shards)
        self._shards = shards
        # Per shard: where one node of a cluster hangs, what the others answer must neither close
        # its breaker nor renew the allowances of its keys.
        self._breakers = [CircuitBreaker() for _ in range(shards)]
        self._shadows = [ShadowLimits(settings.exposure_nano_usd) for _ in range(shards)]
        self._lates = [LateHolds() for _ in range(shards)]
        self._reserve = load_script("reserve")
        self._extend = load_script("extend")
        self._release = load_script("release")
        self.counters = dict.fromkeys(
            (
                "asked",
                *_COUNTER_OF.values(),
                "unavailable",
                "allowed_unchecked",
                "refused_unavailable",
                "breaker_opens",
            ),
            0,
        )

    # ── ports.Limiter ────────────────────────────────────────────────────────────────────────

    def reserve(self, ask: HoldRequest, then: Callable[[Admission], None]) -> None:
        """Call `then` on the event loop, at once or within the deadline, exactly once.

        A refusal whose hold is UNKNOWN has been cancelled as far as that is possible; where Redis
        never hears of it, only an event with this hold id ends the hold.
        """
        self.counters["asked"] += 1
        if not self._breaker(ask).may_call(self._now_ns()):
            then(self._unchecked(ask, Hold.NONE))
            return
        plan = self._plans.plan(ask)

        def take(reply: object) -> None:
            then(self._admission(ask, plan, reply))

        args = (
            ask.hold_id.encode(),
            ask.producer.encode(),
            b"%d" % ask.amount_nano_usd,
            b"%d" % ask.least_nano_usd,
            b"%d" % ask.tokens,
            *plan.entity_args,
            *plan.budget_args,
        )
        self._pipeline.run(self._reserve, plan.keys, args, take, deadline_s=self._deadline_s)

    def extend(self, ask: HoldRequest, extra_nano_usd: int, then: Callable[[int], None]) -> None:
        """Make a hold larger; `then` gets by how many nano-USD it grew, 0 where it may not.

        Without an answer of Redis, or without the hold there, the key's policy decides.
        """
        if not self._breaker(ask).may_call(self._now_ns()):
            then(self._grown_unchecked(ask, extra_nano_usd))
            return
        plan = self._plans.plan(ask)

        def take(reply: object) -> None:
            answer = self._answer(ask, reply)
            if answer is None or answer[0] == _HOLD_GONE:
                then(self._grown_unchecked(ask, extra_nano_usd))
            else:
                then(int(answer[1]))

        args = (
            ask.hold_id.encode(),
            b"%d" % extra_nano_usd,
            b"%d" % len(plan.budgets),
            *plan.budget_args,
        )
        self._pipeline.run(self._extend, plan.keys, args, take, deadline_s=self._deadline_s)

    def release(self, ask: HoldRequest, used_tokens: int) -> None:
        """Say that the exchange is over: it no longer counts as under way.

        The tokens it did not use are given back. Its money stays held until its event is settled;
        so does all of it where Redis cannot be told.
        """
        self._end(ask, used_tokens, drop=False)

    # ── beyond it ────────────────────────────────────────────────────────────────────────────

    def cancel(self, ask: HoldRequest) -> None:
        """Give everything back: the exchange never began, and no event will end its hold."""
        self._end(ask, 0, drop=True)

    @property
    def available(self) -> bool:
        """Whether Redis is asked: false from five failures in a row until it answers again.

        Of a cluster: whether all of it is.
        """
        return not any(breaker.open for breaker in self._breakers)

    # ── within ───────────────────────────────────────────────────────────────────────────────

    def _end(self, ask: HoldRequest, used_tokens: int, *, drop: bool) -> None:
        self._late(ask).end(ask.hold_id, self._now_ns())
        self._send_end(ask, used_tokens, drop=drop)

    def _send_end(self, ask: HoldRequest, used_tokens: int, *, drop: bool) -> None:
        plan = self._plans.plan(ask)
        args = (
            ask.hold_id.encode(),
            b"1" if drop else b"0",
            b"%d" % used_tokens,
            b"%d" % ask.tokens,
            *plan.release_args,
        )
        # Nobody waits for it, and what it would have given back, the event does.
        self._pipeline.run(self._release, plan.release_keys, args, _ignore)

    def _breaker(self, ask: HoldRequest) -> CircuitBreaker:
        return self._breakers[shard_of(ask.account, self._shards)]

    def _shadow(self, ask: HoldRequest) -> ShadowLimits:
        return self._shadows[shard_of(ask.account, self._shards)]

    def _late(self, ask: HoldRequest) -> LateHolds:
        return self._lates[shard_of(ask.account, self._shards)]

    def _answer(self, ask: HoldRequest, reply: object) -> list[bytes | int] | None:
        """Return what a script answered, None where it decided nothing, and tell the breaker."""
        if reply.__class__ is list and reply[0] in (_GRANTED, _REFUSED, _HOLD_GONE):
            self._breaker(ask).succeeded()
            if reply[0] != _HOLD_GONE:
                self._shadow(ask).answered(ask.key_id, self._now_ns())
            late = self._late(ask).take_due(self._now_ns())
            if late is not None:
                self._send_end(late, 0, drop=True)
            return reply
        if not _failed_within(reply):
            self._breaker(ask).failed(self._now_ns())
        self.counters["breaker_opens"] = sum(breaker.opens for breaker in self._breakers)
        return None

    def _admission(self, ask: HoldRequest, plan: Plan, reply: object) -> Admission:
        answer = self._answer(ask, reply)
        if answer is None:
            return self._unchecked(ask, _hold_after(reply))
        if answer[0] == _GRANTED:
            return Admission(refusal=None, hold=Hold.HELD, granted_nano_usd=int(answer[1]))
        return Admission(refusal=self._refusal(plan, answer), hold=Hold.NONE)

    def _refusal(self, plan: Plan, answer: list[bytes | int]) -> KoradError:
        _, kind, place, wait_ms = (int(number) for number in answer)
        self.counters[_COUNTER_OF[kind]] += 1
        if kind == _BUDGET:
            return budget_exceeded(*plan.budgets[place - 1])
        who = plan.limits[place - 1]
        if kind == _CONCURRENCY:
            return concurrency_limited(who.entity, who.limits.concurrent_max or 0)
        if kind == _REQUESTS:
            return request_limited(who.entity, who.limits.requests_per_minute or 0, wait_ms)
        return token_limited(who.entity, who.limits.tokens_per_minute or 0, wait_ms)

    def _unchecked(self, ask: HoldRequest, hold: Hold) -> Admission:
        """Decide without Redis."""
        self.counters["unavailable"] += 1
        if hold is Hold.UNKNOWN:
            self._late(ask).begin(ask)
        amount = ask.amount_nano_usd
        if not ask.fail_closed and self._shadow(ask).take(ask.key_id, amount, self._now_ns()):
            self.counters["allowed_unchecked"] += 1
            return Admission(refusal=None, hold=hold, granted_nano_usd=amount)
        self.counters["refused_unavailable"] += 1
        if hold is Hold.UNKNOWN:
            # On the same connection it comes after the reserve, should that still be executed.
            self.cancel(ask)
        return Admission(refusal=limits_unavailable(), hold=hold)

    def _grown_unchecked(self, ask: HoldRequest, extra_nano_usd: int) -> int:
        now_ns = self._now_ns()
        allowed = not ask.fail_closed and self._shadow(ask).take(ask.key_id, extra_nano_usd, now_ns)
        return extra_nano_usd if allowed else 0


def _hold_after(reply: object) -> Hold:
    """Return whether a hold may exist after an answer that is none."""
    if isinstance(reply, PipelineError):
        return Hold.UNKNOWN if reply.may_have_run else Hold.NONE
    # A script that fails half-way leaves what it has written.
    return Hold.UNKNOWN if _failed_within(reply) else Hold.NONE


def _failed_within(reply: object) -> bool:
    """Return whether a script failed while it ran: Redis is well, the request is odd.

    The error names the line; one of a server that does not run it at all (LOADING, CLUSTERDOWN,
    OOM, ...) has none to name.
    """
    return isinstance(reply, ReplyError) and "user_script" in str(reply)


def _ignore(_: object) -> None:
    pass
