"""Booking: once each, in one transaction, with checkpoint, rollup and hash chain."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from hashlib import sha256

import orjson
import pytest

from korad.ledger import LedgerError
from korad.ledger.batch import ROWS_AT_ONCE, Added, inserts, read_rows
from korad.ledger.chain import faults_of
from korad.ledger.entries import NUMBER_MAX
from korad.ledger.reports import Period, lines, of_request
from korad.ledger.schema import BOOK, TABLES
from tests.support.ledger import (
    NOON_MS,
    PRODUCER,
    an_entry,
    an_event,
    entries,
    payloads_of,
    sqlite_ledger,
)

DAY_MS = 86_400_000


def test_an_event_is_booked_as_it_came(ledger):
    payload = an_event(1, client_request_id="mine \u00fc \U0001f600")
    added = ledger.add([an_entry(payload)], NOON_MS)

    assert added == Added(booked=1)
    assert [each.encode() for each in payloads_of(ledger)] == [payload]
    assert ledger.checkpoints() == {(PRODUCER, 0): 1}


def test_an_event_that_comes_again_is_not_booked_again(ledger):
    ledger.add(entries(1, 2), NOON_MS)
    added = ledger.add(entries(2, 3, 3, 1), NOON_MS)

    assert added == Added(booked=1, duplicates=3)
    assert len(payloads_of(ledger)) == 3
    assert sum(line.events for line in lines(ledger, Period())) == 3


def test_an_id_with_another_content_is_an_alarm_and_changes_nothing(ledger):
    ledger.add(entries(1), NOON_MS)
    forged = an_event(1, billed=1)
    added = [ledger.add([an_entry(forged)], NOON_MS) for _ in range(2)]

    assert added == [Added(conflicts=1)] * 2
    assert payloads_of(ledger) == [an_event(1).decode()]
    assert ledger.alarms() == {"conflicts": 1, "malformed": 0}


def test_two_contents_under_one_id_within_one_batch_are_an_alarm(ledger):
    added = ledger.add([an_entry(an_event(1)), an_entry(an_event(1, billed=1), 2)], NOON_MS)

    assert added == Added(booked=1, conflicts=1)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, 'an entry without the field "e"'),
        (b"", "not a billing event"),
        (b"\xff\x00{", "not a billing event"),
        (an_event(1)[:-1], "not a billing event"),
        (an_event(1, shard=3), "an event of shard 3 in the stream of shard 0"),
        (an_event(1, billed=-1), "cost_nano_usd is out of range: -1"),
        (an_event(1, billed=0, cost_nano_usd=2**63), "cost_nano_usd is out of range: 9"),
        (an_event(1, schema=2), "schema 2"),
        (an_event(0), "not an event id"),
        (an_event(1).replace(b"-000000001", b"-1"), "not an event id"),
        (an_event(1).replace(b"-000000001", b"-0000000001"), "not an event id"),
        (an_event(1).replace(b"-000000001", b"-+00000001"), "not an event id"),
        (an_event(1).replace(b"-s00-", b"-s000-"), "not an event id"),
        (an_event(1).replace(b'"ok"', b'"fine"'), "not a billing event"),
        (an_event(1).replace(b".001Z", b""), "a time without a zone"),
    ],
)
def test_what_is_no_event_is_kept_aside_and_stops_nothing(ledger, payload, reason):
    batch = [an_entry(payload), an_entry(an_event(1, producer="m0-w00-e1"), 2)]
    added = [ledger.add(batch, NOON_MS) for _ in range(2)]
    kept = ledger.database.execute("SELECT reason FROM malformed")

    assert added[0] == Added(booked=1, malformed=1)
    assert len(kept) == 1
    assert reason in kept[0][0]


def test_a_number_of_ten_digits_is_booked(ledger):
    assert ledger.add([an_entry(an_event(10**9))], NOON_MS) == Added(booked=1)


def test_a_zero_byte_in_a_name_is_booked(ledger):
    payload = an_event(1, client_request_id="a\x00b")
    added = ledger.add([an_entry(payload)], NOON_MS)

    assert added == Added(booked=1)
    assert payloads_of(ledger) == [payload.decode()]


def test_a_checkpoint_stops_before_the_first_number_that_is_missing(ledger):
    reached = []
    for numbers in ((3,), (1,), (5, 4), (2,), (7,), (6,)):
        ledger.add(entries(*numbers), NOON_MS)
        reached.append(ledger.checkpoints().get((PRODUCER, 0), 0))

    assert reached == [0, 1, 1, 5, 5, 7]


def test_a_checkpoint_runs_over_more_than_a_page(ledger):
    for first in range(2, 2602, 520):
        ledger.add(entries(*range(first, first + 520)), NOON_MS)
    before = ledger.checkpoints()
    ledger.add(entries(1), NOON_MS)

    assert (before, ledger.checkpoints()) == ({}, {(PRODUCER, 0): 2601})


def test_checkpoints_are_per_producer_and_shard(ledger):
    ledger.add(entries(1, 2), NOON_MS)
    ledger.add(entries(1, shard=7), NOON_MS)
    ledger.add(entries(1, 2, 3, producer="m0-w01-e1"), NOON_MS)

    assert ledger.checkpoints() == {(PRODUCER, 0): 2, (PRODUCER, 7): 1, ("m0-w01-e1", 0): 3}


def test_sums_are_exact_above_what_a_float_can_hold(ledger):
    odd = 2**53 + 1
    ledger.add([an_entry(an_event(n, billed=odd), n) for n in range(1, 4)], NOON_MS)
    ledger.add([an_entry(an_event(4, billed=NUMBER_MAX - 3 * odd), 4)], NOON_MS)

    assert [line.billed_nano_usd for line in lines(ledger, Period())] == [NUMBER_MAX]
    assert [line.billed_nano_usd for line in lines(ledger, Period(since_ms=1))] == [NUMBER_MAX]


def test_a_batch_that_the_database_refuses_is_booked_but_for_the_one_at_fault(ledger):
    ledger.add([an_entry(an_event(1, billed=NUMBER_MAX))], NOON_MS)
    added = ledger.add(
        [an_entry(an_event(2, billed=1), 2), an_entry(an_event(3, billed=0), 3)], NOON_MS
    )

    # SQLite makes of a sum that is too large a floating point number, which no column may hold.
    assert (added.booked, added.malformed) == (1, 1)
    assert [line.billed_nano_usd for line in lines(ledger, Period())] == [NUMBER_MAX]


@pytest.mark.parametrize("count", [ROWS_AT_ONCE - 1, ROWS_AT_ONCE, 2 * ROWS_AT_ONCE + 1])
def test_a_batch_of_many_is_booked_as_its_events_one_by_one(ledger, tmp_path, count):
    few = [an_entry(an_event(n, key_id=f"vk_{n}", team_id=None), n) for n in range(1, count + 1)]
    statement = "SELECT * FROM events ORDER BY entry"
    with sqlite_ledger(tmp_path / "one by one") as other:
        for entry in few:
            other.add([entry], NOON_MS)
        expected = other.database.execute(statement)

    assert ledger.add(few, NOON_MS) == Added(booked=count)
    assert expected == ledger.database.execute(statement)
    assert faults_of(ledger) == []
    assert ledger.add(few, NOON_MS) == Added(duplicates=count)


def test_one_event_that_is_refused_within_many_is_the_only_one_left_out(ledger):
    many = [
        an_entry(an_event(n, billed=NUMBER_MAX if n in {9, 30} else 0), n)
        for n in range(1, ROWS_AT_ONCE + 2)
    ]

    assert ledger.add(many, NOON_MS) == Added(booked=ROWS_AT_ONCE, malformed=1)
    assert len(payloads_of(ledger)) == ROWS_AT_ONCE
    assert faults_of(ledger) == []


def test_one_statement_of_many_rows_needs_no_file_to_be_undone(tmp_path):
    in_memory = 2
    with sqlite_ledger(tmp_path) as ledger:
        assert ledger.database.execute("PRAGMA temp_store") == [(in_memory,)]


def test_a_statement_has_no_more_parameters_than_any_sqlite_takes():
    with closing(sqlite3.connect(":memory:")) as db:
        db.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 999)
        db.execute(TABLES[0])
        rows = read_rows(entries(*range(1, ROWS_AT_ONCE + 1)))[0]
        for sql, parameters in inserts(rows, 1):
            db.executemany(sql, parameters)

        assert db.execute("SELECT COUNT(*) FROM events").fetchone() == (ROWS_AT_ONCE,)


def test_the_rollup_tells_the_same_as_the_events(ledger):
    for n in range(1, 40):
        event = an_event(n, time_ms=NOON_MS + n * 7_200_000, key_id=f"vk_{n % 3}")
        ledger.add([an_entry(event, n)], NOON_MS)

    assert lines(ledger, Period()) == lines(ledger, Period(since_ms=1))
    assert len(lines(ledger, Period())) > 6


def test_the_chain_covers_every_event_and_a_closed_day_gets_no_more(ledger):
    ledger.add(entries(1, 2), NOON_MS)
    ledger.add(entries(3), NOON_MS + DAY_MS)
    ledger.add(entries(4), NOON_MS)  # the clock was set back

    heads = [ledger.ledger_id]
    for n in range(1, 5):
        heads.append(sha256(heads[-1].encode() + an_event(n)).hexdigest())
    days = ledger.database.execute("SELECT day, first_entry, entries, head FROM days ORDER BY day")
    assert days == [("2026-11-26", 1, 2, heads[2]), ("2026-11-27", 3, 2, heads[4])]


def test_a_ledger_stays_what_it_is_when_it_is_opened_again(ledger, open_again):
    ledger.add(entries(1, 2), NOON_MS)
    ledger_id = ledger.ledger_id
    ledger.close()
    again = open_again()

    assert again.ledger_id == ledger_id
    assert again.add(entries(1, 2, 3), NOON_MS) == Added(booked=1, duplicates=2)


def test_another_schema_is_refused(ledger, open_again):
    ledger.database.execute("UPDATE book SET schema_version = 99")

    with pytest.raises(LedgerError, match="schema 99"):
        open_again()


def test_there_is_one_consumer_at_a_time(ledger, open_again):
    other = open_again()
    taken = [ledger.take_lease(), ledger.take_lease(), other.take_lease()]
    ledger.give_back_lease()

    assert taken == [True, True, False]
    assert other.take_lease()
    assert not ledger.holds_lease()


def test_positions_only_go_forward_until_they_are_forgotten(ledger):
    for place in (5, 10, 9):
        ledger.add([an_entry(an_event(place), place)], NOON_MS)
    positions = ledger.positions()
    ledger.forget_position(0)

    assert (positions, ledger.positions()) == ({0: f"{NOON_MS}-10"}, {})


def test_members_that_this_version_does_not_know_are_booked_with_the_rest(ledger):
    event = orjson.loads(an_event(1))
    event["data"]["new"] = {"x": 1}
    payload = orjson.dumps(event)

    assert ledger.add([an_entry(payload)], NOON_MS) == Added(booked=1)
    assert payloads_of(ledger) == [payload.decode()]


def test_a_request_is_found_by_an_index_in_an_older_ledger_too(open_again):
    older = open_again()
    older.database.execute("DROP INDEX events_by_request")
    older.add(entries(1, 2, 3), NOON_MS)
    older.close()
    ledger = open_again()
    request_id = orjson.loads(an_event(2))["data"]["request_id"]
    plan = "EXPLAIN " if ledger.database.for_update else "EXPLAIN QUERY PLAN "
    if ledger.database.for_update:
        ledger.database.execute("SET enable_seqscan = off")
    told = ledger.database.execute(
        plan + "SELECT payload FROM events WHERE request_id = ?",  # noqa: S608 - constants
        (request_id,),
    )

    assert of_request(ledger, request_id) is not None
    assert of_request(ledger, "req_none") is None
    assert "events_by_request" in str(told)


def test_a_ledger_whose_entries_have_an_index_is_still_booked_in(tmp_path):
    path = tmp_path / "ledger.sqlite3"
    older = sqlite3.connect(path)
    for statement in (BOOK, *TABLES):
        older.execute(statement)
    older.close()
    with sqlite_ledger(tmp_path) as ledger:
        added = [ledger.add(entries(*numbers), NOON_MS) for numbers in ((1, 3), (2, 3))]

        assert added == [Added(booked=2), Added(booked=1, duplicates=1)]
        assert faults_of(ledger) == []
        assert ledger.checkpoints() == {(PRODUCER, 0): 3}


def test_the_entry_of_a_new_ledger_is_the_row_number_itself(tmp_path):
    with sqlite_ledger(tmp_path) as ledger:
        ledger.add(entries(1, 2), NOON_MS)
        found = ledger.database.execute("SELECT rowid, entry FROM events ORDER BY entry")
        plan = ledger.database.execute("EXPLAIN QUERY PLAN SELECT 1 FROM events WHERE entry = 2")

        assert found == [(1, 1), (2, 2)]
        assert "INTEGER PRIMARY KEY" in str(plan)
