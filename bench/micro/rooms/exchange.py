"""All rooms at once: a whole exchange without sockets, from its bytes to its bill."""

from __future__ import annotations

from collections.abc import Iterator

import orjson

from bench.micro.work import Work
from korad.auth import digest_key
from korad.domain.exchange import ExchangeRecord, Outcome, RequestHead
from korad.exchange import Exchange
from tests.support.raw_http import chat
from tests.support.rooms import PEPPER, SECRET, some_rooms

_NOW_MS, _NOW_NS = 1_700_000_000_000, 1_000_000_000
_BILLED_NANO_USD = 57_000
_ANSWER = (
    b'{"id":"c","choices":[{"message":{"content":"hi"}}],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":9}}'
)


def whole() -> Iterator[Work]:
    """Take a small request, send it, take its answer, settle."""
    rooms = some_rooms()
    head = RequestHead(
        credential_digest=digest_key(PEPPER, SECRET),
        level=None,
        client_request_id=None,
        forwarded=b"",
        error=None,
    )
    body = orjson.dumps(chat())

    def call() -> ExchangeRecord:
        exchange = Exchange(rooms, "req_1", now_ms=_NOW_MS, now_ns=_NOW_NS)
        exchange.admit(head, body)
        exchange.optimize_at_once()
        exchange.dispatch()
        exchange.note_sent(_NOW_NS + 20_000)
        exchange.begin(200, b"", "up_1", _NOW_NS + 30_000)
        exchange.read(_ANSWER, _NOW_NS + 40_000)
        exchange.answer(b"")
        return exchange.settle(Outcome.COMPLETED, _NOW_NS + 50_000)

    def is_right(found: object) -> bool:
        return (
            isinstance(found, ExchangeRecord)
            and found.charge is not None
            and found.charge.billed_nano_usd == _BILLED_NANO_USD
        )

    yield Work(call, is_right)
