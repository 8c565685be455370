"""The periods of an event, and which may exist at a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from korad.billing.periods import EVER, keep_s, kept_periods, periods_of

moments = st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2035, 1, 1))  # noqa: DTZ001


def test_an_event_counts_for_ever_and_in_its_month_day_and_hour():
    assert ("", "2026-11", "2026-11-26", "2026-11-26T12") == periods_of("2026-11-26T12:00:00.123Z")


def test_a_sum_is_kept_as_long_as_a_budget_can_ask_for_it():
    day = 86_400
    assert [None, 70 * day, 40 * day, 50 * 3_600] == [
        keep_s(period) for period in periods_of("2026-11-26T12:00:00.123Z")
    ]


@given(now=moments, ago_s=st.integers(-3_600, 70 * 86_400))
def test_every_period_that_may_be_kept_is_known(now, ago_s):
    now = now.replace(tzinfo=UTC)
    kept = list(kept_periods(int(now.timestamp() * 1_000)))
    then = (now - timedelta(seconds=ago_s)).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    assert len(kept) == len(set(kept))
    for period in periods_of(then):
        if period == EVER or ago_s <= (keep_s(period) or 0):
            assert period in kept
