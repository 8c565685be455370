"""Invoices, FOCUS rows, pages, and what the chain notices."""

from __future__ import annotations

from decimal import Decimal

import pytest

from korad.ledger import LedgerBooks
from korad.ledger.amounts import cents_usd, exact_usd, to_cents
from korad.ledger.chain import doubles_of, faults_of
from korad.ledger.entries import milliseconds
from korad.ledger.focus import COLUMNS, focus_rows
from korad.ledger.invoice import invoice_of
from korad.ledger.reports import Period, lines, payloads
from tests.support.ledger import NOON_MS, PRODUCER, an_entry, an_event, entries

CENT = 10_000_000


def book(ledger, *events):
    ledger.add([an_entry(event, place) for place, event in enumerate(events, 1)], NOON_MS)


def at(day):
    return milliseconds(f"{day}T10:00:00.000Z")


@pytest.mark.parametrize(
    ("nano", "shown"),
    [
        (0, "0.000000000"),
        (787_950, "0.000787950"),
        (-1, "-0.000000001"),
        (2**63 - 1, "9223372036.854775807"),
    ],
)
def test_amounts_are_shown_with_every_digit(nano, shown):
    assert exact_usd(nano) == shown
    assert Decimal(shown).scaleb(9) == nano


@pytest.mark.parametrize(
    ("nano", "cents", "residue"),
    [
        (0, 0, 0),
        (CENT // 2, 0, CENT // 2),
        (CENT // 2 + 1, 1, 1 - CENT // 2),
        (3 * CENT // 2, 2, -CENT // 2),
        (-CENT // 2 - 1, -1, CENT // 2 - 1),
    ],
)
def test_cents_and_residue_are_the_whole(nano, cents, residue):
    amount = to_cents(nano)

    assert (amount.cents, amount.residue_nano_usd) == (cents, residue)
    assert amount.cents * CENT + amount.residue_nano_usd == nano


def test_cents_are_shown_as_dollars():
    assert [cents_usd(each) for each in (0, 5, 1234, -5)] == ["0.00", "0.05", "12.34", "-0.05"]


def test_an_invoice_rounds_once_and_carries_the_rest_over(ledger):
    book(
        ledger,
        an_event(1, time_ms=at("2026-09-30"), billed=4_000_001),
        an_event(2, time_ms=at("2026-10-31"), billed=4_000_000),
        an_event(3, time_ms=at("2026-11-01"), billed=4_000_000),
        an_event(4, time_ms=at("2026-11-30"), billed=10_000_000, **{"gen_ai.request.model": "o9"}),
        an_event(5, time_ms=at("2026-12-01"), billed=99),
        an_event(6, time_ms=at("2026-11-02"), billed=99, key_id="vk_bob"),
    )
    months = [invoice_of(ledger, "vk_alice", month) for month in ("2026-09", "2026-10", "2026-11")]
    november = months[2]

    assert [each.due_cents for each in months] == [0, 1, 1]
    assert [each.carried_out_nano_usd for each in months] == [4_000_001, -1_999_999, 2_000_001]
    assert november.carried_in_nano_usd == -1_999_999
    assert november.billed_nano_usd == 14_000_000
    assert [(line.name, line.billed_nano_usd) for line in november.models] == [
        ("openai/gpt-4o", 4_000_000),
        ("openai/o9", 10_000_000),
    ]
    assert [line.name for line in november.days] == ["2026-11-01", "2026-11-30"]
    assert sum(each.billed_nano_usd for each in months) == (
        sum(each.due_cents for each in months) * CENT + november.carried_out_nano_usd
    )


@pytest.mark.parametrize("month", ["2026-13", "2026-1", "november", ""])
def test_what_is_no_month_has_no_invoice(ledger, month):
    with pytest.raises(ValueError, match="not a month"):
        invoice_of(ledger, "vk_alice", month)


def test_focus_rows_of_usage_and_savings_come_to_what_is_billed(ledger):
    book(ledger, an_event(1, billed=2**53 + 1), an_event(2, savings_nano_usd=-5))
    (line,) = lines(ledger, Period())
    usage, credit = focus_rows(line, {"vk_alice": "alice"})

    assert tuple(usage) == COLUMNS == tuple(credit)
    assert (usage["SubAccountName"], credit["BillingAccountName"]) == ("alice", "alice")
    assert (usage["ChargeCategory"], credit["ChargeCategory"]) == ("Usage", "Credit")
    assert credit["BilledCost"] == "-0.000000045"
    total = Decimal(usage["BilledCost"]) + Decimal(credit["BilledCost"])
    assert total.scaleb(9) == 2**53 + 1 + 1_502
    assert (usage["ChargePeriodStart"], usage["ChargePeriodEnd"]) == (
        "2026-11-26T00:00:00Z",
        "2026-11-27T00:00:00Z",
    )
    assert usage["BillingPeriodEnd"] == "2026-12-01T00:00:00Z"


def test_pages_come_in_the_order_of_time_and_leave_none_out(ledger):
    numbers = [*range(1500, 0, -1), *range(1501, 2601)]
    for first in range(0, len(numbers), 500):
        ledger.add(entries(*numbers[first : first + 500]), NOON_MS)
    everything = list(payloads(ledger, Period()))
    some = list(payloads(ledger, Period(since_ms=NOON_MS + 10, until_ms=NOON_MS + 20)))

    assert everything == [an_event(n).decode() for n in range(1, 2601)]
    assert some == [an_event(n).decode() for n in range(10, 20)]
    assert list(payloads(ledger, Period(), "vk_bob")) == []


def test_a_period_leaves_its_end_out(ledger):
    midnight = milliseconds("2026-11-27T00:00:00.000Z")
    book(ledger, an_event(1, time_ms=midnight - 1), an_event(2, time_ms=midnight))

    for until in (Period(until_ms=midnight), Period(since_ms=1, until_ms=midnight)):
        assert [line.day for line in lines(ledger, until)] == ["2026-11-26"]
    assert [line.day for line in lines(ledger, Period(since_ms=midnight))] == ["2026-11-27"]


def test_sums_keep_each_period_as_long_as_redis_does(ledger):
    now = at("2026-11-26")
    hour, day = 3_600_000, 86_400_000
    ages = (49 * hour, 52 * hour, 39 * day, 42 * day, 200 * day)
    book(ledger, *[an_event(n, time_ms=now - age, billed=1) for n, age in enumerate(ages, 1)])
    sums, _ = LedgerBooks(ledger).books(0, now)

    assert sums[""] == {"vk_alice": 5}
    assert sorted(len(period) for period in sums) == [0, 7, 7, 10, 10, 13]


@pytest.mark.parametrize(
    ("tampering", "told"),
    [
        ("UPDATE events SET billed_nano_usd = 1 WHERE number = 2", "does not say what its payload"),
        ("UPDATE events SET payload = payload || ' ' WHERE number = 2", "hash chain is broken"),
        ("DELETE FROM events WHERE number = 2", "entry 2 of the ledger is gone"),
        ("DELETE FROM events WHERE number = 4", "counts 4 events and holds 3"),
        ("UPDATE rollup SET billed_nano_usd = 1", "the daily sums are wrong for 2026-11-26"),
        ("DELETE FROM days", "counts"),
    ],
)
def test_the_chain_notices_what_was_changed(ledger, tampering, told):
    ledger.add(entries(1, 2), NOON_MS)
    ledger.add(entries(3, 4), NOON_MS + 86_400_000)
    before = faults_of(ledger)
    ledger.database.execute(tampering)
    if "days" in tampering:
        ledger.database.execute("UPDATE book SET entries = 9")

    assert before == []
    assert any(told in fault for fault in faults_of(ledger))


def test_a_request_that_was_booked_twice_is_told(ledger):
    book(ledger, an_event(1, request_id="r"), an_event(2, request_id="r"), an_event(3))

    assert doubles_of(ledger) == [("r", 2)]
    assert ledger.checkpoints() == {(PRODUCER, 0): 3}
