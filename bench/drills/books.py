"""The accounts of a drill: the provider's, the client's and korad's, compared one by one.

What a killed process never read nobody can know. So the counts of events are exact, complete
answers are exact to the nano-USD, and interrupted ones are bounded: at least what the client got,
at most what the provider sent.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from bench.drills.checks import Checks
from bench.drills.client import Call
from bench.drills.provider import Entries
from bench.drills.redis_server import RedisClient
from bench.drills.server import INPUT_PICO_USD, MARGIN_BP, OUTPUT_PICO_USD
from korad.billing.frames import SEGMENT_HEADER_BYTES, CorruptFrameError, read_frame
from korad.domain.event import Event, EventStatus, decode_event, parse_event_id

PICO_PER_NANO = 1000
BASIS_POINTS = 10_000
_NAMED_MAX = 5


def price_nano_usd(input_tokens: int, output_tokens: int) -> int:
    """Return what is to be billed: one division, half to even."""
    pico = input_tokens * INPUT_PICO_USD + output_tokens * OUTPUT_PICO_USD
    return round(Fraction(pico * MARGIN_BP, BASIS_POINTS * PICO_PER_NANO))


def journal_payloads(state: Path) -> list[bytes]:
    """Return every event in the journals of a state folder, up to where each segment is whole."""
    return [
        payload
        for path in sorted(state.glob("journal/w*/e*.journal"))
        for payload in _segment_payloads(path.read_bytes())
    ]


def _segment_payloads(data: bytes) -> Iterator[bytes]:
    at = SEGMENT_HEADER_BYTES
    while True:
        try:
            frame = read_frame(data, at)
        except CorruptFrameError:
            # A kill may end a write half-way: nothing stands behind it, and what it was the
            # event of is told as interrupted. Damage would show as events in the ledger alone.
            return
        if frame is None:
            return
        yield frame.payload
        at = frame.end


def ledger_payloads(state: Path) -> list[bytes]:
    """Return every event in a state folder's SQLite ledger; none before it is made."""
    path = state / "ledger.sqlite3"
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as database:
        rows = database.execute("SELECT payload FROM events").fetchall()
    return [row[0] if isinstance(row[0], bytes) else row[0].encode() for row in rows]


@dataclass(slots=True)
class Accounts:
    """All three accounts of one drill."""

    provider: Entries
    calls: Sequence[Call]
    events: list[Event]

    def check(self, checks: Checks) -> None:
        """Demand that they agree."""
        data = self.events
        statuses = Counter(event.data.status.value for event in data)
        told = ", ".join(f"{count} {status}" for status, count in sorted(statuses.items()))
        checks.tell(
            f"{len(self.calls)} calls, {len(self.provider)} reached the provider, "
            f"{len(data)} events ({told or 'none'})"
        )
        by_request = {event.data.request_id: event for event in data}
        missing = sorted(self.provider.keys() - by_request.keys())
        checks.equal("provider's requests without an event", len(missing), note=_some(missing))
        ids = Counter(event.id for event in data)
        checks.equal("event ids told twice", _excess(ids))
        checks.equal(
            "requests told twice", _excess(Counter(event.data.request_id for event in data))
        )
        checks.equal("gaps in the numbers of events", _gaps(data))
        self._check_complete(checks)
        self._check_interrupted(checks)
        self._check_clients(checks, by_request)

    def _check_complete(self, checks: Checks) -> None:
        """Compare what both sides call complete, to the token and to the nano-USD."""
        tokens = nano = 0
        wrong = []
        for event in self.events:
            entry = self.provider.get(event.data.request_id)
            if not _is_whole(event) or entry is None:
                continue
            sent = (entry["prompt_tokens"], entry["completion_tokens"])
            billed = (event.data.input_tokens, event.data.output_tokens)
            difference = abs(event.data.billed_nano_usd - price_nano_usd(*sent))
            if entry["usage_sent"]:
                tokens += abs(sent[0] - billed[0]) + abs(sent[1] - billed[1])
                nano += difference
                if difference:
                    wrong.append(event.data.request_id)
        checks.equal("complete answers: difference, tokens", tokens, note=_some(wrong))
        checks.equal("complete answers: difference, nano-USD", nano, note=_some(wrong))
        rated = [
            event.id
            for event in self.events
            if event.data.usage_source != "cache"
            and event.data.billed_nano_usd
            != price_nano_usd(event.data.input_tokens, event.data.output_tokens)
        ]
        checks.equal("events that are not tokens x price x margin", len(rated), note=_some(rated))

    def _check_interrupted(self, checks: Checks) -> None:
        by_client = {call.client_id: call for call in self.calls}
        below, above, unseen = [], [], []
        for event in self.events:
            data = event.data
            entry = self.provider.get(data.request_id)
            if entry is None:
                if data.billed_nano_usd:
                    unseen.append(f"{data.request_id} {data.status.value}")
                continue
            call = by_client.get(data.client_request_id or "")
            if _is_whole(event):
                continue
            if call is not None and data.output_tokens < call.tokens_received:
                below.append(
                    f"{data.request_id} {data.status.value} {data.output_tokens} of "
                    f"{call.tokens_received}"
                )
            if data.output_tokens > entry["completion_tokens"]:
                above.append(
                    f"{data.request_id} {data.status.value} {data.output_tokens} of "
                    f"{entry['completion_tokens']}"
                )
        checks.equal("interrupted: less than the client received", len(below), note=_some(below))
        checks.equal("interrupted: more than the provider sent", len(above), note=_some(above))
        checks.equal("billed though the provider saw nothing", len(unseen), note=_some(unseen))

    def _check_clients(self, checks: Checks, by_request: dict[str, Event]) -> None:
        """Demand that every whole answer a client got is a whole event."""
        wrong = []
        for call in self.calls:
            if not call.ok or call.request_id is None:
                continue
            event = by_request.get(call.request_id)
            if event is None or event.data.status is not EventStatus.OK:
                wrong.append(call.request_id)
        checks.equal("clients' whole answers whose event is not ok", len(wrong), note=_some(wrong))


def check_stream(
    checks: Checks, redis: RedisClient, payloads: Iterable[bytes], shards: int, *, emptied: bool
) -> None:
    """Demand that the streams have every event once; `emptied`: the older ones may be gone."""
    found: Counter[bytes] = Counter()
    for shard in range(shards):
        entries = redis.ask("XRANGE", f"kb:{{s{shard:02d}}}:st", "-", "+")
        assert isinstance(entries, list)
        for entry in entries:
            assert isinstance(entry, list)
            fields = entry[1]
            assert isinstance(fields, list)
            assert isinstance(fields[1], bytes)
            found[fields[1]] += 1
    wanted = set(payloads)
    checks.equal("events twice in the stream", sum(count - 1 for count in found.values()))
    if not emptied:
        checks.equal("events not in the stream", len(wanted - found.keys()))
    checks.equal("events in the stream alone", len(found.keys() - wanted))


def check_redis(checks: Checks, redis: RedisClient, events: Iterable[Event], shards: int) -> None:
    """Demand that balances are the events' sums and that nothing is held at rest."""
    expected: dict[str, int] = defaultdict(int)
    for event in events:
        data = event.data
        for entity in (data.key_id, data.team_id, data.customer_id):
            if entity is not None:
                expected[entity] += data.billed_nano_usd
    found: dict[str, int] = defaultdict(int)
    holds = held = under_way = 0
    for shard in range(shards):
        prefix = f"kb:{{s{shard:02d}}}"
        for entity, amount in redis.hash(f"{prefix}:bal").items():
            found[entity] += int(amount)
        holds += len(redis.hash(f"{prefix}:hold"))
        held += sum(abs(int(amount)) for amount in redis.hash(f"{prefix}:held").values())
        under_way += sum(abs(int(number)) for number in redis.hash(f"{prefix}:open").values())
    difference = sum(
        abs(expected[entity] - found[entity]) for entity in expected.keys() | found.keys()
    )
    checks.equal("balances: difference to the events, nano-USD", difference)
    checks.equal("holds at rest", holds)
    checks.equal("held at rest, nano-USD", held)
    checks.equal("counted as under way at rest", under_way)


def decode(payloads: Iterable[bytes]) -> list[Event]:
    """Return the events of payloads."""
    return [decode_event(payload) for payload in payloads]


def _is_whole(event: Event) -> bool:
    """Whether the answer came to its own end: not one that korad cut at the end of a budget."""
    return event.data.status is EventStatus.OK and event.data.error_code is None


def _gaps(events: Iterable[Event]) -> int:
    numbers: dict[tuple[str, int], list[int]] = defaultdict(list)
    for event in events:
        parts = parse_event_id(event.id)
        numbers[parts.producer, parts.shard].append(parts.number)
    return sum(max(each) - len(set(each)) for each in numbers.values())


def _excess(counts: Counter[str]) -> int:
    return sum(count - 1 for count in counts.values())


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED_MAX])
