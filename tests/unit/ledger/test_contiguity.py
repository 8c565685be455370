"""A checkpoint covers number n only when 1 to n are all booked, in whatever order they come."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings, strategies as st

from korad.ledger import LedgerBooks
from korad.ledger.chain import faults_of
from korad.ledger.reports import Period, lines
from tests.support.ledger import NOON_MS, PRODUCER, an_entry, an_event, sqlite_ledger

PRODUCERS = (PRODUCER, "m0123456789ab-w01-e3")
EVENTS = st.tuples(st.sampled_from(PRODUCERS), st.integers(0, 1), st.integers(1, 12))
BATCHES = st.lists(st.lists(EVENTS, min_size=1, max_size=8), max_size=12)


def reached(numbers):
    n = 0
    while n + 1 in numbers:
        n += 1
    return n


@settings(max_examples=60, deadline=None)
@given(batches=BATCHES)
def test_checkpoints_sums_and_chain_follow_from_what_is_booked(batches):
    booked = {}
    with TemporaryDirectory() as folder, sqlite_ledger(Path(folder)) as ledger:
        for batch in batches:
            entries = [
                an_entry(an_event(n, producer=producer, shard=shard), n, shard)
                for producer, shard, n in batch
            ]
            ledger.add(entries, NOON_MS)
            for producer, shard, n in batch:
                booked.setdefault((producer, shard), set()).add(n)

            expected = {place: reached(numbers) for place, numbers in booked.items()}
            assert ledger.checkpoints() == {place: n for place, n in expected.items() if n}

        assert sum(line.events for line in lines(ledger, Period())) == sum(
            map(len, booked.values())
        )
        assert faults_of(ledger) == []
        for shard in (0, 1):
            covered = sum(
                1_500 + n
                for (_, of_shard), numbers in booked.items()
                if of_shard == shard
                for n in range(1, reached(numbers) + 1)
            )
            sums, _ = LedgerBooks(ledger).books(shard, NOON_MS)
            assert sums.get("", {}).get("vk_alice", 0) == covered
