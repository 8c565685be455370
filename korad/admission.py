"""May this exchange spend now? What it asks for, over which periods, and what a refusal says."""

from __future__ import annotations

from binascii import crc_hqx
from collections import deque
from datetime import date

from korad.domain.limits import Budget, Reset
from korad.domain.money import MARGIN_BP_ONE, PICO_USD_PER_NANO_USD, format_usd
from korad.domain.value import Fact
from korad.errors import ClientError, ServerError, server_error

HOURS_KEPT = 24
DAYS_KEPT = 30
COMPLETION_TOKENS_DEFAULT = 1024
"""Expected of a model of which too little is known."""
CHOICES_MAX = 1_024
TOKENS_MAX = 100_000_000
AMOUNT_MAX_NANO_USD = 10**15
MODELS_MAX = 1024
SIZES_KEPT = 64
SIZES_LEAST = 16

_MS_PER_HOUR = 3_600_000
_HOURS_PER_DAY = 24
_DAY_0 = date(1970, 1, 1).toordinal()
_NANO_DIVISOR = MARGIN_BP_ONE * PICO_USD_PER_NANO_USD
_NOUNS = {"vk": "virtual key", "tm": "team", "cu": "customer"}
_PERIODS = {
    Reset.NEVER: "in all",
    Reset.DAY: "per day (UTC)",
    Reset.WEEK: "per week (from Monday, UTC)",
    Reset.MONTH: "per month (UTC)",
    Reset.LAST_24H: "in any 24 hours",
    Reset.LAST_7D: "in any 7 days",
    Reset.LAST_30D: "in any 30 days",
}
_RENEWALS = {
    Reset.NEVER: "It does not begin anew.",
    Reset.DAY: "It begins anew at 00:00 UTC.",
    Reset.WEEK: "It begins anew on Monday at 00:00 UTC.",
    Reset.MONTH: "It begins anew on the first of next month at 00:00 UTC.",
    Reset.LAST_24H: "What was spent leaves it hour by hour.",
    Reset.LAST_7D: "What was spent leaves it day by day, at 00:00 UTC.",
    Reset.LAST_30D: "What was spent leaves it day by day, at 00:00 UTC.",
}


# ── where and when ───────────────────────────────────────────────────────────────────────────


def shard_of(account: str, shards: int) -> int:
    """Return the shard of an account: the one its events go to."""
    return crc_hqx(account.encode(), 0) % shards


class Periods(Fact, frozen=True):
    """The names of the periods that end in one hour, in UTC, each list from the newest back."""

    hour: int
    """Hours since 1970."""
    weekday: int
    """0 is Monday."""
    month: str
    """"2026-11"."""
    days: tuple[str, ...]
    """30 of "2026-11-26"."""
    hours: tuple[str, ...]
    """24 of "2026-11-26T12"."""

    def window(self, reset: Reset) -> tuple[str, ...]:
        """Return the periods whose sums are what was spent since `reset`; none for NEVER."""
        match reset:
            case Reset.NEVER:
                return ()
            case Reset.MONTH:
                return (self.month,)
            case Reset.LAST_24H:
                return self.hours
            case Reset.DAY:
                return self.days[:1]
            case Reset.WEEK:
                return self.days[: self.weekday + 1]
            case Reset.LAST_7D:
                return self.days[:7]
            case Reset.LAST_30D:
                return self.days


def hour_of(unix_ms: int) -> int:
    """Return the hours since 1970 of a time: what `periods` depends on."""
    return unix_ms // _MS_PER_HOUR


def periods(hour: int) -> Periods:
    """Return the periods that an exchange of this hour (`hour_of`) counts in."""
    today = _day(hour)
    return Periods(
        hour=hour,
        weekday=today.weekday(),
        month=today.isoformat()[:7],
        days=tuple(_day(hour - back * _HOURS_PER_DAY).isoformat() for back in range(DAYS_KEPT)),
        hours=tuple(
            f"{_day(past).isoformat()}T{past % _HOURS_PER_DAY:02d}"
            for past in range(hour, hour - HOURS_KEPT, -1)
        ),
    )


def _day(hour: int) -> date:
    return date.fromordinal(_DAY_0 + hour // _HOURS_PER_DAY)


# ── how much ─────────────────────────────────────────────────────────────────────────────────


class HoldSizes(Fact, frozen=True):
    """What an exchange asks of its limits before it begins."""

    amount_nano_usd: int
    least_nano_usd: int
    tokens: int


def hold_sizes(  # noqa: PLR0913 - the terms of one product
    *,
    prompt_tokens: int,
    max_tokens: int | None,
    choices: int,
    stream: bool,
    input_pico_usd: int,
    output_pico_usd: int,
    margin_bp: int,
    slice_tokens: int,
    expected_completion: int,
) -> HoldSizes:
    """Return what to hold: a stream begins with a slice and extends, the rest asks for it all.

    `max_tokens` and `expected_completion` are per choice. An answer without `max_tokens` may turn
    out longer than expected: it is billed all the same.
    """

    def cost(completion_tokens: int) -> int:
        return running_cost_nano_usd(
            prompt_tokens, completion_tokens, input_pico_usd, output_pico_usd, margin_bp
        )

    # Clients choose both: beyond this Redis could not add, and no budget would allow it.
    choices = min(choices, CHOICES_MAX)
    if max_tokens is not None:
        max_tokens = min(max_tokens, TOKENS_MAX)
    likely = (expected_completion if max_tokens is None else max_tokens) * choices
    first = (slice_tokens if max_tokens is None else min(max_tokens, slice_tokens)) * choices
    amount = min(AMOUNT_MAX_NANO_USD, cost(first if stream else likely))
    least = amount if stream or max_tokens is not None else min(amount, cost(first))
    return HoldSizes(amount_nano_usd=amount, least_nano_usd=least, tokens=prompt_tokens + likely)


def running_cost_nano_usd(
    prompt_tokens: int,
    completion_tokens: int,
    input_pico_usd: int,
    output_pico_usd: int,
    margin_bp: int,
) -> int:
    """Return what so many tokens are charged at most, in nano-USD, rounded up."""
    cost_pico_usd = prompt_tokens * input_pico_usd + completion_tokens * output_pico_usd
    return -(-cost_pico_usd * margin_bp // _NANO_DIVISOR)


class CompletionSizes:
    """How long the answers of each model have been of late."""

    def __init__(self) -> None:
        self._recent: dict[str, deque[int]] = {}
        self._expected: dict[str, int] = {}

    def note(self, model: str, tokens: int) -> None:
        """Take the completion tokens of one choice."""
        recent = self._recent.get(model)
        if recent is None:
            if len(self._recent) >= MODELS_MAX:
                # The one that came first: what is asked for often is soon known again.
                oldest = next(iter(self._recent))
                del self._recent[oldest]
                self._expected.pop(oldest, None)
            recent = self._recent[model] = deque(maxlen=SIZES_KEPT)
        recent.append(tokens)
        self._expected.pop(model, None)

    def expected(self, model: str) -> int:
        """Return twice what 95 of 100 recent answers stay within, 1024 for an unknown model."""
        known = self._expected.get(model)
        if known is not None:
            return known
        recent = self._recent.get(model)
        if recent is None or len(recent) < SIZES_LEAST:
            return COMPLETION_TOKENS_DEFAULT
        tokens = 2 * sorted(recent)[-(-len(recent) * 95 // 100) - 1]
        self._expected[model] = tokens
        return tokens


# ── what a refusal says ──────────────────────────────────────────────────────────────────────


def budget_exceeded(entity: str | None = None, budget: Budget | None = None) -> ClientError:
    """Return the 402 for a budget that is used up; without arguments for one that is not known."""
    if entity is None or budget is None:
        message = "A budget of this virtual key, its team or its customer is used up."
    else:
        message = (
            f"The budget of {_named(entity)}, {format_usd(budget.limit_nano_usd)} "
            f"{_PERIODS[budget.reset]}, is used up, or has less left than this request may cost. "
            f"{_RENEWALS[budget.reset]} "
            "Requests under way count; a request's max_tokens bounds what it may cost."
        )
    return ClientError(
        402,
        message,
        kind="insufficient_quota",
        code="budget_exceeded",
        headers=(("x-should-retry", "false"),),
    )


def request_limited(entity: str, per_minute: int, wait_ms: int) -> ClientError:
    """Return the 429 for too many requests a minute."""
    return _limited(
        f"{_named(entity)} may make {per_minute} requests per minute.", "request_limited", wait_ms
    )


def token_limited(entity: str, per_minute: int, wait_ms: int) -> ClientError:
    """Return the 429 for too many tokens a minute."""
    return _limited(
        f"{_named(entity)} may use {per_minute} tokens per minute.", "token_limited", wait_ms
    )


def concurrency_limited(entity: str, concurrent_max: int) -> ClientError:
    """Return the 429 for too many requests at once."""
    return _limited(
        f"{_named(entity)} may have {concurrent_max} requests under way at once.",
        "concurrency_limited",
        1000,
    )


def limits_unavailable() -> ServerError:
    """Return the 503 for limits that cannot be checked now."""
    return server_error(
        503,
        "The limits of this virtual key cannot be checked now.",
        "limits_unavailable",
        retry_after_s=1,
    )


def _limited(message: str, code: str, wait_ms: int) -> ClientError:
    wait_ms = max(1, wait_ms)
    return ClientError(
        429,
        message[0].upper() + message[1:],
        kind="rate_limit_error",
        code=code,
        headers=(
            ("retry-after", str(-(-wait_ms // 1000))),
            ("retry-after-ms", str(wait_ms)),
        ),
    )


def _named(entity: str) -> str:
    return f"{_NOUNS.get(entity.partition('_')[0], 'account')} {entity}"
