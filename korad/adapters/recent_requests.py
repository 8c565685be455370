"""The last 8,192 requests of each worker, in shared memory.

A request id tells the worker and the slot where its record lies, so that whichever worker is
asked finds it without an index: "req_" + 2 hex digits of the worker + 10 of its count + 20 that
are random per worker start.
"""

from __future__ import annotations

import secrets

import msgspec

from korad.adapters.shared_pages import RECORD_BYTES, RECORDS, SharedPages
from korad.domain.exchange import ExchangeRecord
from korad.ports import RecentRecord

_PREFIX = "req_"
_ID_CHARS = len(_PREFIX) + 32
_LENGTH_BYTES = 2


class _Ids(msgspec.Struct):
    request_id: str
    key_id: str | None = None


class RequestIds:
    """Make the request ids of one worker."""

    __slots__ = ("_count", "_prefix", "_random")

    def __init__(self, worker: int) -> None:
        self._prefix = f"{_PREFIX}{worker:02x}"
        self._count = 0
        self._random = secrets.token_hex(10)

    def next(self) -> str:
        """Return a new id, unique across workers and restarts."""
        self._count = count = self._count + 1
        return f"{self._prefix}{count:010x}{self._random}"


class RecentRing:
    """Write this worker's records, read everybody's."""

    def __init__(self, pages: SharedPages, worker: int) -> None:
        self._pages = pages.recent
        self._own = pages.recent[worker]

    def put(self, record: ExchangeRecord, json: bytes) -> None:
        """Keep the record under its id until the ring has turned once."""
        size = len(json)
        if size > RECORD_BYTES - _LENGTH_BYTES:
            # Only extreme names from outside make a record this long: keep all but those.
            json = msgspec.json.encode(
                msgspec.structs.replace(
                    record,
                    client_request_id=None,
                    upstream_request_id=None,
                    model=None,
                    error_code=None,
                )
            )
            size = len(json)
            if size > RECORD_BYTES - _LENGTH_BYTES:
                return
        at = _slot(record.request_id) * RECORD_BYTES
        # One copy; a reader in another process that meets half of it sees broken JSON.
        self._own[at : at + _LENGTH_BYTES + size] = size.to_bytes(_LENGTH_BYTES, "little") + json

    def find(self, request_id: str) -> RecentRecord | None:
        """Return a recent record of any worker."""
        if len(request_id) != _ID_CHARS or not request_id.isascii():
            return None
        try:
            worker = int(request_id[4:6], 16)
            at = _slot(request_id) * RECORD_BYTES
        except ValueError:
            return None
        if not 0 <= worker < len(self._pages) or at < 0:
            return None
        page = self._pages[worker]
        start = at + _LENGTH_BYTES
        json = page[start : start + int.from_bytes(page[at:start], "little")]
        try:
            ids = msgspec.json.decode(json, type=_Ids)
        except (msgspec.DecodeError, UnicodeDecodeError):
            # The slot is empty, or its worker is writing it anew: the record is gone.
            return None
        if ids.request_id != request_id:
            return None
        return RecentRecord(key_id=ids.key_id, json=json)


def _slot(request_id: str) -> int:
    return int(request_id[6:16], 16) % RECORDS
